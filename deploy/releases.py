"""The releases of a Chalice part at a stage: what is needed to deploy one of them again.

A release is the part's folder and the package its functions run from, both in the account's bucket
by their content. So a rollback is a deployment like any other: the same code, routes, settings and
rights, by the same commands.
"""

import base64
import gzip
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path

from deploy import artifacts
from deploy.account import Account
from deploy.errors import SettingsError
from deploy.lock import this_process
from deploy.model import content_digest, package_path

_KEPT = 50
# What is made anew by each deployment, or is a machine's own.
_LEFT_OUT = frozenset({"__pycache__", "deployed", "deployments", "venv"})
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Release:
    """A release. `source` and `package` are keys of the account's bucket.

    `code_sha256` is the package's digest as Lambda gives it, `content_sha256` that of the names and
    contents in it. `python` and `chalice` are what made it, `commit` the one that it was made from.
    """

    version: int
    time: str
    by: str
    commit: str
    source: str
    package: str
    code_sha256: str
    content_sha256: str
    package_bytes: int
    per_operation: bool
    python: str
    chalice: str

    def is_same(self, other: "Release") -> bool:
        """Whether the two are of the same source and content, whenever they were packed."""
        return (self.source, self.content_sha256, self.per_operation) == (
            other.source,
            other.content_sha256,
            other.per_operation,
        )

    def refuse_unless_reproducible(self) -> None:
        """Raise SettingsError where this interpreter or Chalice would make another package."""
        for name, made_with, found in (
            ("Python", self.python, PYTHON),
            ("Chalice", self.chalice, version_of("chalice")),
        ):
            if made_with != found:
                raise SettingsError(
                    f"version {self.version} was deployed with {name} {made_with}, and this is "
                    f"{found}: roll back with {name} {made_with}"
                )

    def __str__(self) -> str:
        made_from = f", commit {self.commit}" if self.commit else ""
        return f"{self.version}  {self.time}  {self.by}{made_from}, {self.package_bytes:,} bytes"


def make(account: Account, directory: Path, package: Path, *, per_operation: bool) -> Release:
    """Put the part's folder and its package into the bucket, return the release, version 0."""
    source = pack(directory)
    source_key = f"{hashlib.sha256(source).hexdigest()}.tar.gz"
    artifacts.put(account, source_key, source)
    return Release(
        0,
        f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        this_process(),
        commit_of(directory),
        source_key,
        artifacts.upload(account, package).rpartition("/")[2],
        code_digest(package),
        content_digest(package),
        package.stat().st_size,
        per_operation,
        PYTHON,
        version_of("chalice"),
    )


def with_release(releases: Sequence[Release], release: Release) -> tuple[tuple[Release, ...], int]:
    """Return the releases with this one, in the place of the same one, and its version."""
    for index, known in enumerate(releases):
        if known.is_same(release):
            # Its package may have been packed again, with the same content.
            again = replace(
                known,
                package=release.package,
                code_sha256=release.code_sha256,
                package_bytes=release.package_bytes,
            )
            return (*releases[:index], again, *releases[index + 1 :]), known.version
    version = 1 + max((known.version for known in releases), default=0)
    return (*releases, replace(release, version=version))[-_KEPT:], version


def unpack(account: Account, release: Release, directory: Path, architecture: str) -> None:
    """Make `directory` the part's folder of the release, with its package where Chalice looks."""
    client, bucket = account.client("s3"), artifacts.bucket_name(account)
    source = client.get_object(Bucket=bucket, Key=release.source)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(source), mode="r:gz") as archive:
        archive.extractall(directory, filter="data")
    package = package_path(directory, release.python, architecture)
    package.parent.mkdir(parents=True, exist_ok=True)
    with package.open("wb") as file:
        shutil.copyfileobj(client.get_object(Bucket=bucket, Key=release.package)["Body"], file)


def pack(directory: Path) -> bytes:
    """Return the part's folder as an archive: the same content gives the same bytes."""
    packed = io.BytesIO()
    with (
        # The time is in the header of the archive otherwise.
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as compressed,
        tarfile.open(fileobj=compressed, mode="w", dereference=True) as archive,
    ):
        for path in _files(directory):
            member = archive.gettarinfo(path, path.relative_to(directory).as_posix())
            member.mtime = member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o644
            # A second link to a file is a file of its own: the first may not be unpacked yet.
            member.type, member.linkname, member.size = tarfile.REGTYPE, "", path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(member, file)
    return packed.getvalue()


def code_digest(package: Path) -> str:
    """Return the package's SHA-256 as Lambda gives it."""
    return base64.b64encode(hashlib.sha256(package.read_bytes()).digest()).decode()


def find_package(directory: Path, code_sha256: str) -> Path | None:
    """Return the package of this digest in Chalice's cache of packages."""
    for path in (directory / ".chalice" / "deployments").glob("*.zip"):
        if code_digest(path) == code_sha256:
            return path
    return None


def _files(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.iterdir()):
        if path.name in _LEFT_OUT:
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def commit_of(directory: Path) -> str:
    """Return the commit that is checked out, with a + where the part differs; empty without git."""
    try:
        commit = _git(directory, "rev-parse", "--short", "HEAD")
        # What is recorded of a stack's outputs is no change of the part.
        differs = commit and _git(directory, "status", "--porcelain", "--", ".", ":!.chalice")
    except FileNotFoundError:
        return ""
    return f"{commit}+" if differs else commit


def _git(directory: Path, *arguments: str) -> str:
    process = subprocess.run(
        ["git", *arguments], cwd=directory, capture_output=True, text=True, check=False
    )
    return process.stdout.strip()
