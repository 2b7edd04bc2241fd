"""What a checker finds in templates, and what their metadata excuses with a reason."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, order=True)
class Finding:
    """One rule that one resource of one template breaks."""

    template: str
    resource: str
    rule: str
    description: str

    def __str__(self) -> str:
        return f"{self.template}: {self.resource}: {self.rule}: {self.description}"


def remaining(found: list[Finding], excused: list[Finding]) -> list[Finding]:
    """The findings without an excuse, and the excuses without a finding or a reason."""

    def place(finding: Finding) -> tuple[str, str, str]:
        return finding.template, finding.resource, finding.rule

    broken = {place(finding) for finding in found}
    allowed = {place(excuse) for excuse in excused if excuse.description.strip()}
    unneeded = [
        Finding(*place(excuse), "this excuse has no reason or no finding: remove it")
        for excuse in excused
        if place(excuse) not in broken & allowed
    ]
    return sorted([*(finding for finding in found if place(finding) not in allowed), *unneeded])


def report(checker: str, files: int, found: list[Finding], excused: list[Finding]) -> int:
    """Print what remains and how much that is; return the exit code, 1 with findings."""
    left = remaining(found, excused)
    for finding in left:
        print(finding)
    print(f"{checker}: {len(left)} findings in {files} files, {len(excused)} excused")
    return 1 if left else 0


def read_command_line(
    module: str, description: str | None, arguments: list[str] | None
) -> dict[str, dict[str, Any]]:
    """Return the JSON objects that the command line of `python -m module` names, by their path.

    Ends the program with a usage error where one cannot be read.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("templates", nargs="+", type=Path, metavar="TEMPLATE")
    bodies: dict[str, dict[str, Any]] = {}
    for path in parser.parse_args(arguments).templates:
        try:
            bodies[str(path)] = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            parser.error(f"cannot read {error.filename}: {error.strerror}")
        except ValueError as error:
            parser.error(f"{path}: not a JSON template: {error}")
    return bodies
