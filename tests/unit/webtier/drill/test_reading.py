"""What the drills read of a template."""

from __future__ import annotations

import copy
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
from webtier.drill import reading
from webtier.drill.tier import LaunchHook, RollingUpdate, TemplateError, Tracking, vcpus

GROUP = {"Ref": "Group"}


def read(body, **parameters: str):
    return reading.read(body, {**reading.stand_ins(body), **parameters})


def test_the_default_template(tier) -> None:
    group = tier.group
    assert (group.resource, group.zones) == ("Group", ("us-east-1a", "us-east-1b"))
    assert (group.min_size, group.max_size, group.desired) == (2, 6, 2)
    assert (group.elb_checks, group.detailed_monitoring, group.metrics_collected) == (True,) * 3
    assert group.vcpus == 2
    assert group.policies == (
        Tracking("ScaleOnRequests", "requests", 1000),
        Tracking("ScaleOnCpu", "cpu", 60),
    )
    assert group.update is not None
    assert (group.update.signals, group.update.pause) == (True, 600)
    assert tier.balancer.zones == group.zones
    assert (tier.balancer.interval, tier.balancer.unhealthy) == (10, 3)
    assert {way.zone: way.through for way in tier.egress} == {
        "us-east-1a": {"us-east-1a"},
        "us-east-1b": {"us-east-1b"},
    }
    assert tier.database is not None
    assert (tier.database.form, tier.database.maximum) == ("standby", 200)
    assert not [alarm for alarm in tier.alarms if alarm.deaf]


def test_parameters_and_conditions_are_resolved(default) -> None:
    assert read(default, MinCapacity="3").group.min_size == 3
    silent = read(default, AlertEmail="")
    reason = (
        "Alerts has no subscription (AlertEmailSubscription has the condition HasAlertEmail, "
        "which does not hold): subscribe somebody"
    )
    assert {alarm.deaf for alarm in silent.alarms} == {reason}


def test_the_launch_hook_that_takes_longest_counts(default) -> None:
    group = read(default).group
    assert group.hook == LaunchHook("Group", 300)
    assert group.signals_in_service
    assert group.healthy_percent == (100, 150)
    beside = {"AutoScalingGroupName": GROUP, "DefaultResult": "CONTINUE"}
    launching = {**beside, "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}
    ending = {**beside, "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"}
    kind = "AWS::AutoScaling::LifecycleHook"
    body = with_resource(default, "Beside", kind, launching)
    assert read(body).group.hook == LaunchHook("Beside", 3600, goes_on=True)
    body = with_property(default, "Group", "LifecycleHookSpecificationList", None)
    assert read(with_resource(body, "Ending", kind, ending)).group.hook is None
    body = with_property(body, "Group", "InstanceMaintenancePolicy", None)
    assert read(body).group.healthy_percent is None


def test_a_nat_gateway_in_another_zone_is_a_way_through_it(default) -> None:
    shared = with_property(
        default, "ApplicationDefaultRouteB", "NatGatewayId", {"Ref": "NatGatewayA"}
    )
    (way,) = (one for one in read(shared).egress if one.zone == "us-east-1b")
    assert way.through == {"us-east-1a"}
    assert (way.resource, way.via) == ("ApplicationDefaultRouteB", "NatGatewayA")


def test_without_a_route_the_interface_endpoints_are_the_way(default) -> None:
    isolated = without(default, "ApplicationDefaultRouteA", "ApplicationDefaultRouteB")
    assert {way.through for way in read(isolated).egress} == {frozenset()}
    for name, subnets in (("One", ["A", "B"]), ("Two", ["B"])):
        isolated = with_resource(
            isolated,
            name,
            "AWS::EC2::VPCEndpoint",
            {
                "VpcEndpointType": "Interface",
                "SubnetIds": [{"Ref": f"ApplicationSubnet{letter}"} for letter in subnets],
            },
        )
    # Every service is needed, and only zone b has them all.
    assert {way.through for way in read(isolated).egress} == {frozenset({"us-east-1b"})}


def test_the_smallest_sizes_of_a_schedule_count(default) -> None:
    night = with_resource(
        default,
        "Night",
        "AWS::AutoScaling::ScheduledAction",
        {"AutoScalingGroupName": GROUP, "MinSize": 1, "MaxSize": 9, "Recurrence": "0 20 * * *"},
    )
    group = read(night).group
    assert (group.min_size, group.max_size) == (1, 6)
    assert (group.source("MinSize"), group.source("MaxSize")) == ("Night", "Group")


def test_a_spot_mix_is_as_strong_as_its_smallest_type(default) -> None:
    group = read(with_spot(default, base=1, percent=25)).group
    assert group.instance_types == ("t4g.small", "c7g.xlarge")
    assert (group.on_demand_base, group.on_demand_percent, group.vcpus) == (1, 25, 2)


def test_databases_of_every_form(default) -> None:
    single = read(with_property(default, "Database", "MultiAZ", None)).database
    assert single is not None
    assert single.form == "single"
    fixed = read(with_property(default, "Database", "MaxAllocatedStorage", 20)).database
    assert fixed is not None
    assert fixed.maximum is None
    copied = with_resource(
        default,
        "Copy",
        "AWS::RDS::DBInstance",
        {"SourceDBInstanceIdentifier": {"Ref": "Database"}, "DBInstanceIdentifier": "copy"},
    )
    replicated = read(copied).database
    assert replicated is not None
    assert replicated.replicas == (("DBInstanceIdentifier", "copy"),)
    cluster = with_resource(
        default,
        "Cluster",
        "AWS::RDS::DBCluster",
        {
            "DBClusterIdentifier": "data",
            "AllocatedStorage": 100,
            "DBSubnetGroupName": {"Ref": "DatabaseSubnets"},
        },
    )
    clustered = read(cluster).database
    assert clustered is not None
    assert (clustered.form, clustered.allocated, clustered.maximum) == ("cluster", 100, None)
    assert ("DBInstanceIdentifier", "data-instance-3") in clustered.dimensions
    none = copy.deepcopy(default)
    none["Resources"]["Database"]["Type"] = "AWS::SSM::Parameter"
    assert read(none).database is None


def test_rolling_updates(default) -> None:
    given = {"MaxBatchSize": 2, "PauseTime": "PT1H2M3S", "WaitOnResourceSignals": "true"}
    assert read(with_value(default, given, "Group", *UPDATE)).group.update == RollingUpdate(
        min_in_service=0, batch=2, pause=3723, signals=True
    )
    assert read(with_value(default, {}, "Group", "UpdatePolicy")).group.update is None
    replacing = {"AutoScalingReplacingUpdate": {"WillReplace": True}}
    assert read(with_value(default, replacing, "Group", "UpdatePolicy")).unread == (
        "Group: AutoScalingReplacingUpdate is not modelled",
    )


def test_who_hears_of_an_alarm(default) -> None:
    def deaf(**properties):
        changed = default
        for name, value in properties.items():
            changed = with_property(changed, "LatencyAlarm", name, value)
        return next(one.deaf for one in read(changed).alarms if one.resource == "LatencyAlarm")

    assert deaf() == ""
    assert deaf(AlarmActions=["arn:aws:sns:us-east-1:111111111111:elsewhere"]) == ""
    assert deaf(AlarmActions=None) == "LatencyAlarm.AlarmActions is empty: name a topic there"
    assert "ActionsEnabled is false" in deaf(ActionsEnabled=False)
    assert deaf(AlarmActions=[{"Ref": "ScaleOnCpu"}]) == "ScaleOnCpu is no topic"


def test_policies_that_are_not_modelled_are_named(default) -> None:
    step = {"AutoScalingGroupName": GROUP, "PolicyType": "StepScaling"}
    assert read(with_resource(default, "Step", "AWS::AutoScaling::ScalingPolicy", step)).unread == (
        "Step: only target tracking on CPU or requests is modelled",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: {}, "has no Resources"),
        (lambda body: without(body, "Group"), "AutoScalingGroup, the template has none"),
        (lambda body: with_property(body, "Group", "TargetGroupARNs", []), "one target group"),
        (
            lambda body: with_property(body, "Group", "VPCZoneIdentifier", ["subnet-1"]),
            "subnet subnet-1 is not in the template",
        ),
        (
            lambda body: with_property(body, "ApplicationSubnetA", "AvailabilityZone", None),
            "ApplicationSubnetA: give its AvailabilityZone",
        ),
        (
            lambda body: with_property(body, "Group", "MinSize", {"Ref": "Nothing"}),
            "Group: 'Nothing' cannot be resolved",
        ),
        (
            lambda body: with_value(body, "soon", "Group", *UPDATE, "PauseTime"),
            "Group: 'soon' is no duration such as PT10M",
        ),
        (
            lambda body: with_property(body, "Group", "MinSize", "two"),
            "Group: its MinSize two is no whole number",
        ),
        (
            lambda body: with_property(body, "Group", "MinSize", 9),
            "Group: its MinSize 9 is above its MaxSize 6",
        ),
    ],
)
def test_what_cannot_be_read_is_named(default, change, message) -> None:
    with pytest.raises(TemplateError, match=message):
        read(change(default))


