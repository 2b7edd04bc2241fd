"""What is in a package of Chalice's: distributions, and files that are the project's own."""

import base64
import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.tags import Tag, parse_tag
from packaging.utils import canonicalize_name

from deploy import wheels

_ELF = b"\x7fELF"
_DIST_INFO = re.compile(r"([^/]+)\.dist-info/METADATA")
# Chalice moves the contents of these folders of a wheel to where modules are imported from.
_MOVED = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")
# Chalice packs these two files of its own, without its metadata.
_CHALICE = "chalice/app.py"
# What the CycloneDX specification recommends to call its files, and what maturin calls them.
_CYCLONEDX = (".cdx.json", ".cyclonedx.json")
_GLIBC = re.compile(rb"\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\0)")


@dataclass(frozen=True)
class CompiledFile:
    """A compiled file: its path in the package, e_machine of its header, newest glibc it names."""

    name: str
    sha256: str
    machine: int
    glibc: tuple[int, int]


@dataclass(frozen=True)
class Distribution:
    """A distribution as it was unpacked.

    `license_expression`, `license_text` (the field of older metadata) and `classifiers` are what
    its metadata says of its licence, `sboms` the CycloneDX documents it brings of what was compiled
    into it (PEP 770), by their path. `damaged` are files that are not what RECORD says. `wheel` and
    `sha256` are None where the package does not say which wheel it was.
    """

    name: str
    version: str
    license_expression: str | None
    license_text: str | None
    classifiers: tuple[str, ...]
    tags: frozenset[Tag]
    compiled: tuple[CompiledFile, ...]
    damaged: tuple[str, ...]
    sboms: Mapping[str, Any]
    wheel: str | None
    sha256: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Contents:
    """A package's contents: distributions by name, and what came in none of them.

    `chalice` is the version of Chalice whose runtime was packed, `compiled` are compiled files that
    are in no distribution.
    """

    sha256: str
    distributions: tuple[Distribution, ...]
    chalice: str | None
    compiled: tuple[CompiledFile, ...]


def read(package: Path) -> Contents:
    """Read a package."""
    content = package.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return contents(files, hashlib.sha256(content).hexdigest())


def contents(files: Mapping[str, bytes], sha256: str) -> Contents:
    """Say what files are, by their paths where modules are imported from."""
    listed = _listed(files.get(wheels.LIST, b"").decode())
    found, owned = [], set[str]()
    for name in sorted(files):
        if match := _DIST_INFO.fullmatch(name):
            distribution, names = _distribution(files, f"{match[1]}.dist-info", listed)
            found.append(distribution)
            owned |= names
    version = re.search(rb"__version__(?:: str)? = '([^']+)'", files.get(_CHALICE, b""))
    return Contents(
        sha256,
        tuple(sorted(found, key=lambda each: each.name)),
        version[1].decode() if version else None,
        _compiled({name: data for name, data in files.items() if name not in owned}),
    )


def _distribution(
    files: Mapping[str, bytes], folder: str, listed: Mapping[tuple[str, str], tuple[str, str]]
) -> tuple[Distribution, set[str]]:
    metadata = _headers(files[f"{folder}/METADATA"])
    name, version = canonicalize_name(metadata["Name"]), metadata["Version"]
    tags = _headers(files.get(f"{folder}/WHEEL", b"")).get_all("Tag", [])
    recorded = _recorded(files.get(f"{folder}/RECORD", b"").decode())
    own = {each: files[each] for each in recorded if each in files}
    wheel, sha256 = listed.get((name, version), (None, None))
    return (
        Distribution(
            name,
            version,
            metadata.get("License-Expression"),
            metadata.get("License"),
            tuple(
                each for each in metadata.get_all("Classifier", []) if each.startswith("License ::")
            ),
            frozenset(tag for text in tags for tag in parse_tag(text)),
            _compiled(own),
            tuple(each for each, digest in recorded.items() if digest != _digest(files.get(each))),
            {
                each: json.loads(data)
                for each, data in own.items()
                if each.startswith(f"{folder}/sboms/") and each.endswith(_CYCLONEDX)
            },
            wheel,
            sha256,
        ),
        set(own),
    )


def _headers(text: bytes) -> Message:
    return Parser().parsestr(text.decode())


def _listed(text: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the wheels' file names and SHA-256 digests, by the name and version of each."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for line in text.splitlines():
        sha256, _, wheel = line.partition("  ")
        name, version = PurePosixPath(wheel).name.split("-")[:2]
        found[canonicalize_name(name), version] = (wheel, sha256)
    return found


def _recorded(text: str) -> dict[str, str]:
    """Return the digests of RECORD by where Chalice has put the files; RECORD itself has none."""
    return {
        _MOVED.sub("", path, count=1): digest
        for path, digest, _size in csv.reader(text.splitlines())
        if digest
    }


def _digest(data: bytes | None) -> str | None:
    """Return the digest of a file as RECORD has it."""
    if data is None:
        return None
    encoded = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
    return f"sha256={encoded.rstrip('=')}"


def _compiled(files: Mapping[str, bytes]) -> tuple[CompiledFile, ...]:
    return tuple(
        CompiledFile(
            name,
            hashlib.sha256(data).hexdigest(),
            int.from_bytes(data[18:20], "little"),
            max(
                ((int(major), int(minor)) for major, minor in _GLIBC.findall(data)),
                default=(0, 0),
            ),
        )
        for name, data in sorted(files.items())
        if data.startswith(_ELF)
    )
