"""The stack in the embedded AWS: what CloudFormation made of the template."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from webtier import build

if TYPE_CHECKING:
    from tests.conftest import DeployStack, EmbeddedAws

STAGES = tomllib.loads(Path(build.__file__).with_name("stages.toml").read_text(encoding="utf-8"))
ARTIFACT = {
    "ArtifactBucket": "artifacts",
    "ArtifactKey": "application.tar.gz",
    "ArtifactSha256": "0" * 64,
}
LOCAL = STAGES["local"]["parameters"] | ARTIFACT
TEMPLATE = build.template(build.Options())
RESOURCES = TEMPLATE.to_dict()["Resources"]


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its name, its outputs and the physical id of each logical one."""

    name: str
    outputs: dict[str, str]
    ids: dict[str, str]


def physical_ids(aws: EmbeddedAws, stack: str) -> dict[str, str]:
    pages = aws.client("cloudformation").get_paginator("list_stack_resources")
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages.paginate(StackName=stack)
        for resource in page["StackResourceSummaries"]
    }


@pytest.fixture
def stack(aws: EmbeddedAws, deploy_stack: DeployStack, unique: str) -> Stack:
    """The stack as the stage `local` deploys it."""
    name = f"webtier-{unique}"
    outputs = deploy_stack(name, TEMPLATE, LOCAL)
    return Stack(name, outputs, physical_ids(aws, name))


def test_everything_but_the_conditional_is_made(stack: Stack) -> None:
    assert set(RESOURCES) - set(stack.ids) == {"RedirectListener", "AlertEmailSubscription"}


def test_the_group_spans_two_private_zones(aws: EmbeddedAws, stack: Stack) -> None:
    (group,) = aws.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[stack.outputs["GroupName"]]
    )["AutoScalingGroups"]
    assert group["HealthCheckType"] == "ELB"
    assert (group["MinSize"], group["MaxSize"]) == (2, 6)
    subnets = aws.client("ec2").describe_subnets(SubnetIds=group["VPCZoneIdentifier"].split(","))
    assert {subnet["SubnetId"] for subnet in subnets["Subnets"]} == {
        stack.ids["ApplicationSubnetA"],
        stack.ids["ApplicationSubnetB"],
    }
    assert len({subnet["AvailabilityZone"] for subnet in subnets["Subnets"]}) == 2
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets["Subnets"])


def test_the_group_follows_requests_and_cpu(aws: EmbeddedAws, stack: Stack) -> None:
    policies = aws.client("autoscaling").describe_policies(
        AutoScalingGroupName=stack.outputs["GroupName"]
    )["ScalingPolicies"]
    metrics = {
        policy["TargetTrackingConfiguration"]["PredefinedMetricSpecification"][
            "PredefinedMetricType"
        ]
        for policy in policies
    }
    assert metrics == {"ALBRequestCountPerTarget", "ASGAverageCPUUtilization"}


def test_the_database_is_multi_az_in_the_data_subnets(aws: EmbeddedAws, stack: Stack) -> None:
    (database,) = aws.client("rds").describe_db_instances(
        DBInstanceIdentifier=stack.ids["Database"]
    )["DBInstances"]
    assert database["MultiAZ"] is True
    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["DeletionProtection"] is False  # as the stage says
    placed = {subnet["SubnetIdentifier"] for subnet in database["DBSubnetGroup"]["Subnets"]}
    assert placed == {stack.ids["DataSubnetA"], stack.ids["DataSubnetB"]}


def test_rds_keeps_the_password_as_a_secret(aws: EmbeddedAws, stack: Stack) -> None:
    secret = aws.client("secretsmanager").get_secret_value(
        SecretId=stack.outputs["DatabaseSecretArn"]
    )
    signed_in = json.loads(secret["SecretString"])
    assert signed_in["username"] == "administrator"
    assert len(signed_in["password"]) >= 16


def test_each_zone_has_its_nat_gateway(aws: EmbeddedAws, stack: Stack) -> None:
    gateways = aws.client("ec2").describe_nat_gateways(
        Filters=[{"Name": "vpc-id", "Values": [stack.ids["Vpc"]]}]
    )["NatGateways"]
    assert {gateway["SubnetId"] for gateway in gateways} == {
        stack.ids["PublicSubnetA"],
        stack.ids["PublicSubnetB"],
    }


