"""Each promise, and the templates that break it."""

from __future__ import annotations

import json
import re

import pytest

from tests.unit.webtier.drill.changes import (
    UPDATE,
    with_property,
    with_resource,
    with_spot,
    with_value,
    without,
)
from webtier import build
from webtier.drill import outcome, promises, reading
from webtier.drill.assumptions import Assumptions
from webtier.drill.promises import PromiseError
from webtier.options import Database, Options

REQUESTS, CPU = "ScaleOnRequests", "ScaleOnCpu"


def tracking(target: float):
    return {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
        "TargetValue": target,
    }


def only_cpu(body, target: float):
    changed = without(body, REQUESTS)
    return with_property(changed, CPU, "TargetTrackingConfiguration", tracking(target))


def attribute(body, key: str, value: str):
    return with_property(
        body, "TargetGroup", "TargetGroupAttributes", [{"Key": key, "Value": value}]
    )


def small_subnet_group(body):
    return with_property(body, "DatabaseSubnets", "SubnetIds", [{"Ref": "DataSubnetA"}])


def closed_to_rds(body, resource: str, document: str):
    statements = body["Resources"][resource]["Properties"][document]["Statement"]
    others = [one for one in statements if one["Sid"] != "DatabaseEvents"]
    assert len(others) == len(statements) - 1
    return with_value(body, others, resource, "Properties", document, "Statement")


