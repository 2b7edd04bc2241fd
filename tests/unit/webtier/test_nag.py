"""What the cdk-nag runner makes of findings; the rules themselves run in `make check`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests import npm
from tests.excuses import Finding, remaining
from tests.nag import run

GOLDEN = Path(__file__).parent / "golden" / "webtier.json"
ROOT = Path(__file__).resolve().parents[3]


def test_without_node_it_says_so_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", run.__name__, GOLDEN],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "cdk-nag: not checked, because node and npm are not installed\n"


def test_a_template_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "missing.json", "missing.json: No such file or directory"),
        (Path(__file__), "not a JSON template"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", run.__name__, path],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert message in done.stderr.splitlines()[-1]


def test_excuses_are_read_from_the_metadata_of_each_resource() -> None:
    excused = run.excuses("webtier.json", json.loads(GOLDEN.read_text()))
    assert ("AccessLogs", "AwsSolutions-S1") in {(one.resource, one.rule) for one in excused}
    assert all(one.description for one in excused)


def test_a_reason_for_the_whole_template_excuses_its_rule_in_every_pack_but_aws_solutions() -> None:
    found = [
        Finding("t.json", "Role", rule, "broken")
        for rule in ("NIST.800.53.R5-IAMNoInlinePolicy", "PCI.DSS.321-IAMNoInlinePolicy")
    ]
    solutions = Finding("t.json", "Role", "AwsSolutions-IAMNoInlinePolicy", "broken")
    elsewhere = Finding("other.json", "Role", "PCI.DSS.321-IAMNoInlinePolicy", "broken")
    excuse = Finding("t.json", "", "IAMNoInlinePolicy", "so")
    every = [*found, solutions, elsewhere]
    assert remaining(every, run.spread([excuse], every)) == [elsewhere, solutions]


def test_a_reason_that_the_template_does_not_need_is_a_finding() -> None:
    excuse = Finding("t.json", "", "IAMNoInlinePolicy", "so")
    assert [one.rule for one in remaining([], run.spread([excuse], []))] == ["IAMNoInlinePolicy"]


def test_every_pack_finds_what_is_wrong(tmp_path: Path) -> None:
    npm.install(Path(run.__file__).parent)
    template = tmp_path / "template.json"
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.9",
            "Role": "r",
            "Handler": "h",
            "Code": {"ZipFile": ""},
        },
    }
    resources = {"Bucket": {"Type": "AWS::S3::Bucket"}, "Function": function}
    template.write_text(json.dumps({"Resources": resources}))
    packs = {finding.rule.partition("-")[0] for finding in run.findings([str(template)])}
    assert packs == {
        *("AwsSolutions", "HIPAA.Security", "NIST.800.53.R4", "NIST.800.53.R5"),
        *("PCI.DSS.321", "Serverless"),
    }
