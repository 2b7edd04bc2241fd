from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.webtier.golden import FOLDER
from tests.unit.webtier.strategies import Resources, for_any_options
from webtier import build
from webtier.options import Database, Nat, Options

DOCUMENT = (Path(__file__).parents[3] / "docs" / "webtier.md").read_text(encoding="utf-8")

Alarms = dict[str, dict[str, Any]]


def alarms_of(resources: Resources) -> Alarms:
    return {
        title: resource["Properties"]
        for title, resource in resources.items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


@pytest.fixture
def alarms(resources: Resources) -> Alarms:
    return alarms_of(resources)


def watched(alarms: Alarms) -> set[tuple[str, str]]:
    return {(alarm["Namespace"], alarm["MetricName"]) for alarm in alarms.values()}


@for_any_options
def test_every_tier_is_watched(options: Options, resources: Resources) -> None:
    found = watched(alarms_of(resources))
    assert found >= {
        ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"),
        ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"),
        ("AWS/ApplicationELB", "UnHealthyHostCount"),
        ("AWS/ApplicationELB", "TargetResponseTime"),
        ("AWS/AutoScaling", "GroupInServiceInstances"),
        ("AWS/AutoScaling", "GroupDesiredCapacity"),
        ("AWS/EC2", "CPUUtilization"),
        ("AWS/RDS", "CPUUtilization"),
        ("AWS/RDS", "FreeStorageSpace"),
        ("AWS/RDS", "FreeableMemory"),
        ("AWS/RDS", "DatabaseConnections"),
        ("AWS/RDS", "MaximumUsedTransactionIDs"),
        ("AWS/SNS", "NumberOfNotificationsFailed"),
    }
    assert (("AWS/NATGateway", "ErrorPortAllocation") in found) is (options.nat is not Nat.NONE)
    assert (("AWS/WAFV2", "BlockedRequests") in found) is options.firewall
    lagging = options.database is not Database.INSTANCE
    assert (("AWS/RDS", "ReplicaLag") in found) is lagging


@for_any_options
def test_every_instance_of_the_database_is_watched(options: Options, resources: Resources) -> None:
    per_member = {
        json.dumps(alarm["Dimensions"])
        for alarm in alarms_of(resources).values()
        if alarm["MetricName"] == "FreeStorageSpace"
    }
    wanted = {Database.INSTANCE: 1, Database.REPLICA: 2, Database.CLUSTER: 3}
    assert len(per_member) == wanted[options.database]


@for_any_options
def test_every_alarm_tells_the_topic_of_trouble_and_of_its_end(resources: Resources) -> None:
    for alarm in alarms_of(resources).values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "Alerts"}]
        assert alarm.get("ActionsEnabled", True) is True


@for_any_options
def test_every_alarm_says_what_it_means_and_what_to_do(resources: Resources) -> None:
    for title, alarm in alarms_of(resources).items():
        # A meaning, then at least one more sentence: the thing to do. The limit is CloudWatch's.
        assert alarm["AlarmDescription"].count(". ") >= 1, title
        assert len(alarm["AlarmDescription"]) <= 1024, title


@for_any_options
def test_dimensions_are_those_under_which_aws_reports_the_metric(resources: Resources) -> None:
    """A dimension more or less names another metric, which nothing reports."""
    expected = {
        "HTTPCode_ELB_5XX_Count": {"LoadBalancer"},
        "HTTPCode_Target_5XX_Count": {"LoadBalancer", "TargetGroup"},
        "UnHealthyHostCount": {"LoadBalancer", "TargetGroup"},
        "TargetResponseTime": {"LoadBalancer", "TargetGroup"},
    }
    by_namespace = {
        "AWS/EC2": {"AutoScalingGroupName"},
        "AWS/AutoScaling": {"AutoScalingGroupName"},
        "AWS/NATGateway": {"NatGatewayId"},
        "AWS/RDS": {"DBInstanceIdentifier"},
        "AWS/SNS": {"TopicName"},
        "AWS/WAFV2": {"Region", "Rule", "WebACL"},
    }
    for alarm in alarms_of(resources).values():
        names = {dimension["Name"] for dimension in alarm["Dimensions"]}
        wanted = expected.get(alarm["MetricName"]) or by_namespace[alarm["Namespace"]]
        assert names == wanted, alarm["MetricName"]


def test_the_firewall_reports_under_the_names_the_alarm_reads(resources: Resources) -> None:
    """AWS WAF Developer Guide, "Metrics and dimensions": both are metric names."""
    acl = resources["Firewall"]["Properties"]
    dimensions = {
        dimension["Name"]: dimension["Value"]
        for dimension in resources["RateLimitedAlarm"]["Properties"]["Dimensions"]
    }
    assert dimensions["WebACL"] == acl["VisibilityConfig"]["MetricName"]
    assert dimensions["Rule"] == acl["Rules"][0]["VisibilityConfig"]["MetricName"]
    assert "RateBasedStatement" in acl["Rules"][0]["Statement"]


def test_the_connection_alarm_is_below_the_limit_it_warns_of(resources: Resources) -> None:
    settings = resources["DatabaseSettings"]["Properties"]["Parameters"]
    threshold = resources["DatabaseConnectionsAlarm"]["Properties"]["Threshold"]
    assert threshold == 0.8 * int(settings["max_connections"])


@for_any_options
def test_storage_is_low_before_it_is_full_and_after_it_should_have_grown(
    options: Options, resources: Resources
) -> None:
    gib = 1024**3
    for title, alarm in alarms_of(resources).items():
        if alarm["MetricName"] == "FreeStorageSpace":
            share = alarm["Threshold"] / gib / options.initial_storage_gib
            if options.database is Database.CLUSTER:
                assert 0.14 < share <= 0.15, title
            else:
                assert 0.04 < share < 0.1, title


def test_every_alarm_is_documented() -> None:
    documented = set(
        re.findall(r"^\| `([a-z0-9-]+)` \| [^|]* \| [1-5] \|$", DOCUMENT, re.MULTILINE)
    )
    names = {
        alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for path in FOLDER.iterdir()
        for alarm in alarms_of(json.loads(path.read_text())["Resources"]).values()
    }
    general = {re.sub(r"^database-(replica|instance-?[1-3])-", "database-", name) for name in names}
    assert documented == {re.sub("^nat-ports-[a-c]$", "nat-ports", name) for name in general}


@for_any_options
def test_the_dashboard_shows_every_alarm_and_names_what_is_there(resources: Resources) -> None:
    substituted = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    text, values = substituted if isinstance(substituted, list) else (substituted, {})
    widgets = json.loads(text)["widgets"]
    assert widgets[0]["properties"]["alarms"] == [
        f"${{{title}.Arn}}" for title in alarms_of(resources)
    ]
    for name in re.findall(r"\$\{(\w+)[.}]", text):
        assert name in resources or name in values, name
    places = [(widget["x"], widget["y"]) for widget in widgets]
    assert len(set(places)) == len(places)
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets)


def test_build_has_no_alarm_of_what_is_not_there() -> None:
    lean = build.template(Options(nat=Nat.NONE, firewall=False)).to_dict()["Resources"]
    assert not {"NatPortsAAlarm", "RateLimitedAlarm"} & lean.keys()