BROKEN = {
    "an alarm that cries wolf": (
        lambda body: with_property(body, "LatencyAlarm", "Threshold", 0.01),
        {"calm", "deployed-calm"},
        "LatencyAlarm goes off with the usual load: its Threshold is 0.01",
    ),
    "one NAT gateway for both zones": (
        lambda body: with_property(
            body, "ApplicationDefaultRouteB", "NatGatewayId", {"Ref": "NatGatewayA"}
        ),
        {"zone-egress", "zone-capacity"},
        "ApplicationDefaultRouteB leads us-east-1b through NatGatewayA in us-east-1a",
    ),
    "no alarm on hosts": (
        lambda body: without(body, "UnhealthyHostsAlarm"),
        {"zone-told"},
        "no alarm on AWS/ApplicationELB UnHealthyHostCount",
    ),
    "health checks that take their time": (
        lambda body: with_property(body, "TargetGroup", "UnhealthyThresholdCount", 8),
        {"instance-errors"},
        "TargetGroup.UnhealthyThresholdCount is 8: set it to 3",
    ),
    "health checks that sleep": (
        lambda body: with_property(
            with_property(body, "TargetGroup", "UnhealthyThresholdCount", 10),
            "TargetGroup",
            "HealthCheckIntervalSeconds",
            20,
        ),
        {"instance-errors", "instance-capacity", "zone-errors"},
        "TargetGroup.UnhealthyThresholdCount is 10: set it to 3",
    ),
    "EC2 health checks": (
        lambda body: with_property(body, "Group", "HealthCheckType", "EC2"),
        {"instance-capacity"},
        "Group.HealthCheckType is EC2",
    ),
    "no room to grow": (
        lambda body: with_property(body, "Group", "MaxSize", 4),
        {"spike-capacity"},
        "Group.MaxSize is 4: set it to 6",
    ),
    "no room to grow at night": (
        lambda body: with_resource(
            body,
            "Night",
            "AWS::AutoScaling::ScheduledAction",
            {"AutoScalingGroupName": {"Ref": "Group"}, "MaxSize": 3},
        ),
        {"spike-capacity"},
        "Night.MaxSize is 3: set it to 6",
    ),
    "scaling that comes too late": (
        lambda body: only_cpu(with_property(body, "Group", "MaxSize", 12), 40),
        {"spike-capacity", "spike-errors", "spike-latency"},
        "ScaleOnCpu TargetValue is 40: set it to 30",
    ),
    "scaling that is just too late": (
        lambda body: only_cpu(with_property(body, "Group", "MaxSize", 12), 36.7),
        {"spike-latency"},
        "ScaleOnCpu TargetValue is 36.7: set it to 30",
    ),
    "no scaling": (
        lambda body: without(body, REQUESTS, CPU),
        {"spike-capacity", "spike-errors", "spike-latency"},
        "Group has no target tracking policy",
    ),
    "no launch hook": (
        lambda body: with_property(body, "Group", "LifecycleHookSpecificationList", None),
        {"deployed-calm"},
        "Group has no lifecycle hook on launching",
    ),
    "a launch hook with too little time": (
        lambda body: with_property(
            body,
            "Group",
            "LifecycleHookSpecificationList",
            [
                {
                    "LifecycleHookName": "short",
                    "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                    "HeartbeatTimeout": 60,
                }
            ],
        ),
        {"deployed", "instance-capacity", "spike-capacity", "zone-capacity"},
        "Group HeartbeatTimeout is 60: set it to 180",
    ),
    "an instance that signals before the load balancer has it": (
        lambda body: with_value(
            body,
            {"Fn::Base64": "#!/bin/bash\ncfn-signal\n"},
            "ApplicationTemplate",
            "Properties",
            "LaunchTemplateData",
            "UserData",
        ),
        {"deployed-capacity"},
        "ApplicationTemplate.UserData signals before the load balancer has the instance",
    ),
    "no alarm on capacity": (
        lambda body: without(body, "CapacityAlarm"),
        {"start-told"},
        "no alarm on AWS/AutoScaling GroupInServiceInstances of this Group",
    ),
    "no deregistration delay": (
        lambda body: attribute(body, "deregistration_delay.timeout_seconds", "0"),
        {"deployed-errors"},
        "TargetGroup deregistration_delay.timeout_seconds is 0: set it to 30",
    ),
    "no update policy": (
        lambda body: with_value(body, {}, "Group", "UpdatePolicy"),
        {"deployed", "broken-rolled-back"},
        "Group UpdatePolicy is missing",
    ),
    "an update that cannot begin": (
        lambda body: with_value(body, 6, "Group", *UPDATE, "MinInstancesInService"),
        {"deployed"},
        "Group.MaxSize is 6, which leaves no room above MinInstancesInService: set it to 7",
    ),
    "one instance fewer during an update": (
        lambda body: with_value(body, 1, "Group", *UPDATE, "MinInstancesInService"),
        {"broken-capacity", "deployed-capacity"},
        "Group UpdatePolicy.MinInstancesInService is 1: set it to 2",
    ),
    "an update that does not wait for signals": (
        lambda body: with_value(
            body, {"MinInstancesInService": 2, "MaxBatchSize": 1}, "Group", *UPDATE
        ),
        {
            "deployed-errors",
            "deployed-capacity",
            "broken-capacity",
            "broken-errors",
            "broken-rolled-back",
        },
        "Group UpdatePolicy.WaitOnResourceSignals is off",
    ),
    "an alarm that hears a flood only": (
        lambda body: with_property(body, "ApplicationErrorsAlarm", "Threshold", 600),
        {"faulty-told"},
        "ApplicationErrorsAlarm.Threshold is 600: set it to 10",
    ),
    "an alarm that takes a quarter of an hour": (
        lambda body: with_property(
            with_property(body, "ApplicationErrorsAlarm", "EvaluationPeriods", 15),
            "ApplicationErrorsAlarm",
            "DatapointsToAlarm",
            15,
        ),
        {"faulty-told", "database-told"},
        "ApplicationErrorsAlarm.DatapointsToAlarm is 15: set it to 3",
    ),
    "nobody to tell": (
        lambda body: without(body, "AlertEmailSubscription"),
        {
            "zone-told",
            "start-told",
            "faulty-told",
            "failover-told",
            "database-told",
            "disk-announced",
        },
        "Alerts has no subscription: subscribe somebody",
    ),
    "no events of the database": (
        lambda body: without(body, "DatabaseEvents"),
        {"failover-told"},
        "tells of failovers of Database: add one of SourceType db-instance",
    ),
    "events of another database": (
        lambda body: with_property(body, "DatabaseEvents", "SourceIds", ["another"]),
        {"failover-told"},
        "no AWS::RDS::EventSubscription tells of failovers of Database",
    ),
    "events of clusters": (
        lambda body: with_property(body, "DatabaseEvents", "SourceType", "db-cluster"),
        {"failover-told"},
        "no AWS::RDS::EventSubscription tells of failovers of Database",
    ),
    "events of maintenance only": (
        lambda body: with_property(body, "DatabaseEvents", "EventCategories", ["maintenance"]),
        {"failover-told"},
        "DatabaseEvents.EventCategories lacks failover: add it",
    ),
    "events that are switched off": (
        lambda body: with_property(body, "DatabaseEvents", "Enabled", False),
        {"failover-told"},
        "DatabaseEvents.Enabled is false: set it to true",
    ),
    "a topic that is closed to RDS": (
        lambda body: closed_to_rds(body, "AlertsPolicy", "PolicyDocument"),
        {"failover-told"},
        "AlertsPolicy does not let events.rds.amazonaws.com in: allow it sns:Publish",
    ),
    "a key that is closed to RDS": (
        lambda body: closed_to_rds(body, "Key", "KeyPolicy"),
        {"failover-told"},
        "Key.KeyPolicy does not let events.rds.amazonaws.com in: allow it kms:Decrypt",
    ),
    "a topic with AWS's own key": (
        lambda body: with_property(body, "Alerts", "KmsMasterKeyId", "alias/aws/sns"),
        {"failover-told"},
        "Alerts.KmsMasterKeyId is AWS's own key, which lets no service in: make one",
    ),
    "no standby": (
        lambda body: with_property(body, "Database", "MultiAZ", False),
        {"zone-errors", "failover-errors"},
        "Database.MultiAZ is not true",
    ),
    "a standby with nowhere to be": (
        small_subnet_group,
        {"zone-errors", "failover-errors"},
        "Database.DBSubnetGroupName has subnets in one zone",
    ),
    "a health check that asks the database": (
        lambda body: with_property(body, "TargetGroup", "HealthCheckPath", "/ready"),
        {"zone-errors", "database-instances"},
        "TargetGroup.HealthCheckPath is /ready",
    ),
    "no alarm on the disk": (
        lambda body: without(body, "DatabaseStorageAlarm"),
        {"disk-announced"},
        "no alarm on AWS/RDS FreeStorageSpace of this Database",
    ),
    "an alarm that comes with the full disk": (
        lambda body: with_property(body, "DatabaseStorageAlarm", "Threshold", 2**20),
        {"disk-announced"},
        "DatabaseStorageAlarm.Threshold is 1048576: set it to",
    ),
    "a disk that does not grow": (
        lambda body: with_property(body, "Database", "MaxAllocatedStorage", None),
        {"disk-grows"},
        "Database.MaxAllocatedStorage is missing: set it to 200",
    ),
    "nothing but Spot": (
        lambda body: with_spot(body, base=0, percent=0),
        {"spot-errors"},
        "Group OnDemandBaseCapacity is 0: set it to MinSize, 2",
    ),
    "nothing but Spot, and no way out": (
        lambda body: without(
            with_spot(body, base=0, percent=0),
            "ApplicationDefaultRouteA",
            "ApplicationDefaultRouteB",
        ),
        {
            "zone-capacity",
            "zone-egress",
            "instance-capacity",
            "spot-errors",
            "spot-capacity",
            "spike-capacity",
            "deployed",
        },
        "ApplicationSubnetA has no way out: give it a route to a NAT gateway",
    ),
}


