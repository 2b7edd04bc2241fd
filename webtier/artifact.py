"""What the instances run, as one file: `python -m webtier.artifact --help`.

A gzipped tar. An instance unpacks it as root, runs `install` in it where there is one, and then
`start` as an unprivileged service; docs/webtier.md has the contract. The project's own has the
application and its packages from PyPI, each wheel checked against its hash in requirements.txt, so
that an instance needs neither pip nor a way to PyPI. The same inputs make the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

APPLICATION = Path(__file__).resolve().parent / "application"
BUILD = APPLICATION.parent.parent / "build"
START, INSTALL = "start", "install"
# Amazon Linux 2023 has several versions of Python; `install` brings the one named here.
PYTHON = "3.12"
# What belongs to the application, but not on an instance.
_NOT_SHIPPED = frozenset({"requirements.in", "requirements.txt"})
# What an installation leaves that differs from one machine to another, or is of no use.
_TRACES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "uv_cache.json", ".lock"})
_ANY = "any"
# botocore describes every service of AWS, in 14 of its 15 MB. These are the ones the application
# calls, and what signing in as a role takes.
AWS_SERVICES = frozenset({"secretsmanager", "sts"})
_DESCRIPTIONS = ("botocore", "data")


class ArtifactError(ValueError):
    """The file cannot be built, or cannot run on an instance; the message says why."""


@dataclass(frozen=True)
class Target:
    """Where packages are to run: what `uname -s` and `uname -m` say there, and Python's version.

    `uv_platform` is uv's name for it; None means the machine and Python that build.
    """

    system: str
    machine: str
    python: str
    uv_platform: str | None

    @property
    def directory(self) -> str:
        """The packages' folder, as `start` looks for it."""
        return f"{self.system}-{self.machine}-{self.python}"


# Amazon Linux 2023 has glibc 2.34.
TARGETS = {
    "x86_64": Target("Linux", "x86_64", PYTHON, "x86_64-manylinux_2_28"),
    "arm64": Target("Linux", "aarch64", PYTHON, "aarch64-manylinux_2_28"),
    "host": Target(
        platform.system(),
        platform.machine(),
        f"{sys.version_info.major}.{sys.version_info.minor}",
        None,
    ),
}
INSTANCES = ("x86_64", "arm64")

Look = Callable[[str, Mapping[str, Path], Path], None]


@dataclass(frozen=True)
class Artifact:
    """The file's bytes."""

    content: bytes

    @property
    def sha256(self) -> str:
        """Its checksum, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def key(self) -> str:
        """Its name in a bucket: another content has another."""
        return f"{self.sha256}.tar.gz"


def build(
    targets: Iterable[str] = INSTANCES, application: Path = APPLICATION, look: Look | None = None
) -> Artifact:
    """The application with its packages for the targets, names of TARGETS.

    `look` is shown all that was installed for each, before what is not used is left out: the
    target's name, the files by their paths in the packages' folder, and requirements.txt.

    Raises ArtifactError: there is no such target, or the packages cannot be had.
    """
    targets = tuple(targets)
    if unknown := sorted(set(targets) - TARGETS.keys()):
        raise ArtifactError(
            f"{', '.join(unknown)} is no target of packages: name some of {', '.join(TARGETS)}"
        )
    files = {
        path.relative_to(application).as_posix(): path
        for path in application.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name not in _NOT_SHIPPED
    }
    with tempfile.TemporaryDirectory(prefix="webtier-artifact-") as scratch:
        requirements = application / "requirements.txt"
        installed = {}
        for name in targets:
            found = _install(TARGETS[name], requirements, Path(scratch) / name)
            if look is not None:
                look(name, found, requirements)
            installed[TARGETS[name].directory] = {
                inside: path for inside, path in found.items() if _is_used(PurePosixPath(inside))
            }
        return Artifact(_packed(files | _merged(installed)))


def given(file: Path) -> Artifact:
    """An artifact of the user's own. Raises ArtifactError where no instance could run it."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{file}: {error.strerror}") from error
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            members = {_plain(member.name): member for member in archive}
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ArtifactError(f"{file} is not a gzipped tar: {error}") from error
    for name, member in members.items():
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise ArtifactError(f"{file}: {name} would be written outside of its folder")
        if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            raise ArtifactError(f"{file}: {name} is neither a file nor a folder nor a link")
    for name in (START, INSTALL):
        found = members.get(name)
        if found is None and name == START:
            raise ArtifactError(f"{file} has no {START}: it is what an instance runs")
        if found is not None and found.isreg() and not found.mode & 0o100:
            raise ArtifactError(f"{file}: {name} is not executable: chmod +x {name}")
    return Artifact(content)


