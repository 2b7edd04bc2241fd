"""Check CloudFormation templates with checkov.

    python -m tests.checkov.run build/webtier.json build/workload.json

A resource is excused from a check by its own metadata, in the form checkov reads itself:

    "Metadata": {"checkov": {"skip": [{"id": "CKV_AWS_18", "comment": "the reason"}]}}

An excuse that no finding needs any more is a finding too. Exit code 0 without findings, 1 with
findings or when checkov could not be run. checkov pins versions that conflict with this project's,
so it has an environment of its own, .venv/checkov, which the first run fills with what
requirements.txt names. Nothing is fetched or sent when it checks.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.excuses import Finding, read_command_line, report

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
ENVIRONMENT = HERE.parents[1] / ".venv" / "checkov"

Templates = dict[str, dict[str, Any]]


def excuses(template: str, body: dict[str, Any]) -> list[Finding]:
    """Each excuse in a template as the finding it is for; its reason is the description."""
    return [
        Finding(template, resource, excuse["id"], excuse.get("comment", ""))
        for resource, declared in body["Resources"].items()
        for excuse in declared.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]


def install() -> None:
    """Fill the environment unless that has been done since requirements.txt last changed."""
    done = ENVIRONMENT / "requirements.txt"
    wanted = f"# {sys.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    print(f"checkov: filling {ENVIRONMENT} from {REQUIREMENTS}", file=sys.stderr)
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, ENVIRONMENT], check=True
    )
    python = ENVIRONMENT / "bin" / "python"
    subprocess.run([uv, "pip", "sync", "--quiet", "--python", python, REQUIREMENTS], check=True)
    done.write_text(wanted, encoding="utf-8")


def findings(templates: Templates) -> list[Finding]:
    """Every finding in the templates, excused or not.

    Raises RuntimeError: checkov did not check them all.
    """
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder).resolve()
        copies = {}
        for number, (template, body) in enumerate(templates.items()):
            copy = scratch / f"{number}.json"
            copy.write_text(json.dumps(_without_excuses(body)), encoding="utf-8")
            copies[str(copy)] = template
        found = scratch / "findings"
        done = subprocess.run(
            [ENVIRONMENT / "bin" / "python", HERE / "findings.py", found, *copies],
            capture_output=True,
            text=True,
            check=False,
        )
        if not found.exists():
            said = done.stderr.strip() or f"ended with {done.returncode}"
            for copy, template in copies.items():
                said = said.replace(copy, template)
            raise RuntimeError(said)
        return [
            Finding(**{**finding, "template": copies[finding["template"]]})
            for finding in json.loads(found.read_text(encoding="utf-8"))
        ]


def _without_excuses(body: dict[str, Any]) -> dict[str, Any]:
    """The template as checkov would see it had it no excuses: it does not check what they skip."""
    resources = {
        name: {key: value for key, value in resource.items() if key != "Metadata"}
        for name, resource in body["Resources"].items()
    }
    return {**body, "Resources": resources}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    templates = read_command_line("tests.checkov.run", __doc__, arguments)
    excused = [excuse for path, body in templates.items() for excuse in excuses(path, body)]
    try:
        install()
        found = findings(templates)
    except (subprocess.CalledProcessError, RuntimeError) as error:
        print(f"checkov: {error}", file=sys.stderr)
        return 1
    return report("checkov", len(templates), found, excused)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