def test_parameters_that_are_not_there_are_named(default) -> None:
    with pytest.raises(TemplateError, match="parameter Colour: the template has none"):
        read(default, Colour="red")
    open_ended = {**default, "Parameters": {**default["Parameters"], "Needed": {"Type": "Number"}}}
    with pytest.raises(TemplateError, match="parameter Needed has no default"):
        read(open_ended)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("MinCapacity", "two", "'two' is no number"),
        ("MinCapacity", "1", "1: its MinValue is 2"),
        ("RateLimit", "2000000001", "2000000001: its MaxValue is 2000000000"),
        ("InstanceType", "t3.small", "'t3.small' is not an instance type with arm64 processors"),
        ("AlertEmail", "nobody", "'nobody' is not an e-mail address, or nothing"),
        ("Size", "medium", "'medium' is not one of small, large"),
        ("Code", "x", "'x' is not like [0-9]+"),
    ],
)
def test_a_value_that_cloudformation_refuses_is_refused(default, name, value, problem) -> None:
    more = {
        "Size": {"Type": "String", "Default": "small", "AllowedValues": ["small", "large"]},
        "Code": {"Type": "String", "Default": "1", "AllowedPattern": "[0-9]+"},
    }
    body = {**default, "Parameters": {**default["Parameters"], **more}}
    with pytest.raises(TemplateError, match=re.escape(f"parameter {name}: {problem}")):
        read(body, **{name: value})
    assert read(body, AlertEmail="", Size="large", Code="12")


@pytest.mark.parametrize(
    ("name", "count"),
    [("t4g.nano", 2), ("t2.small", 1), ("m7g.medium", 1), ("m7g.large", 2), ("c7i.12xlarge", 48)],
)
def test_vcpus(name, count) -> None:
    assert vcpus(name) == count


def test_a_type_without_a_size_is_refused() -> None:
    with pytest.raises(TemplateError, match=r"m7g\.metal"):
        vcpus("m7g.metal")