def _plain(name: str) -> str:
    return name.removeprefix("./")


def _install(target: Target, requirements: Path, directory: Path) -> dict[str, Path]:
    """Install the pinned packages into the directory; its files by their path in it."""
    # Beside the interpreter, where `make setup` puts it, or on PATH.
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise ArtifactError("uv is missing, which installs the packages: run `make setup`")
    where = (
        ["--python-platform", target.uv_platform, "--python-version", target.python]
        if target.uv_platform
        else ["--python", sys.executable]
    )
    done = subprocess.run(
        [
            *(uv, "pip", "install", "--quiet", "--no-config", "--target", str(directory), *where),
            *("--only-binary", ":all:", "--no-deps", "--require-hashes"),
            *("-r", str(requirements)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ArtifactError(f"the packages for {target.directory}: {done.stderr.strip()}")
    return {
        path.relative_to(directory).as_posix(): path
        for path in directory.rglob("*")
        if path.is_file()
    }


def _is_used(inside: PurePosixPath) -> bool:
    """Whether the application needs the file, by its path in the packages' folder."""
    # Programs name the interpreter of the machine that built them; nothing here runs one.
    if inside.name in _TRACES or inside.parts[0] == "bin":
        return False
    *folder, service = inside.parts[:3]
    describes = tuple(folder) == _DESCRIPTIONS and len(inside.parts) > 3
    return not describes or service in AWS_SERVICES


def _merged(installed: dict[str, dict[str, Path]]) -> dict[str, Path]:
    """The files of several folders, with the packages that are the same in all of them once.

    Most packages are pure Python and most of the bytes; Python finds a package in one folder only,
    so one with a single file that differs stays in each.
    """
    packages = [_by_package(files) for files in installed.values()]
    names = {name for found in packages for name in found}
    shared = {
        name
        for name in names
        if len(packages) > 1
        and all(_bytes(found.get(name)) == _bytes(packages[0].get(name)) for found in packages)
    }
    return {
        f"packages/{_ANY if inside.split('/')[0] in shared else directory}/{inside}": path
        for directory, files in installed.items()
        for inside, path in files.items()
    }


def _by_package(files: dict[str, Path]) -> dict[str, dict[str, Path]]:
    found: dict[str, dict[str, Path]] = {}
    for inside, path in files.items():
        found.setdefault(inside.split("/")[0], {})[inside] = path
    return found


def _bytes(files: dict[str, Path] | None) -> dict[str, bytes] | None:
    if files is None:
        return None
    return {inside: path.read_bytes() for inside, path in files.items()}


def _packed(files: dict[str, Path]) -> bytes:
    """A gzipped tar in which nothing tells when, where and by whom it was made."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0, compresslevel=6) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, path in sorted(files.items()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Build the file, write it, and print its path, checksum and size; 1 where it cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m webtier.artifact",
        description="Build what the instances run. `python -m deploy webtier` does so by itself.",
    )
    parser.add_argument(
        "--target",
        action="append",
        choices=tuple(TARGETS),
        help="processors of the instances, or this machine; again for more (default: "
        f"{' and '.join(INSTANCES)})",
    )
    parser.add_argument("--output", type=Path, default=BUILD, metavar="DIR", help="default: build")
    options = parser.parse_args(arguments)
    try:
        made = build(options.target or INSTANCES)
        options.output.mkdir(parents=True, exist_ok=True)
        path = options.output / "webtier.tar.gz"
        path.write_bytes(made.content)
    except ArtifactError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # What exists already and is in the way is no directory.
        problem = "not a directory" if isinstance(error, FileExistsError) else error.strerror
        print(f"{parser.prog}: cannot write to {options.output}: {problem}", file=sys.stderr)
        return 1
    print(path)
    print(f"sha256 {made.sha256}, {len(made.content) / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
