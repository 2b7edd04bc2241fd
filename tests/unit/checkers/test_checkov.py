"""The runner of checkov finds what is wrong, and takes excuses that are needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.checkov import run

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {}}
TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": "alias/own"}}


def excused(resource: dict, check: str) -> dict:
    return {**resource, "Metadata": {"checkov": {"skip": [{"id": check, "comment": "so"}]}}}


def test_findings_and_excuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text(
        json.dumps({"Resources": {"Open": QUEUE, "Meant": excused(QUEUE, "CKV_AWS_27")}})
    )
    second.write_text(json.dumps({"Resources": {"Fine": excused(TOPIC, "CKV_AWS_26")}}))
    assert run.main([str(first), str(second)]) == 1
    *found, summary = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[:3] for line in found] == [
        [str(first), "Open", "CKV_AWS_27"],
        [str(second), "Fine", "CKV_AWS_26"],
    ]
    assert summary == "checkov: 2 findings in 2 files, 2 excused"


def test_a_template_that_checkov_passes_over_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template = tmp_path / "empty.json"
    template.write_text(json.dumps({"Resources": {}}))
    assert run.main([str(template)]) == 1
    assert capsys.readouterr().err == f"checkov: {template}: checkov checked nothing in it\n"