def test_the_alarms_notify_the_topic(aws: EmbeddedAws, stack: Stack) -> None:
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{stack.name}-")
    made = [one for one in RESOURCES.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(alarms["MetricAlarms"]) == len(made)
    topic = stack.outputs["AlertsTopicArn"]
    for alarm in alarms["MetricAlarms"]:
        assert alarm["AlarmActions"] == alarm["OKActions"] == [topic], alarm["AlarmName"]


def test_the_alarms_watch_the_stack_itself(aws: EmbeddedAws, stack: Stack) -> None:
    """A dimension with another value would name a metric that nothing reports."""
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{stack.name}-")
    # MiniStack leaves the prefix `targetgroup/` out of TargetGroupFullName.
    watched = {
        (dimension["Name"], dimension["Value"].removeprefix("targetgroup/"))
        for alarm in alarms["MetricAlarms"]
        for dimension in alarm["Dimensions"]
    }
    assert watched == {
        ("AutoScalingGroupName", stack.outputs["GroupName"]),
        ("DBInstanceIdentifier", stack.ids["Database"]),
        ("LoadBalancer", stack.ids["LoadBalancer"].split(":loadbalancer/")[1]),
        ("TargetGroup", stack.ids["TargetGroup"].split(":targetgroup/")[1]),
    }


def listeners(aws: EmbeddedAws, load_balancer: str) -> dict[int, dict[str, Any]]:
    found = aws.client("elbv2").describe_listeners(LoadBalancerArn=load_balancer)["Listeners"]
    return {listener["Port"]: listener for listener in found}


def test_the_local_stage_serves_http(aws: EmbeddedAws, stack: Stack) -> None:
    (listener,) = listeners(aws, stack.ids["LoadBalancer"]).values()
    assert (listener["Port"], listener["Protocol"]) == (80, "HTTP")
    assert listener["DefaultActions"][0]["TargetGroupArn"] == stack.ids["TargetGroup"]


def test_with_a_certificate_http_is_redirected(
    aws: EmbeddedAws, deploy_stack: DeployStack, unique: str
) -> None:
    certificate = aws.client("acm").request_certificate(DomainName="www.example.com")
    name = f"webtier-{unique}"
    with_https = {"AllowHttp": "false", "CertificateArn": certificate["CertificateArn"]}
    deploy_stack(name, TEMPLATE, LOCAL | with_https)
    by_port = listeners(aws, physical_ids(aws, name)["LoadBalancer"])
    assert set(by_port) == {80, 443}
    assert by_port[443]["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    assert by_port[443]["DefaultActions"][0]["Type"] == "forward"
    redirect = by_port[80]["DefaultActions"][0]["RedirectConfig"]
    assert (redirect["Protocol"], redirect["StatusCode"]) == ("HTTPS", "HTTP_301")


def test_a_stack_gains_its_certificate_with_an_update(aws: EmbeddedAws, stack: Stack) -> None:
    certificate = aws.client("acm").request_certificate(DomainName="www.example.com")
    client = aws.client("cloudformation")
    given = LOCAL | {"AllowHttp": "false", "CertificateArn": certificate["CertificateArn"]}
    client.update_stack(
        StackName=stack.name,
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in given.items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    client.get_waiter("stack_update_complete").wait(
        StackName=stack.name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 100}
    )
    by_port = listeners(aws, stack.ids["LoadBalancer"])
    protocols = {port: listener["Protocol"] for port, listener in by_port.items()}
    assert protocols == {80: "HTTP", 443: "HTTPS"}
    assert by_port[80]["DefaultActions"][0]["Type"] == "redirect"


def test_without_a_certificate_plain_http_is_refused(aws: EmbeddedAws, unique: str) -> None:
    client = aws.client("cloudformation")
    given = LOCAL | {"AllowHttp": "false"}
    with pytest.raises(client.exceptions.ClientError, match="Plain HTTP needs AllowHttp=true"):
        client.create_stack(
            StackName=f"webtier-{unique}",
            TemplateBody=json.dumps(TEMPLATE.to_dict(), separators=(",", ":")),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in given.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