def drilled(body, assumptions: Assumptions | None = None):
    tier = reading.read(body, reading.stand_ins(body))
    found = outcome.outcomes(tier, assumptions or Assumptions(), promises.load())
    return {kept.promise.name: kept for one in found for kept in one.promises}


def test_the_default_template_keeps_every_promise(default) -> None:
    broken = [kept for kept in drilled(default).values() if not kept.holds]
    assert not broken


@pytest.mark.parametrize("name", BROKEN)
def test_a_change_breaks_just_what_it_must_and_is_named(default, name) -> None:
    change, expected, reason = BROKEN[name]
    found = drilled(change(default))
    broken = {promise for promise, kept in found.items() if not kept.holds}
    assert broken == expected
    for promise in broken:
        assert "\n" not in found[promise].reason
    assert any(reason in found[promise].reason for promise in broken)


@pytest.mark.parametrize("kind", Database)
def test_a_failover_of_every_kind_of_database_is_told(kind) -> None:
    body = build.template(Options(database=kind)).to_dict()
    kept = drilled(json.loads(json.dumps(body)))["failover-told"]
    assert kept.holds
    assert kept.measured == 1


def test_an_alarm_may_tell_of_a_failover_instead(default) -> None:
    """One that takes a single minute of errors, and the minute until it is evaluated."""
    body = without(default, "DatabaseEvents")
    for name in ("EvaluationPeriods", "DatapointsToAlarm"):
        body = with_property(body, "ApplicationErrorsAlarm", name, 1)
    assert drilled(body)["failover-told"].measured == 2


def test_events_that_take_their_time_are_told_too_late(default) -> None:
    late = Assumptions().changed(["event_delay_seconds=400"])
    assert not drilled(default, late)["failover-told"].holds


def test_there_is_a_template_that_breaks_each_promise() -> None:
    broken = {promise for _, expected, _ in BROKEN.values() for promise in expected}
    assert broken == {promise.name for promise in promises.load()}


def test_a_slower_application_breaks_what_a_short_grace_period_keeps(default) -> None:
    slow = Assumptions().changed(["boot_seconds=200", "replacement_seconds=20"])
    registered_while_it_boots = with_property(
        default, "Group", "LifecycleHookSpecificationList", None
    )
    found = drilled(registered_while_it_boots, slow)["instance-capacity"]
    assert not found.holds
    assert "Group.HealthCheckGracePeriod is 60: an instance needs" in found.reason
    # With the hook it answers before it is in service: the grace period is long enough.
    assert drilled(default, slow)["instance-capacity"].holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "promises.toml: "),
        ("calm = 1", "calm: give drill, measure, says, and at_most or at_least"),
        ("[x]\ndrill='lose-zone'\nmeasure='alarms'\nsays=''", "x: give either at_most or"),
        ("[x]\ndrill='?'\nmeasure='alarms'\nsays=''\nat_most=0", "x: drill '?' is none of"),
        ("[x]\ndrill='lose-zone'\nmeasure='?'\nsays=''\nat_most=0", "x: measure '?' is none of"),
        (
            "[x]\ndrill='lose-zone'\nmeasure='alarms'\nsays=''\nat_most='0'",
            "x: the limit '0' is no number",
        ),
    ],
)
def test_wrong_promises_are_refused(tmp_path, text, message) -> None:
    path = tmp_path / "promises.toml"
    path.write_text(text)
    with pytest.raises(PromiseError, match=re.escape(message)):
        promises.load(path)
