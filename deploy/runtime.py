"""A Lambda runtime, as far as it decides which compiled code runs in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.tags import Tag

# Lambda's name of an architecture; what `uname -m` and wheels call it; e_machine in ELF's header.
_MACHINES = {"x86_64": ("x86_64", 62), "arm64": ("aarch64", 183)}
# "Lambda runtimes" in the AWS Lambda Developer Guide: python3.11 runs on Amazon Linux 2, later ones
# on Amazon Linux 2023.
_GLIBC = {"3.11": (2, 26)}
_GLIBC_LATER = (2, 34)
# PEP 600, "Legacy manylinux tags".
_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_OLDEST_MINOR = 17


@dataclass(frozen=True)
class Runtime:
    """A runtime: `python` such as `3.11`, and Lambda's name of the architecture."""

    python: str
    architecture: str

    def __str__(self) -> str:
        return f"python{self.python} on {self.architecture}"

    @property
    def machine(self) -> str:
        """What `uname -m` says there."""
        return _MACHINES[self.architecture][0]

    @property
    def elf_machine(self) -> int:
        """The number of the architecture in the header of a compiled file."""
        return _MACHINES[self.architecture][1]

    @property
    def glibc(self) -> tuple[int, int]:
        """The version of its C library."""
        return _GLIBC.get(self.python, _GLIBC_LATER)

    @property
    def manylinux(self) -> str:
        """The newest manylinux there is for it."""
        major, minor = self.glibc
        return f"manylinux_{major}_{minor}_{self.machine}"

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platform tags of wheels that run there, the newest first, for pip's `--platform`."""
        major, newest = self.glibc
        minors = range(newest, _OLDEST_MINOR - 1, -1)
        named = [f"manylinux_{major}_{minor}_{self.machine}" for minor in minors]
        return (*named, f"manylinux2014_{self.machine}")

    @property
    def marker_environment(self) -> dict[str, str]:
        """What environment markers of requirements are judged by."""
        return {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }

    def faults(self, tags: frozenset[Tag]) -> Iterator[str]:
        """Say why no wheel of these tags runs there; nothing where one does."""
        told = {tag: self._fault(tag) for tag in sorted(tags, key=str)}
        if None not in told.values():
            yield next(iter(told.values()), None) or "names no tag"

    def _fault(self, tag: Tag) -> str | None:
        if not self._takes_interpreter(tag):
            return f"is for {tag.interpreter}-{tag.abi}, not for python{self.python}"
        if tag.platform == "any":
            return None
        legacy, _, machine = tag.platform.partition("_")
        match = re.fullmatch(r"manylinux_(\d+)_(\d+)_(\w+)", tag.platform)
        if match:
            glibc, machine = (int(match[1]), int(match[2])), match[3]
        elif legacy in _LEGACY:
            glibc = _LEGACY[legacy]
        elif legacy == "linux":
            return f"was built from source on some machine ({tag.platform}), not for manylinux"
        else:
            return f"is for {tag.platform}"
        if machine != self.machine:
            return f"is for {machine}"
        if glibc > self.glibc:
            return f"needs glibc {dotted(glibc)}, and there is {dotted(self.glibc)}"
        return None

    def _takes_interpreter(self, tag: Tag) -> bool:
        if tag.interpreter in {"py3", "py2.py3"} and tag.abi == "none":
            return True
        own = f"cp{self.python.replace('.', '')}"
        if tag.abi == "abi3" and re.fullmatch(r"cp3\d*", tag.interpreter):
            return int(tag.interpreter[3:] or 0) <= int(own[3:])
        return tag.interpreter == own and tag.abi in {own, "none"}


def dotted(version: tuple[int, int]) -> str:
    """Return a version as it is written."""
    return ".".join(map(str, version))
