"""The stack in the embedded AWS: what CloudFormation made of the template."""

from __future__ import annotations

import json
import tomllib
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import environment
from sandbox.environment import WORKLOAD_ACCOUNT
from tests.conftest import template_source
from tests.integration.webtier import small_artifact
from webtier import build
from webtier.options import Database, Nat, Options, ScheduledMinimum

if TYPE_CHECKING:
    from troposphere import Template

    from tests.conftest import DeployStack, EmbeddedAws

STAGES = tomllib.loads(Path(build.__file__).with_name("stages.toml").read_text(encoding="utf-8"))
LOCAL = Options.from_table(STAGES["local"]["options"])
CERTIFICATE = "CertificateArn"
ARTIFACT = small_artifact.PARAMETERS


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its name, its outputs and the physical id of each logical one."""

    name: str
    certificate: str
    outputs: dict[str, str]
    ids: dict[str, str]


def physical_ids(aws: EmbeddedAws, stack: str) -> dict[str, str]:
    pages = aws.client("cloudformation").get_paginator("list_stack_resources")
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages.paginate(StackName=stack)
        for resource in page["StackResourceSummaries"]
    }


@pytest.fixture(scope="module")
def certificate(embedded_aws: EmbeddedAws) -> str:
    """The ARN of a certificate."""
    requested = embedded_aws.client("acm").request_certificate(DomainName="www.example.com")
    return str(requested["CertificateArn"])


@pytest.fixture(scope="module", autouse=True)
def instances_have_something_to_run(embedded_aws: EmbeddedAws) -> None:
    small_artifact.put(embedded_aws)


@pytest.fixture(scope="module")
def stack(embedded_aws: EmbeddedAws, certificate: str) -> Stack:
    """The stack of the default template, for tests that leave it as it is.

    It is protected from deletion; the embedded AWS ends what runs of it when it ends.
    """
    name = f"webtier-{uuid.uuid4().hex[:12]}"
    client = embedded_aws.client("cloudformation")
    body = json.dumps(build.template(Options()).to_dict(), separators=(",", ":"))
    client.create_stack(
        StackName=name,
        **template_source(embedded_aws, WORKLOAD_ACCOUNT, name, body),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in (ARTIFACT | {CERTIFICATE: certificate}).items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    client.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 600}
    )
    (made,) = client.describe_stacks(StackName=name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}
    return Stack(name, certificate, outputs, physical_ids(embedded_aws, name))


def planned(
    aws: EmbeddedAws, stack: Stack, template: Template, parameters: dict[str, str] | None = None
) -> dict[str, tuple[str, str]]:
    """What a change set to the template would do, by logical id."""
    client = aws.client("cloudformation")
    given = {**ARTIFACT, CERTIFICATE: stack.certificate, **(parameters or {})}
    body = json.dumps(template.to_dict(), separators=(",", ":"))
    arn = client.create_change_set(
        StackName=stack.name,
        ChangeSetName=f"plan-{len(body)}",
        **template_source(aws, WORKLOAD_ACCOUNT, stack.name, body),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in given.items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )["Id"]
    client.get_waiter("change_set_create_complete").wait(
        ChangeSetName=arn, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
    )
    pages = client.get_paginator("describe_change_set").paginate(ChangeSetName=arn)
    changes = [change["ResourceChange"] for page in pages for change in page["Changes"]]
    client.delete_change_set(ChangeSetName=arn)
    return {
        change["LogicalResourceId"]: (change["Action"], change.get("Replacement", ""))
        for change in changes
    }


def test_the_default_template_is_made_whole(stack: Stack) -> None:
    # Nobody is told by e-mail unless an address is given.
    expected = set(build.template(Options()).resources) - {"AlertEmailSubscription"}
    assert expected == set(stack.ids)


def test_the_firewall_protects_the_load_balancer(aws: EmbeddedAws, stack: Stack) -> None:
    acl = aws.client("wafv2").get_web_acl_for_resource(ResourceArn=stack.ids["LoadBalancer"])
    assert [rule["Name"] for rule in acl["WebACL"]["Rules"]] == [
        "rate-limit",
        "common",
        "bad-inputs",
    ]


def test_the_dashboard_shows_the_alarms_of_the_stack(aws: EmbeddedAws, stack: Stack) -> None:
    cloudwatch = aws.client("cloudwatch")
    board = cloudwatch.get_dashboard(DashboardName=stack.outputs["DashboardName"])
    shown = json.loads(board["DashboardBody"])["widgets"][0]["properties"]["alarms"]
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix=f"{stack.name}-")["MetricAlarms"]
    assert sorted(shown) == sorted(alarm["AlarmArn"] for alarm in alarms)


def test_a_larger_database_is_changed_in_place(aws: EmbeddedAws, stack: Stack) -> None:
    changes = planned(aws, stack, build.template(Options()), {"DatabaseClass": "db.m7g.large"})
    assert changes["Database"] == ("Modify", "False")
    assert not any(replacement == "True" for _, replacement in changes.values())
    larger = build.template(Options(storage_gib=50))
    assert planned(aws, stack, larger)["Database"] == ("Modify", "False")


def test_another_minor_version_of_the_engine_is_taken_in_place(
    aws: EmbeddedAws, stack: Stack
) -> None:
    template = build.template(Options())
    template.resources["Database"].EngineVersion = "18.4"
    changes = planned(aws, stack, template)
    assert changes["Database"] == ("Modify", "False")
    assert not any(replacement == "True" for _, replacement in changes.values())


def test_larger_instances_roll_through_the_group(aws: EmbeddedAws, stack: Stack) -> None:
    changes = planned(aws, stack, build.template(Options()), {"InstanceType": "m7g.large"})
    assert {"ApplicationTemplate", "Group"} <= changes.keys()
    assert not any(replacement == "True" for _, replacement in changes.values())
    assert "Database" not in changes


def test_a_zone_more_only_adds(aws: EmbeddedAws, stack: Stack) -> None:
    changes = planned(aws, stack, build.template(Options(zones=3)))
    added = {name for name, (action, _) in changes.items() if action == "Add"}
    assert added >= {"ApplicationSubnetC", "DataSubnetC", "NatGatewayC", "PublicSubnetC"}
    assert not any(action == "Remove" for action, _ in changes.values())
    assert not any(replacement == "True" for _, replacement in changes.values())
    assert {"LoadBalancer", "Group", "DatabaseSubnets"} <= changes.keys()
    assert "Database" not in changes


def test_one_nat_gateway_less_leaves_everything_else(aws: EmbeddedAws, stack: Stack) -> None:
    changes = planned(aws, stack, build.template(Options(nat=Nat.ONE)))
    removed = {name for name, (action, _) in changes.items() if action == "Remove"}
    assert removed == {"NatAddressB", "NatGatewayB", "NatPortsBAlarm"}
    assert changes["ApplicationDefaultRouteB"][0] == "Modify"
    assert not {"Database", "Vpc", "LoadBalancer"} & changes.keys()


def test_another_range_asks_for_another_vpc(aws: EmbeddedAws, stack: Stack) -> None:
    changes = planned(aws, stack, build.template(Options.from_table({"vpc-cidr": "10.9.0.0/16"})))
    assert changes["Vpc"] != ("Modify", "False")
    assert "DatabaseSubnets" in changes


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
    assert database["DeletionProtection"] is True
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
    made = [one for one in build.template(Options()).resources if one.endswith("Alarm")]
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
        ("NatGatewayId", stack.ids["NatGatewayA"]),
        ("NatGatewayId", stack.ids["NatGatewayB"]),
        ("Region", environment.REGION),
        ("Rule", "rate-limit"),
        ("TopicName", stack.outputs["AlertsTopicArn"].rpartition(":")[2]),
        ("WebACL", stack.name),
        ("LoadBalancer", stack.ids["LoadBalancer"].split(":loadbalancer/")[1]),
        ("TargetGroup", stack.ids["TargetGroup"].split(":targetgroup/")[1]),
    }


def listeners(aws: EmbeddedAws, load_balancer: str) -> dict[int, dict[str, Any]]:
    found = aws.client("elbv2").describe_listeners(LoadBalancerArn=load_balancer)["Listeners"]
    return {listener["Port"]: listener for listener in found}


def test_with_a_certificate_http_is_redirected(aws: EmbeddedAws, stack: Stack) -> None:
    by_port = listeners(aws, stack.ids["LoadBalancer"])
    assert set(by_port) == {80, 443}
    assert by_port[443]["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    assert by_port[443]["DefaultActions"][0]["Type"] == "forward"
    redirect = by_port[80]["DefaultActions"][0]["RedirectConfig"]
    assert (redirect["Protocol"], redirect["StatusCode"]) == ("HTTPS", "HTTP_301")


def test_the_local_stage_serves_http_and_gains_its_certificate_with_an_update(
    aws: EmbeddedAws, deploy_stack: DeployStack, unique: str, certificate: str
) -> None:
    name = f"webtier-{unique}"
    deploy_stack(name, build.template(LOCAL), ARTIFACT)
    balancer = physical_ids(aws, name)["LoadBalancer"]
    (listener,) = listeners(aws, balancer).values()
    assert (listener["Port"], listener["Protocol"]) == (80, "HTTP")
    assert listener["DefaultActions"][0]["Type"] == "forward"

    client = aws.client("cloudformation")
    template = build.template(replace(LOCAL, plain_http=False))
    body = json.dumps(template.to_dict(), separators=(",", ":"))
    client.update_stack(
        StackName=name,
        **template_source(aws, WORKLOAD_ACCOUNT, name, body),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in (ARTIFACT | {CERTIFICATE: certificate}).items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    client.get_waiter("stack_update_complete").wait(
        StackName=name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 600}
    )
    by_port = listeners(aws, balancer)
    protocols = {port: listener["Protocol"] for port, listener in by_port.items()}
    assert protocols == {80: "HTTP", 443: "HTTPS"}
    assert by_port[80]["DefaultActions"][0]["Type"] == "redirect"


def test_without_a_certificate_the_stack_is_refused(aws: EmbeddedAws, unique: str) -> None:
    client = aws.client("cloudformation")
    body = json.dumps(build.template(Options()).to_dict(), separators=(",", ":"))
    with pytest.raises(client.exceptions.ClientError, match=CERTIFICATE):
        client.create_stack(
            StackName=f"webtier-{unique}",
            **template_source(aws, WORKLOAD_ACCOUNT, f"webtier-{unique}", body),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in ARTIFACT.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )


def test_a_read_replica_follows_the_database(
    aws: EmbeddedAws, deploy_stack: DeployStack, unique: str
) -> None:
    options = replace(LOCAL, database=Database.REPLICA)
    outputs = deploy_stack(f"webtier-{unique}", build.template(options), ARTIFACT)
    instances = aws.client("rds").describe_db_instances()["DBInstances"]
    by_host = {instance["Endpoint"]["Address"]: instance for instance in instances}
    source = by_host[outputs["DatabaseEndpoint"]]["DBInstanceIdentifier"]
    replica = by_host[outputs["DatabaseReaderEndpoint"]]["DBInstanceIdentifier"]
    assert replica == f"{source}-replica"


def test_no_internet_spot_instances_and_a_cluster_are_made(
    aws: EmbeddedAws, deploy_stack: DeployStack, unique: str, certificate: str
) -> None:
    options = Options(
        nat=Nat.NONE,
        spot_percent=50,
        schedule=(ScheduledMinimum("0 7 * * MON-FRI", 4),),
        database=Database.CLUSTER,
        deletion_protection=False,
    )
    name = f"webtier-{unique}"
    client = aws.client("cloudformation")
    given = {**ARTIFACT, CERTIFICATE: certificate, "S3PrefixListId": "pl-63a5400a"}
    with pytest.raises(client.exceptions.ClientError, match="one of the Spot types"):
        deploy_stack(name, build.template(options), given | {"InstanceType": "m7g.medium"})
    outputs = deploy_stack(name, build.template(options), given)
    secret = aws.client("secretsmanager").get_secret_value(SecretId=outputs["DatabaseSecretArn"])
    assert json.loads(secret["SecretString"])["username"] == "administrator"
    assert outputs["DatabaseReaderEndpoint"] != outputs["DatabaseEndpoint"]
    (action,) = aws.client("autoscaling").describe_scheduled_actions(
        AutoScalingGroupName=outputs["GroupName"]
    )["ScheduledUpdateGroupActions"]
    assert (action["Recurrence"], action["MinSize"]) == ("0 7 * * MON-FRI", 4)
    endpoints = aws.client("ec2").describe_vpc_endpoints(
        Filters=[{"Name": "vpc-id", "Values": [physical_ids(aws, name)["Vpc"]]}]
    )["VpcEndpoints"]
    services = {endpoint["ServiceName"].rpartition(".")[2] for endpoint in endpoints}
    assert services == {
        *("autoscaling", "cloudformation", "elasticloadbalancing", "s3", "secretsmanager"),
        *("ssm", "ssmmessages"),
    }
