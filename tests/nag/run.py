"""Check CloudFormation templates with cdk-nag's AwsSolutions rules.

    python tests/nag/run.py build/webtier.json build/workload.json

A resource is excused from a rule by its own metadata, in the form cdk-nag writes itself:

    "Metadata": {"cdk_nag": {"rules_to_suppress": [{"id": "AwsSolutions-S1", "reason": "…"}]}}

An excuse that no finding needs any more is a finding too. Exit code 0 without findings, 1 with
findings or when the rules could not be run. Needs node; without it nothing is checked, one line
says so, and the exit code is 0. The first run installs what package-lock.json names.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, order=True)
class Finding:
    """One rule that one resource of one template breaks."""

    template: str
    resource: str
    rule: str
    description: str

    def __str__(self) -> str:
        return f"{self.template}: {self.resource}: {self.rule}: {self.description}"


def excuses(template: str, body: dict[str, Any]) -> list[Finding]:
    """Each excuse in a template as the finding it is for; its reason is the description."""
    return [
        Finding(template, resource, excuse["id"], excuse["reason"])
        for resource, declared in body["Resources"].items()
        for excuse in declared.get("Metadata", {}).get("cdk_nag", {}).get("rules_to_suppress", [])
    ]


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


def install() -> None:
    """Install the rules unless that has been done since package-lock.json last changed."""
    installed = HERE / "node_modules" / ".package-lock.json"
    if (
        installed.exists()
        and installed.stat().st_mtime >= (HERE / "package-lock.json").stat().st_mtime
    ):
        return
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.DEVNULL)
    installed.touch()


def findings(templates: list[Path]) -> list[Finding]:
    """Every finding in the templates, excused or not."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "findings.json"
        done = subprocess.run(
            ["node", HERE / "findings.js", report, *templates],
            capture_output=True,
            text=True,
            check=False,
        )
        if not report.exists():
            raise RuntimeError(done.stderr.strip() or f"node ended with {done.returncode}")
        return [Finding(**finding) for finding in json.loads(report.read_text(encoding="utf-8"))]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python tests/nag/run.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("templates", nargs="+", type=Path, metavar="TEMPLATE")
    templates = parser.parse_args(arguments).templates
    try:
        excused = [
            excuse
            for path in templates
            for excuse in excuses(str(path), json.loads(path.read_text(encoding="utf-8")))
        ]
    except OSError as error:
        parser.error(f"cannot read {error.filename}: {error.strerror}")
    except ValueError as error:
        parser.error(f"not a JSON template: {error}")
    if not (shutil.which("node") and shutil.which("npm")):
        print("cdk-nag: not checked, because node and npm are not installed")
        return 0
    try:
        install()
        left = remaining(findings(templates), excused)
    except subprocess.CalledProcessError as error:
        print(f"cdk-nag: npm ci ended with {error.returncode}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        print(f"cdk-nag: {error}", file=sys.stderr)
        return 1
    for finding in left:
        print(finding)
    print(f"cdk-nag: {len(left)} findings in {len(templates)} templates, {len(excused)} excused")
    return 1 if left else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
