"""`findings.py REPORT TEMPLATE...` writes every finding of checkov to REPORT.

It is a JSON array of {template, resource, rule, description}. It runs in checkov's own environment,
which has no other package of this project; what is excused is for run.py to say.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from checkov.cloudformation.runner import Runner
from checkov.runner_filter import RunnerFilter


def main(report: str, *templates: str) -> str | None:
    """Write the report. Return what to say where a template could not be checked."""
    found = Runner().run(
        root_folder=None,
        files=list(templates),
        runner_filter=RunnerFilter(framework=["cloudformation"]),
    )
    # checkov passes over what it cannot read.
    checked = {record.file_abs_path for record in [*found.failed_checks, *found.passed_checks]}
    if unread := set(templates) - checked:
        return f"{', '.join(sorted(unread))}: checkov checked nothing in it"
    findings = [
        {
            "template": record.file_abs_path,
            # As "AWS::S3::Bucket.Uploads"
            "resource": record.resource.rpartition(".")[2],
            "rule": record.check_id,
            "description": record.check_name,
        }
        for record in found.failed_checks
    ]
    Path(report).write_text(json.dumps(findings), encoding="utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
