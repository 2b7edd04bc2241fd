"""Packages made of real wheels: from the pinned files alone, for Lambda, the same every time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.integration.deploy.project import CHECKOUT, Project
from tests.integration.deploy.snapshot import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

# As little of a compiled file as makes it one: its header says for which machine it is.
COMPILED = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\x3e\x00"
# Pure Python, and small.
JMESPATH = "a5663118de4908c91729bea0acadca56526eb2698e83de10cd116ae0f4e97c64"


def command(root: Path, part: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "deploy.package", part),
            *("--root", str(root), "--output", str(root / "build"), *arguments),
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@dataclass(frozen=True)
class Made:
    output: str
    package: Path

    @property
    def bill(self) -> dict[str, Any]:
        return dict(json.loads(self.package.with_suffix(".cdx.json").read_text()))

    @property
    def wheels(self) -> list[str]:
        with zipfile.ZipFile(self.package) as archive:
            listed = archive.read("wheels.sha256").decode().splitlines()
        return [line.split("  ")[1] for line in listed]


def copied(root: Path, part: str) -> Path:
    """A copy of the part as a fresh clone has it."""
    ignored = shutil.ignore_patterns("__pycache__", "deployments", "deployed", ".mypy_cache")
    shutil.copytree(CHECKOUT / part, root / part, symlinks=False, ignore=ignored)
    return root / part


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Made]:
    """Makes the package of image_api for a version of Python and an architecture."""

    def make(python: str, architecture: str) -> Made:
        root = tmp_path_factory.mktemp("root")
        copied(root, "image_api")
        made = command(root, "image_api", "--python", python, "--architecture", architecture)
        assert made.returncode == 0, made.stderr
        return Made(made.stdout, root / "build" / f"image_api-python{python}-{architecture}.zip")

    return make


@pytest.fixture(scope="module")
def default(make: Callable[[str, str], Made]) -> Made:
    return make("3.11", "x86_64")


def test_the_wheels_are_those_of_the_runtime(
    default: Made, make: Callable[[str, str], Made]
) -> None:
    assert [wheel.split("-")[0] for wheel in default.wheels] == ["cykooz_resizer", "pillow"]
    assert all("cp311" in wheel and "x86_64" in wheel for wheel in default.wheels)
    # Neither the processor nor the Python of the machine that packages.
    (other,) = make("3.13", "arm64").wheels
    assert other.startswith("pillow-13.0.0-cp313-cp313-manylinux")
    assert "aarch64" in other


def test_the_same_package_comes_of_the_same_in_another_folder_at_another_time(
    default: Made, tmp_path: Path
) -> None:
    project = copied(tmp_path, "image_api")
    for path in sorted(project.rglob("*"), reverse=True):
        os.utime(path, (10**9, 10**9))
    for folder in ("chalicelib", "vendor/problem_details"):
        (project / folder / "__pycache__").mkdir()
        (project / folder / "__pycache__" / "left.cpython-311.pyc").write_bytes(os.urandom(8))
    again = command(tmp_path, "image_api", "--python", "3.11")
    assert again.returncode == 0, again.stderr
    package = tmp_path / "build" / "image_api-python3.11-x86_64.zip"
    assert package.read_bytes() == default.package.read_bytes()
    bill = package.with_suffix(".cdx.json")
    assert bill.read_bytes() == default.package.with_suffix(".cdx.json").read_bytes()


def test_the_bill_is_what_cyclonedx_takes_and_names_what_is_in_the_package(default: Made) -> None:
    text = json.dumps(default.bill)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found = {each["name"]: each for each in default.bill["components"]}
    assert found.keys() == {"chalice", "cykooz-resizer", "pillow"}
    pinned = (CHECKOUT / "image_api" / "requirements.txt").read_text()
    for name in ("cykooz-resizer", "pillow"):
        (digest,) = found[name]["hashes"]
        assert digest["content"] in pinned
        assert f"{name} {found[name]['version']}" in default.output
    crates = {each["name"] for each in found["cykooz-resizer"]["components"]}
    assert "fast_image_resize" in crates
    assert default.bill["metadata"]["component"]["name"] == "image_api"


def test_the_validation_finds_what_is_wrong(default: Made) -> None:
    wrong = default.bill | {"serialNumber": "none"}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(wrong)) is not None


@pytest.mark.parametrize(
    ("requirement", "told"),
    [
        (f"jmespath==1.1.0 --hash=sha256:{'0' * 64}", "another file than the one that is pinned"),
        ("jmespath==1.1.0", "does not pin jmespath to a version and to hashes"),
        # There is no such version; the same is said of one without a wheel for the runtime.
        (f"jmespath==0.0.1 --hash=sha256:{JMESPATH}", "pin a version that has one"),
    ],
)
def test_only_pinned_files_are_taken(tmp_path: Path, requirement: str, told: str) -> None:
    project = Project(tmp_path, "shop")
    (project.directory / "requirements.txt").write_text(f"{requirement}\n")
    done = command(tmp_path, "crud_api")
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "build").exists()


def test_a_deployment_refuses_a_package_that_is_not_fit(
    account: str, tmp_path: Path, unique: str
) -> None:
    project = Project(tmp_path, f"shop-{unique}")
    (project.directory / "vendor").mkdir()
    (project.directory / "vendor" / "fast.so").write_bytes(COMPILED)
    before = snapshot()
    planned = project.run("--plan")
    assert planned.returncode == 1
    assert "fast.so is compiled and came in no wheel" in planned.stderr
    assert snapshot() == before

    deployed = project.run()
    assert deployed.returncode == 1
    assert "error: chalice deploy failed: " in deployed.stderr
    assert "fast.so is compiled and came in no wheel" in deployed.stderr
    assert not project.state.exists()

    (project.directory / "vendor" / "fast.so").unlink()
    again = project.run()
    assert again.returncode == 0, again.stderr
    (package,) = (project.directory / ".chalice" / "deployments").glob("*.cdx.json")
    assert json.loads(package.read_text())["metadata"]["component"]["name"] == "crud_api"
