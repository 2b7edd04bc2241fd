"""Check CloudFormation templates with the rules of cdk-nag: all its packs.

    python -m tests.nag.run build/webtier.json build/workload.json

A resource is excused from a rule by its own metadata, in the form cdk-nag writes itself:

    "Metadata": {"cdk_nag": {"rules_to_suppress": [{"id": "AwsSolutions-S1", "reason": "…"}]}}

What a whole template does on purpose is excused in the template's own metadata, in the same form.
It names a rule of the packs for HIPAA, NIST 800-53, PCI DSS and serverless without its pack, and
excuses it in each: `{"id": "IAMNoInlinePolicy", "reason": "…"}`.

An excuse that no finding needs any more is a finding too. Exit code 0 without findings, 1 with
findings or when the rules could not be run. Needs node; without it nothing is checked, one line
says so, and the exit code is 0. The first run installs what package-lock.json names.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests import npm
from tests.excuses import Finding, read_command_line, report

HERE = Path(__file__).resolve().parent


def excuses(template: str, body: dict[str, Any]) -> list[Finding]:
    """Each excuse in a template as the finding it is for; its reason is the description.

    The resource of an excuse for the whole template is "".
    """
    return [
        Finding(template, resource, excuse["id"], excuse["reason"])
        for resource, declared in {"": body, **body["Resources"]}.items()
        for excuse in declared.get("Metadata", {}).get("cdk_nag", {}).get("rules_to_suppress", [])
    ]


def spread(excused: list[Finding], found: list[Finding]) -> list[Finding]:
    """The excuses, with one for each finding in place of one for a whole template.

    One that nothing needs stays as it is. AwsSolutions is excused resource by resource alone.
    """
    by_rule: dict[tuple[str, str], list[Finding]] = {}
    for finding in found:
        pack, _, rule = finding.rule.partition("-")
        if pack != "AwsSolutions":
            by_rule.setdefault((finding.template, rule), []).append(finding)
    spread_out = []
    for excuse in excused:
        needed = [] if excuse.resource else by_rule.get((excuse.template, excuse.rule), [])
        spread_out += [replace(finding, description=excuse.description) for finding in needed] or [
            excuse
        ]
    return spread_out


def findings(templates: list[str]) -> list[Finding]:
    """Every finding in the templates, excused or not."""
    with tempfile.TemporaryDirectory() as scratch:
        found = Path(scratch) / "findings.json"
        done = subprocess.run(
            ["node", HERE / "findings.js", found, *templates],
            capture_output=True,
            text=True,
            check=False,
        )
        if not found.exists():
            raise RuntimeError(done.stderr.strip() or f"node ended with {done.returncode}")
        return [Finding(**finding) for finding in json.loads(found.read_text(encoding="utf-8"))]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    templates = read_command_line("tests.nag.run", __doc__, arguments)
    excused = [excuse for path, body in templates.items() for excuse in excuses(path, body)]
    if not (shutil.which("node") and shutil.which("npm")):
        print("cdk-nag: not checked, because node and npm are not installed")
        return 0
    try:
        npm.install(HERE)
        found = findings(list(templates))
    except subprocess.CalledProcessError as error:
        print(f"cdk-nag: npm ci ended with {error.returncode}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        print(f"cdk-nag: {error}", file=sys.stderr)
        return 1
    return report("cdk-nag", len(templates), found, spread(excused, found))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
