"""Both templates against their golden copies, the linters, the limits and the command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitoring import action, build, inventory, naming
from tests.unit.monitoring import samples

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).with_name("golden")
COMMAND = [sys.executable, "monitoring/build.py"]

# As AWS fills the pseudo parameters in; parliament wants documents without functions in them.
REFERENCES = {
    "AWS::AccountId": "222222222222",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "monitoring-prod",
    "ExternalId": "id",
    "Topic": "arn:aws:sns:us-east-1:222222222222:topic",
    "WorkloadAccountId": "111111111111",
    "ActionRoleArn": "arn:aws:iam::222222222222:role/role",
}
ATTRIBUTES = {
    "Key.Arn": "arn:aws:kms:us-east-1:222222222222:key/id",
    "DeadLetters.Arn": "arn:aws:sqs:us-east-1:222222222222:dead-letters",
    "Notifications.Arn": "arn:aws:sqs:us-east-1:222222222222:notifications",
    "ActionRule.Arn": "arn:aws:events:us-east-1:222222222222:rule/action",
    "AlarmRaisedRule.Arn": "arn:aws:events:us-east-1:222222222222:rule/raised",
    "AlarmClearedRule.Arn": "arn:aws:events:us-east-1:222222222222:rule/cleared",
}


def documents() -> dict[str, dict[str, Any]]:
    return {
        "monitoring": build.monitoring_template("prod", samples.SERVICES).to_dict(),
        "workload": build.workload_template("prod", samples.SERVICES).to_dict(),
    }


def resources(kind: str) -> dict[str, dict[str, Any]]:
    return {
        logical_id: resource
        for document in documents().values()
        for logical_id, resource in document["Resources"].items()
        if resource["Type"] == kind
    }


def resolve(value: Any) -> Any:
    match value:
        case {"Ref": name}:
            return REFERENCES[name]
        case {"Fn::GetAtt": [name, attribute]}:
            return ATTRIBUTES[f"{name}.{attribute}"]
        case {"Fn::Sub": str(text)}:
            for name, replacement in REFERENCES.items():
                text = text.replace(f"${{{name}}}", replacement)
            assert "${" not in text
            return text
        case dict():
            return {key: resolve(item) for key, item in value.items()}
        case list():
            return [resolve(item) for item in value]
        case _:
            return value


def policy_documents() -> list[tuple[str, dict[str, Any]]]:
    """Every policy document in both templates, and where it stands."""
    found: list[tuple[str, dict[str, Any]]] = []

    def look(where: str, value: Any) -> None:
        if isinstance(value, dict):
            if "Statement" in value:
                found.append((where, resolve(value)))
                return
            for key, item in value.items():
                look(f"{where}/{key}", item)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                look(f"{where}/{index}", item)

    for name, document in documents().items():
        look(name, document["Resources"])
    return found


@pytest.mark.parametrize("name", ["monitoring", "workload"])
def test_a_template_is_its_golden_copy(name: str, tmp_path: Path) -> None:
    actual = tmp_path / f"{name}.json"
    actual.write_text(json.dumps(documents()[name], indent=1, sort_keys=True) + "\n")
    golden = GOLDEN / f"{name}.json"
    assert golden.read_text() == actual.read_text(), f"if it is meant: cp {actual} {golden}"


# parliament takes every document for an identity's. In a resource's own policy "*" is that one,
# and a trust policy has none.
RESOURCE_POLICIES = {
    "monitoring/Sink/Properties/Policy": {"RESOURCE_STAR"},
    # The statement on logs is AWS's own; parliament knows neither its condition nor the type of it.
    "monitoring/Key/Properties/KeyPolicy": {
        "RESOURCE_STAR",
        "UNKNOWN_CONDITION_FOR_ACTION",
        "MISMATCHED_TYPE",
    },
    "monitoring/ActionRole/Properties/AssumeRolePolicyDocument": {"MALFORMED"},
    "workload/ActionRole/Properties/AssumeRolePolicyDocument": {"MALFORMED"},
}


def test_policies_pass_parliament(parliament) -> None:
    findings = {where: set(parliament(document)) for where, document in policy_documents()}
    assert {where: found for where, found in findings.items() if found} == RESOURCE_POLICIES
    assert len(findings) - len(RESOURCE_POLICIES) == 5


def test_the_sink_is_open_to_the_workload_account_alone() -> None:
    policy = resources("AWS::Oam::Sink")["Sink"]["Properties"]["Policy"]
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"AWS": {"Ref": "WorkloadAccountId"}}
    assert statement["Condition"] == {
        "ForAllValues:StringEquals": {"oam:ResourceTypes": ["AWS::CloudWatch::Metric"]}
    }


def test_the_workload_role_trusts_one_role_that_knows_the_external_id() -> None:
    document = build.workload_template("prod", samples.SERVICES).to_dict()
    role = document["Resources"]["ActionRole"]["Properties"]
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"AWS": {"Ref": "ActionRoleArn"}},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}},
        }
    ]
    (policy,) = role["Policies"]
    assert policy["PolicyDocument"]["Statement"][1]["Condition"] == {
        "ForAllValues:StringEquals": {"aws:TagKeys": [action.TAG]},
        "Null": {"aws:TagKeys": "false"},
    }
    for statement in policy["PolicyDocument"]["Statement"]:
        assert [resource["Fn::Sub"].rsplit(":", 1)[1] for resource in statement["Resource"]] == [
            "image_api-prod-process"
        ]


def test_every_target_has_retries_and_a_dead_letter_queue() -> None:
    targets = [
        target
        for rule in resources("AWS::Events::Rule").values()
        for target in rule["Properties"]["Targets"]
    ]
    assert len(targets) == 3
    for target in targets:
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
        assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    allowed = resources("AWS::SQS::QueuePolicy")["DeadLettersPolicy"]["Properties"]
    rules = allowed["PolicyDocument"]["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert {rule["Fn::GetAtt"][0] for rule in rules} == set(resources("AWS::Events::Rule"))


def test_eventbridge_publishes_without_a_condition() -> None:
    # With one, AWS drops every notification; both documents are named beside the statements.
    topic = resources("AWS::SNS::TopicPolicy")["TopicPolicy"]["Properties"]["PolicyDocument"]
    key = resources("AWS::KMS::Key")["Key"]["Properties"]["KeyPolicy"]
    for document in (topic, key):
        (statement,) = (one for one in document["Statement"] if one.get("Sid") == "Events")
        assert "Condition" not in statement


def test_everything_that_can_be_tagged_is() -> None:
    untaggable = {
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Permission",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    }
    for document in documents().values():
        for logical_id, resource in document["Resources"].items():
            if resource["Type"] in untaggable:
                continue
            tags = resource["Properties"]["Tags"]
            if isinstance(tags, list):
                tags = {tag["Key"]: tag["Value"] for tag in tags}
            assert tags.items() >= naming.TAGS.items(), logical_id


def test_templates_stay_within_cloudformations_limits() -> None:
    for document in documents().values():
        assert len(json.dumps(document, separators=(",", ":"))) <= 51_200
        assert len(document["Resources"]) <= 500


def test_the_workload_stack_asks_for_what_the_monitoring_stack_gives() -> None:
    documents_ = documents()
    mapping = build.WORKLOAD_PARAMETERS_FROM_MONITORING
    required = {
        name
        for name, parameter in documents_["workload"]["Parameters"].items()
        if "Default" not in parameter
    }
    assert set(mapping) == required
    assert set(mapping.values()) <= set(documents_["monitoring"]["Outputs"])


def test_the_settings_name_parameters_of_the_templates() -> None:
    import tomllib

    settings = tomllib.loads((ROOT / "monitoring" / "stages.toml").read_text())
    assert set(settings) == {"local", "dev", "prod"}
    for stage in settings.values():
        for name, parameters in stage["parameters"].items():
            assert set(parameters) <= set(documents()[name]["Parameters"])
    assert settings["prod"]["parameters"]["monitoring"]["DryRun"] is True


def test_every_alarm_has_its_place_in_the_runbook() -> None:
    text = (ROOT / "docs" / "monitoring.md").read_text()
    runbook = re.findall(r"^### (.+)$", text.partition("## Runbook")[2], re.MULTILINE)
    told = set()
    for resource in resources("AWS::CloudWatch::Alarm").values():
        description = resource["Properties"]["AlarmDescription"]["Fn::Sub"]
        _, _, anchor = description.partition("Runbook: docs/monitoring.md#")
        told.add(anchor)
    assert sorted(told) == sorted(runbook)
    assert {f"[{heading}](#{heading})" for heading in runbook} <= set(
        re.findall(r"^\| (\S+) \|", text, re.MULTILINE)
    )


def test_the_documented_parameters_are_the_templates() -> None:
    text = (ROOT / "docs" / "monitoring.md").read_text().partition("## Settings")[2]
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \|", text, re.MULTILINE)
    parameters = documents()["monitoring"]["Parameters"]
    shown = {"": "none", None: "–"}
    assert dict(rows) == {
        name: shown.get(default := parameter.get("Default"), f"`{default}`")
        for name, parameter in parameters.items()
    }


def test_a_stage_that_cannot_be_a_name_is_refused() -> None:
    for stage in ("", "Prod", "1st", "a/b", "x" * 40):
        with pytest.raises(ValueError, match="lower-case letter"):
            build.monitoring_template(stage, samples.SERVICES)


def test_services_with_nothing_to_cap_are_refused() -> None:
    service = inventory.Service("api", (inventory.Function("f", "api-prod", 9, False),), None)
    with pytest.raises(ValueError, match="no service has an asynchronous function"):
        build.monitoring_template("prod", [service])


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Without PYTHONPATH, as a reader of the README would run it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_writes_both_templates_and_prints_their_paths(tmp_path: Path) -> None:
    written = run("--stage", "local", "--output", str(tmp_path / "new" / "folder"))
    paths = [tmp_path / "new" / "folder" / f"{name}.json" for name in ("monitoring", "workload")]
    assert (written.returncode, written.stderr) == (0, "")
    assert written.stdout.splitlines() == [str(path) for path in paths]
    for path, template in zip(paths, build.templates("local").values(), strict=True):
        assert json.loads(path.read_text()) == template.to_dict()


def test_the_command_explains_itself() -> None:
    helped = run("--help")
    assert helped.returncode == 0
    assert "--stage" in helped.stdout
    assert "--output DIR" in helped.stdout


def test_the_command_names_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    failed = run("--stage", "nowhere", "--output", str(tmp_path / "out"))
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert len(failed.stderr.splitlines()) == 1
    assert "no stage 'nowhere'" in failed.stderr
    assert not (tmp_path / "out").exists()
