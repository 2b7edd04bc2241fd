from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

DOCUMENT = Path(__file__).parents[3] / "docs" / "webtier.md"


@pytest.fixture
def alarms(resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {
        title: resource["Properties"]
        for title, resource in resources.items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert found
    return found


def test_every_tier_is_watched(alarms: dict[str, dict[str, Any]]) -> None:
    watched = {(alarm["Namespace"], alarm["MetricName"]) for alarm in alarms.values()}
    assert watched >= {
        ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"),
        ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"),
        ("AWS/ApplicationELB", "UnHealthyHostCount"),
        ("AWS/ApplicationELB", "TargetResponseTime"),
        ("AWS/EC2", "CPUUtilization"),
        ("AWS/RDS", "CPUUtilization"),
        ("AWS/RDS", "FreeStorageSpace"),
        ("AWS/RDS", "DatabaseConnections"),
    }


def test_every_alarm_tells_the_topic_of_trouble_and_of_its_end(
    alarms: dict[str, dict[str, Any]],
) -> None:
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "Alerts"}]
        assert alarm.get("ActionsEnabled", True) is True


def test_every_alarm_says_what_it_means_and_what_to_do(alarms: dict[str, dict[str, Any]]) -> None:
    for title, alarm in alarms.items():
        # A meaning, then at least one more sentence: the thing to do. The limit is CloudWatch's.
        assert alarm["AlarmDescription"].count(". ") >= 1, title
        assert len(alarm["AlarmDescription"]) <= 1024, title


def test_dimensions_are_those_under_which_aws_reports_the_metric(
    alarms: dict[str, dict[str, Any]],
) -> None:
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
        "AWS/RDS": {"DBInstanceIdentifier"},
    }
    for alarm in alarms.values():
        names = {dimension["Name"] for dimension in alarm["Dimensions"]}
        wanted = expected.get(alarm["MetricName"]) or by_namespace[alarm["Namespace"]]
        assert names == wanted, alarm["MetricName"]


def test_the_connection_alarm_is_below_the_limit_it_warns_of(resources: dict[str, Any]) -> None:
    settings = resources["DatabaseSettings"]["Properties"]["Parameters"]
    threshold = resources["DatabaseConnectionsAlarm"]["Properties"]["Threshold"]
    assert threshold == 0.8 * int(settings["max_connections"])


def test_every_alarm_is_documented(alarms: dict[str, dict[str, Any]]) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    for alarm in alarms.values():
        name = alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        assert f"`{name}`" in document
