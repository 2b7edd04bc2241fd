"""What the web tier's instances are sent: held against what is pinned and allowed, and its bill."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy import distributions, inspection
from deploy.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.inspection import Inspected

# The Python that `install` brings; Amazon Linux 2023 has the C library of Lambda's runtimes on it.
PYTHON = "3.12"
ARCHITECTURES = ("x86_64", "arm64")
NAME = "webtier"


class Packages:
    """What was seen of the packages in an artifact, by the architecture of the instances."""

    def __init__(self) -> None:
        self.inspected: dict[str, Inspected] = {}

    def look(self, target: str, files: Mapping[str, Path], requirements: Path) -> None:
        """Check the files installed for a target, by their paths in the packages' folder.

        What is made for this machine is sent to no instance. Raises PackageError: they are not fit
        to be shipped.
        """
        if target not in ARCHITECTURES:
            return
        contents = distributions.contents(
            {inside: path.read_bytes() for inside, path in files.items()}, ""
        )
        self.inspected[target] = inspection.examine(
            contents, f"the application of {NAME}", requirements, Runtime(PYTHON, target)
        )

    def bills(self, sha256: str) -> dict[str, str]:
        """Return the bill of materials for each architecture of the artifact with this digest."""
        # Half a second of imports.
        from deploy import bill

        return {
            target: bill.bill(
                replace(each, contents=replace(each.contents, sha256=sha256)),
                NAME,
                "What the instances of the web tier run,",
            )
            for target, each in self.inspected.items()
        }
