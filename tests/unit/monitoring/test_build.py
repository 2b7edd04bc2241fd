"""Both templates against their golden copies, the linters, the limits and the command."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitoring import build, inventory, naming, notifications, package
from monitoring.cloudformation import Document
from monitoring.semantics import composite_rules
from sandbox.gaps.deliveries import policy_of
from tests.unit.monitoring import samples

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).with_name("golden")
COMMAND = [sys.executable, "monitoring/build.py"]


# The archive's checksum changes with its code, the golden copy does not.
CODE = "CHECKSUM.zip"


def documents() -> dict[str, dict[str, Any]]:
    return {
        "monitoring": build.monitoring_template(
            "prod", samples.SERVICES, samples.THRESHOLDS
        ).to_dict(),
        "workload": build.workload_template("prod", samples.SERVICES).to_dict(),
    }


def resources(kind: str) -> dict[str, dict[str, Any]]:
    return {
        logical_id: resource
        for document in documents().values()
        for logical_id, resource in document["Resources"].items()
        if resource["Type"] == kind
    }


VALUES = {
    "AWS::AccountId": "222222222222",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "monitoring-prod",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:222222222222:stack/monitoring-prod/id",
    "ActionRoleArn": "arn:aws:iam::222222222222:role/role",
    "ArtifactBucket": "artifacts",
    "EventBusArn": "arn:aws:events:us-east-1:222222222222:event-bus/bus",
    "ExternalId": "id",
    "OrganizationId": "o-0123456789",
    "SinkArn": "arn:aws:oam:us-east-1:222222222222:sink/id",
    "WorkloadAccountId": "111111111111",
}


@pytest.mark.parametrize("name", ["monitoring", "workload"])
def test_a_template_is_its_golden_copy(name: str, tmp_path: Path) -> None:
    actual = tmp_path / f"{name}.json"
    text = json.dumps(documents()[name], indent=1, sort_keys=True)
    actual.write_text(text.replace(package.key(), CODE) + "\n")
    golden = GOLDEN / f"{name}.json"
    assert golden.read_text() == actual.read_text(), f"if it is meant: cp {actual} {golden}"


@pytest.mark.parametrize("organization", ["", "o-0123456789"])
def test_the_sink_is_open_to_the_workload_account_alone(organization: str) -> None:
    body = documents()["monitoring"]
    document = Document(body, {**VALUES, "OrganizationId": organization})
    (statement,) = document.properties("Sink")["Policy"]["Statement"]
    assert statement["Principal"] == {"AWS": "111111111111"}
    expected = {"aws:PrincipalAccount": "111111111111"}
    if organization:
        expected["aws:PrincipalOrgID"] = organization
    assert statement["Condition"] == {
        "ForAllValues:StringEquals": {
            "oam:ResourceTypes": ["AWS::CloudWatch::Metric", "AWS::Logs::LogGroup"]
        },
        "StringEquals": expected,
    }


@pytest.mark.parametrize("organization", ["", "o-0123456789"])
def test_the_workload_role_trusts_one_role_that_knows_the_external_id(organization: str) -> None:
    document = Document(documents()["workload"], {**VALUES, "OrganizationId": organization})
    role = document.properties("ActionRole")
    expected = {"sts:ExternalId": "id", "aws:PrincipalAccount": "222222222222"}
    if organization:
        expected["aws:PrincipalOrgID"] = organization
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"AWS": VALUES["ActionRoleArn"]},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": expected},
        }
    ]
    (policy,) = role["Policies"]
    allowed = {
        statement["Sid"]: [resource.rsplit(":", 1)[1] for resource in statement["Resource"]]
        for statement in policy["PolicyDocument"]["Statement"]
    }
    assert allowed == {
        "CapConcurrency": ["image_api-prod-process"],
        "TakeFailedEvents": ["image-api-prod-failures"],
        "SendThemAgain": ["image_api-prod-process"],
    }


def test_the_bus_takes_forwarded_sources_of_the_workload_account_alone() -> None:
    document = Document(documents()["monitoring"], {**VALUES, "OrganizationId": ""})
    statement = document.properties("BusPolicy")["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::111111111111:root"}
    assert statement["Action"] == "events:PutEvents"
    assert statement["Condition"] == {
        "StringEquals": {"aws:PrincipalAccount": "111111111111"},
        "ForAllValues:StringEquals": {"events:source": ["aws.cloudformation", "aws.health"]},
        "Null": {"events:source": "false"},
    }


def test_a_link_shares_what_the_alarms_read_and_the_functions_logs() -> None:
    from monitoring import alarms

    document = Document(documents()["workload"], VALUES)
    link = document.properties("Link")
    shared = link["LinkConfiguration"]
    read = {
        alarm.namespace
        for service in samples.SERVICES
        for alarm in alarms.of(service, samples.THRESHOLDS)
    }
    listed = set(re.findall(r"'([^']+)'", shared["MetricConfiguration"]["Filter"]))
    assert listed == read
    groups = set(re.findall(r"'([^']+)'", shared["LogGroupConfiguration"]["Filter"]))
    assert groups == {
        f"/aws/lambda/{function.name}"
        for service in samples.SERVICES
        for function in service.functions
    }


def test_every_target_has_retries_and_a_watched_dead_letter_queue() -> None:
    for name, queue in (("monitoring", "DeadLetters"), ("workload", "Undelivered")):
        body = documents()[name]["Resources"]
        rules = {key: one for key, one in body.items() if one["Type"] == "AWS::Events::Rule"}
        assert rules
        for rule in rules.values():
            for target in rule["Properties"]["Targets"]:
                assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}
                assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
        policy = body[f"{queue}Policy"]["Properties"]["PolicyDocument"]["Statement"][0]
        allowed = policy["Condition"]["ArnEquals"]["aws:SourceArn"]
        assert {rule["Fn::GetAtt"][0] for rule in allowed} == set(rules)
    watched = {
        resource["Properties"]["AlarmName"]
        for resource in resources("AWS::CloudWatch::Alarm").values()
    }
    assert "monitoring-prod/monitoring/DeadLetters/not-empty" in watched
    assert "monitoring-prod/monitoring_workload/Undelivered/not-empty" in watched


def test_the_dead_letters_alarm_needs_no_rule() -> None:
    alarm = resources("AWS::CloudWatch::Alarm")["MonitoringDeadLettersNotEmpty"]["Properties"]
    assert alarm["AlarmActions"] == [{"Ref": "CriticalTopic"}]


def test_eventbridge_publishes_without_a_condition() -> None:
    # With one, AWS drops every notification; both documents are named beside the statements.
    topics = resources("AWS::SNS::TopicPolicy")
    key = resources("AWS::KMS::Key")["Key"]["Properties"]["KeyPolicy"]
    policies = [topic["Properties"]["PolicyDocument"] for topic in topics.values()]
    assert len(policies) == 2
    for document in (*policies, key):
        (statement,) = (one for one in document["Statement"] if one.get("Sid") == "Events")
        assert "Condition" not in statement


def test_the_function_runs_the_archive_that_is_named_by_its_checksum() -> None:
    function = resources("AWS::Lambda::Function")["ActionFunction"]["Properties"]
    (key, content), *others = build.artifacts().items()
    assert others == []
    assert function["Code"] == {"S3Bucket": {"Ref": "ArtifactBucket"}, "S3Key": key}
    assert key == f"{hashlib.sha256(content).hexdigest()}.zip"


def test_every_alarm_has_a_severity_an_owner_and_a_runbook_that_is_there() -> None:
    kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
    for kind in kinds:
        for logical_id, resource in resources(kind).items():
            text = resource["Properties"]["AlarmDescription"]["Fn::Sub"]
            assert re.search(r"Owner: [a-z-]+-team\.", text), logical_id
            page = text.rpartition("Runbook: ${RunbookUrl}/")[2]
            assert (ROOT / "docs" / "runbooks" / page).is_file(), page
            if not logical_id.endswith("MaintenanceAlarm"):
                assert re.match(r"Severity: (critical|warning)\.", text), logical_id


def test_a_composite_alarm_has_every_alarm_of_its_severity_and_a_suppressor() -> None:
    document = Document(documents()["monitoring"], {**VALUES, "AnomalyDetection": "true"})
    children: dict[str, list[str]] = {}
    suppressors = set()
    for logical_id, kind, _ in document.resources():
        if kind != "AWS::CloudWatch::CompositeAlarm":
            continue
        properties = document.properties(logical_id)
        children[properties["AlarmName"]] = list(composite_rules.children(properties["AlarmRule"]))
        suppressors.add(properties["ActionsSuppressor"])
    told = [name for names in children.values() for name in names]
    assert len(told) == len(set(told))
    every = {
        document.properties(logical_id)["AlarmName"]
        for logical_id, kind, _ in document.resources()
        if kind == "AWS::CloudWatch::Alarm"
    }
    assert set(told) == every - suppressors
    assert {name.rsplit("/", 1)[1] for name in suppressors} == {"maintenance"}


def test_anomaly_detection_is_an_option() -> None:
    for chosen in ("true", "false"):
        document = Document(documents()["monitoring"], {**VALUES, "AnomalyDetection": chosen})
        made = {logical_id for logical_id, _, _ in document.resources()}
        assert ("ImageApiRestApiUnusualTraffic" in made) is (chosen == "true")
        rule = document.properties("ImageApiWarningAlarm")["AlarmRule"]
        assert ("unusual-traffic" in rule) is (chosen == "true")


def test_the_dashboard_shows_every_alarm() -> None:
    body = Document(documents()["monitoring"], VALUES).properties("Dashboard")["DashboardBody"]
    shown = {
        arn.split(":alarm:", 1)[1]
        for widget in json.loads(body)["widgets"]
        for arn in widget["properties"].get("alarms", ())
    }
    assert shown == {
        resource["Properties"]["AlarmName"]
        for kind in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
        for resource in resources(kind).values()
        if "Condition" not in resource
    }


def test_everything_that_can_be_tagged_is() -> None:
    untaggable = {
        "AWS::CloudWatch::Dashboard",
        "AWS::Events::EventBusPolicy",
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
        # From S3; a request would take 51,200.
        assert len(json.dumps(document, separators=(",", ":"))) <= 1_048_576
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
    service = inventory.Service("api", (inventory.Function("f", "api-prod", 9, False),))
    with pytest.raises(ValueError, match="no service has an asynchronous function"):
        build.workload_template("prod", [service])


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


def test_an_endpoint_is_tried_again_for_as_long_as_sns_allows() -> None:
    delays = policy_of(notifications.DELIVERY_POLICY).delays()
    assert len(delays) == 17
    # "The total policy retry time for an HTTP/S endpoint cannot be greater than 3,600 seconds."
    assert 2700 < sum(delays) <= 3600
    body = documents()["monitoring"]
    for logical_id in ("AlertHttpsEndpointSubscription", "WarningHttpsEndpointSubscription"):
        properties = body["Resources"][logical_id]["Properties"]
        assert properties["DeliveryPolicy"] == notifications.DELIVERY_POLICY
        assert "deadLetterTargetArn" in properties["RedrivePolicy"]
