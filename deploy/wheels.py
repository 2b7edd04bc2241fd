"""The wheels that requirements.txt pins for a runtime, each checked against its hash.

`chalice package` judges markers by the machine that packages, fetches most compiled wheels a second
time by name and version alone, without their hashes, and builds from source what has no wheel, on
whatever machine that is. Here the markers are the runtime's, nothing is fetched that has not one of
the pinned hashes, and nothing is built.
"""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from deploy.errors import PackageError
from deploy.runtime import Runtime

# A package says in it which wheels it was made from, in the format of sha256sum.
LIST = "wheels.sha256"
_HASH = "--hash="
_OTHER_FILE = "DO NOT MATCH THE HASHES"


@dataclass(frozen=True)
class Pinned:
    """A requirement of one version, with the hashes of its files, such as `sha256:0123…`."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The distribution's name, normalized."""
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        """The version."""
        return str(next(iter(self.requirement.specifier)).version)

    def line(self) -> str:
        """Return it for a requirements file, without its marker."""
        plain = f"{self.requirement.name}{self.requirement.specifier}"
        return " ".join([plain, *(f"{_HASH}{each}" for each in self.hashes)])


def pinned(requirements: Path, runtime: Runtime) -> list[Pinned]:
    """Return what requirements.txt pins for the runtime; without the file, nothing.

    Raises PackageError: a line pins no version or no hash, or is no requirement.
    """
    if not requirements.exists():
        return []
    lines = requirements.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    found = [_pinned(line) for line in map(str.strip, lines) if line and not line.startswith("#")]
    environment = runtime.marker_environment
    return [
        each
        for each in found
        if each.requirement.marker is None or each.requirement.marker.evaluate(environment)
    ]


def _pinned(line: str) -> Pinned:
    text, *hashes = line.split(_HASH)
    try:
        requirement = Requirement(text.strip())
    except InvalidRequirement as error:
        raise PackageError(f"requirements.txt: {text.strip()}: {error}") from error
    if [each.operator for each in requirement.specifier] != ["=="] or not hashes:
        raise PackageError(
            f"requirements.txt does not pin {requirement.name} to a version and to hashes: name it "
            "in requirements.in and run `make requirements`"
        )
    return Pinned(requirement, tuple(each.strip() for each in hashes))


def download(wanted: Iterable[Pinned], runtime: Runtime, directory: Path) -> list[Path]:
    """Download the wheels for the runtime into the directory, return them sorted by name.

    Raises PackageError: there is no wheel that fits, or a file is not the pinned one.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{each.line()}\n" for each in wanted)
        file.flush()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "-qq", "--no-input"),
                *("--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"),
                *("--require-hashes", "--dest", str(directory), "--requirement", file.name),
                *("--implementation", "cp", "--python-version", runtime.python),
                *("--abi", f"cp{runtime.python.replace('.', '')}"),
                *(word for each in runtime.platforms for word in ("--platform", each)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise PackageError(_reason(done.stderr, runtime))
    return sorted(directory.glob("*.whl"))


def listing(wheels: Iterable[Path]) -> str:
    """Return the list that a package has of its wheels."""
    return "".join(
        f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel.name}\n" for wheel in wheels
    )


def _reason(output: str, runtime: Runtime) -> str:
    said = " ".join(output.split())
    if _OTHER_FILE in said:
        return f"a package was not taken, as it is another file than the one that is pinned: {said}"
    return (
        f"the wheels for {runtime} cannot be had: {said}; a package needs a wheel for "
        f"{runtime.manylinux} or older: pin a version that has one in requirements.in, or give it "
        "a marker, and run `make requirements`"
    )
