"""The file that instances run: what is in it, and which ones are refused."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

from webtier import artifact, build

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def built() -> artifact.Artifact:
    return artifact.build()


def members(content: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return {member.name: member for member in archive}


def test_it_has_the_application_and_packages_for_both_processors(built: artifact.Artifact) -> None:
    names = members(built.content)
    assert {"start", "install", "rds-ca.pem", "notes/app.py", "notes/templates/index.html"} <= set(
        names
    )
    for machine in ("x86_64", "aarch64"):
        native = rf"packages/Linux-{machine}-3\.12/psycopg_binary/_psycopg\..*{machine}.*\.so"
        assert any(re.fullmatch(native, name) for name in names), machine
    assert "packages/any/flask/app.py" in names
    # An instance's own Python makes no use of these, and a machine's name does not belong in it.
    assert not [name for name in names if re.search(r"__pycache__|\.lock$|/RECORD$|/bin/", name)]


def test_an_instance_needs_less_than_a_sixth_of_boto3(built: artifact.Artifact) -> None:
    services = {
        name.split("/")[4]
        for name in members(built.content)
        if name.startswith("packages/any/botocore/data/") and name.count("/") > 4
    }
    assert services == artifact.AWS_SERVICES
    assert "packages/any/botocore/data/endpoints.json" in members(built.content)


def test_built_again_it_is_the_same(built: artifact.Artifact, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "webtier.artifact", "--output", tmp_path],
        cwd=ROOT,
        env={**os.environ, "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    path, described = done.stdout.splitlines()
    assert Path(path).read_bytes() == built.content
    assert described.startswith(f"sha256 {built.sha256}, ")


def test_nothing_tells_who_made_it_and_when(built: artifact.Artifact) -> None:
    for member in members(built.content).values():
        assert (member.uid, member.gid, member.uname, member.mtime) == (0, 0, "", 0), member.name
        assert member.mode in (0o644, 0o755)
    assert members(built.content)["start"].mode == 0o755


def test_a_build_is_an_artifact_that_would_be_taken(
    built: artifact.Artifact, tmp_path: Path
) -> None:
    file = tmp_path / "own.tar.gz"
    file.write_bytes(built.content)
    assert artifact.given(file) == built


def test_an_unknown_target_is_named() -> None:
    with pytest.raises(artifact.ArtifactError, match="sparc is no target of packages: name some"):
        artifact.build(["sparc"])


def test_a_wheel_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    pinned = (artifact.APPLICATION / "requirements.txt").read_text()
    (tmp_path / "start").touch()
    changed = re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", pinned)
    (tmp_path / "requirements.txt").write_text(changed)
    with pytest.raises(artifact.ArtifactError, match=r"(?i)hash mismatch"):
        artifact.build(["host"], tmp_path)


def pack(path: Path, *files: tuple[str, int]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, mode in files:
            entry = tarfile.TarInfo(name)
            entry.mode = mode
            archive.addfile(entry)
    return path


def test_the_smallest_artifact_is_one_program(tmp_path: Path) -> None:
    for name in ("start", "./start"):
        file = pack(tmp_path / "own.tar.gz", (name, 0o755))
        assert artifact.given(file).content == file.read_bytes()


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([("begin", 0o755)], "has no start: it is what an instance runs"),
        ([("start", 0o644)], r"start is not executable: chmod \+x start"),
        ([("start", 0o755), ("install", 0o644)], "install is not executable"),
        ([("start", 0o755), ("../etc/passwd", 0o644)], r"\.\./etc/passwd would be written outside"),
        ([("start", 0o755), ("/etc/passwd", 0o644)], "/etc/passwd would be written outside"),
    ],
)
def test_an_artifact_that_no_instance_could_run_is_refused(
    tmp_path: Path, files: list[Any], reason: str
) -> None:
    with pytest.raises(artifact.ArtifactError, match=reason):
        artifact.given(pack(tmp_path / "own.tar.gz", *files))


def test_a_stage_has_the_projects_artifact_or_the_users_own(tmp_path: Path) -> None:
    file = pack(tmp_path / "own.tar.gz", ("start", 0o755))
    settings: dict[str, Any] = {"artifact": {"targets": ["host"]}}
    built = build.application(settings)
    assert f"packages/{artifact.TARGETS['host'].directory}/flask/app.py" in members(built.content)
    assert build.application(settings | {"application": file}).content == file.read_bytes()


def test_a_file_that_is_no_archive_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(artifact.ArtifactError, match=r"notes\.txt is not a gzipped tar"):
        artifact.given(tmp_path / "notes.txt")
    with pytest.raises(artifact.ArtifactError, match=r"none\.tar\.gz: No such file"):
        artifact.given(tmp_path / "none.tar.gz")


def test_install_brings_the_python_that_the_packages_are_for() -> None:
    assert (
        f"dnf install --assumeyes --quiet python{artifact.PYTHON}\n"
        in (artifact.APPLICATION / "install").read_text()
    )


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\\n]+)", path.read_text(), re.MULTILINE))


def test_the_tests_run_with_the_versions_that_instances_do() -> None:
    tested, shipped = (
        pins(ROOT / "requirements-dev.txt"),
        pins(artifact.APPLICATION / "requirements.txt"),
    )
    assert shipped.keys() <= tested.keys()
    assert {name: tested[name] for name in shipped} == shipped


def test_what_is_asked_for_is_in_the_groups_of_development_too() -> None:
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    asked = (artifact.APPLICATION / "requirements.in").read_text().split()
    assert set(asked) <= set(group)
