"""Auto Scaling groups run their instances, and load balancers send them requests."""

from __future__ import annotations

import base64
import os
import signal
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from troposphere import Base64, GetAtt, Output, Ref, Sub, Template, autoscaling, ec2, iam
from troposphere import elasticloadbalancingv2 as elb

from tests.conftest import EmbeddedAws
from tests.integration.webtier import small_artifact

ALLOWED = f"arn:aws:s3:::{small_artifact.BUCKET}/*"


def template(parameters: dict[str, str], *, allowed: str = ALLOWED, size: str = "2") -> Template:
    """A group behind a load balancer, in two zones."""
    built = Template()
    vpc = built.add_resource(ec2.VPC("Vpc", CidrBlock="10.0.0.0/16"))
    subnets = [
        built.add_resource(
            ec2.Subnet(
                f"Subnet{zone.upper()}",
                VpcId=Ref(vpc),
                CidrBlock=f"10.0.{number}.0/24",
                AvailabilityZone=f"us-east-1{zone}",
            )
        )
        for number, zone in enumerate("ab")
    ]
    balancer = built.add_resource(
        elb.LoadBalancer("Balancer", Type="application", Subnets=[Ref(s) for s in subnets])
    )
    group = built.add_resource(
        elb.TargetGroup(
            "Targets",
            VpcId=Ref(vpc),
            Protocol="HTTPS",
            Port=8443,
            HealthCheckProtocol="HTTPS",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=10,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )
    )
    built.add_resource(
        elb.Listener(
            "Listener",
            LoadBalancerArn=Ref(balancer),
            Port=80,
            Protocol="HTTP",
            DefaultActions=[elb.Action(Type="forward", TargetGroupArn=Ref(group))],
        )
    )
    role = built.add_resource(
        iam.Role(
            "Role",
            AssumeRolePolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "ec2.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            Policies=[
                iam.Policy(
                    PolicyName="artifact",
                    PolicyDocument={
                        "Version": "2012-10-17",
                        "Statement": [
                            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": allowed}
                        ],
                    },
                )
            ],
        )
    )
    profile = built.add_resource(iam.InstanceProfile("Profile", Roles=[Ref(role)]))
    settings = {
        "BUCKET": parameters["ArtifactBucket"],
        "KEY": parameters["ArtifactKey"],
        "SHA256": parameters["ArtifactSha256"],
        "PORT": "8443",
        "HEALTH_PATH": "/health",
    }
    lines = "".join(f"{name}='{value}'\n" for name, value in settings.items())
    launch = built.add_resource(
        ec2.LaunchTemplate(
            "Launch",
            LaunchTemplateData=ec2.LaunchTemplateData(
                IamInstanceProfile=ec2.IamInstanceProfile(Arn=GetAtt(profile, "Arn")),
                UserData=Base64(f"#!/bin/bash\n{lines}\nexit 1\n"),
            ),
        )
    )
    built.add_resource(
        autoscaling.AutoScalingGroup(
            "Group",
            MinSize=size,
            MaxSize="4",
            VPCZoneIdentifier=[Ref(subnet) for subnet in subnets],
            LaunchTemplate=autoscaling.LaunchTemplateSpecification(
                LaunchTemplateId=Ref(launch), Version=GetAtt(launch, "LatestVersionNumber")
            ),
            TargetGroupARNs=[Ref(group)],
            HealthCheckType="ELB",
            HealthCheckGracePeriod=30,
        )
    )
    built.add_output(Output("Name", Value=GetAtt(balancer, "DNSName")))
    built.add_output(Output("Group", Value=Ref("Group")))
    built.add_output(Output("Targets", Value=Ref(group)))
    return built


@dataclass
class Running:
    aws: EmbeddedAws
    outputs: dict[str, str]

    def instances(self) -> dict[str, str]:
        (group,) = self.aws.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[self.outputs["Group"]]
        )["AutoScalingGroups"]
        return {found["InstanceId"]: found["AvailabilityZone"] for found in group["Instances"]}

    def targets(self) -> dict[str, tuple[str, str]]:
        described = self.aws.client("elbv2").describe_target_health(
            TargetGroupArn=self.outputs["Targets"]
        )["TargetHealthDescriptions"]
        return {
            found["Target"]["Id"]: (
                found["TargetHealth"]["State"],
                found["TargetHealth"].get("Reason", ""),
            )
            for found in described
        }

    def is_well(self) -> bool:
        return self.targets() == dict.fromkeys(self.instances(), ("healthy", ""))

    def has_replaced(self, instance: str) -> bool:
        """Whether the group is as large as before without that one."""
        found = self.instances()
        return instance not in found and len(found) == 2 and self.is_well()

    def answers(self, times: int = 6) -> list[str]:
        with httpx.Client(base_url=f"http://{self.outputs['Name']}", timeout=30) as client:
            return [client.get("/").text for _ in range(times)]

    def pid(self, instance: str) -> int:
        return int((self.aws.directory / "tmp" / instance / "pid").read_text())


@pytest.fixture
def running(aws, deploy_stack, unique, eventually) -> Running:
    parameters = small_artifact.put(aws)
    made = Running(aws, deploy_stack(f"group-{unique}", template(parameters)))
    eventually(made.is_well, 30)
    return made


def test_each_zone_has_an_instance_and_each_gets_its_turn(running: Running) -> None:
    assert sorted(running.instances().values()) == ["us-east-1a", "us-east-1b"]
    answers = running.answers()
    assert set(answers) == set(running.instances())
    assert {answers.count(instance) for instance in set(answers)} == {3}
    reservations = running.aws.client("ec2").describe_instances(
        InstanceIds=list(running.instances())
    )["Reservations"]
    found = [instance for each in reservations for instance in each["Instances"]]
    assert {instance["State"]["Name"] for instance in found} == {"running"}


def test_one_that_hangs_is_found_by_health_checks_and_replaced(running, eventually) -> None:
    hanging = min(running.instances())
    os.kill(running.pid(hanging), signal.SIGSTOP)
    pid = running.pid(hanging)
    try:
        eventually(lambda: running.targets().get(hanging, ("", ""))[0] in ("unhealthy", ""), 60)
        assert hanging not in running.answers(2)
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: running.has_replaced(hanging), 90)


def test_one_that_ec2_ends_is_replaced_in_its_zone(running, eventually) -> None:
    before = running.instances()
    ended = min(before)
    running.aws.client("ec2").terminate_instances(InstanceIds=[ended])
    eventually(lambda: running.has_replaced(ended), 90)
    assert sorted(running.instances().values()) == sorted(before.values())
    assert ended not in running.answers()


def test_the_group_follows_its_desired_capacity(running, eventually) -> None:
    client = running.aws.client("autoscaling")
    for wanted in (3, 1):
        client.set_desired_capacity(
            AutoScalingGroupName=running.outputs["Group"], DesiredCapacity=wanted
        )
        eventually(lambda: len(running.instances()) == wanted and running.is_well(), 60)  # noqa: B023
    assert set(running.answers()) == set(running.instances())


def reasons(aws: Any, stack: str) -> str:
    events = aws.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    return "\n".join(event.get("ResourceStatusReason", "") for event in events)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"ArtifactKey": "missing"}, "missing"),
        ({"ArtifactSha256": "0" * 64}, "has another checksum"),
        ({"allowed": "arn:aws:s3:::another/*"}, "AccessDenied"),
        ({"start": b"#!/bin/sh\necho no moon\n"}, "its last words: no moon"),
        ({"start": b"#!/bin/sh\n"}, "it does not answer; it said nothing"),
    ],
)
def test_an_instance_that_does_not_come_up_fails_the_stack_with_its_reason(
    aws, deploy_stack, unique, changed, reason
) -> None:
    start = changed.pop("start", None)
    parameters = small_artifact.put(aws, small_artifact.pack(start) if start else None)
    allowed = changed.pop("allowed", ALLOWED)
    built = template(parameters | changed, allowed=allowed, size="1")
    name = f"group-{unique}"
    with pytest.raises(Exception, match=r"ROLLBACK|CREATE_FAILED|terminal failure"):
        deploy_stack(name, built)
    assert "Received 1 FAILURE signal(s)" in reasons(aws, name)
    assert reason in reasons(aws, name)


def test_a_group_without_an_application_stays_a_record(aws, deploy_stack, unique) -> None:
    built = template(small_artifact.PARAMETERS)
    data = built.resources["Launch"].properties["LaunchTemplateData"]
    data.properties["UserData"] = base64.b64encode(b"#!/bin/bash\necho hello\n").decode()
    outputs = deploy_stack(f"group-{unique}", built)
    answer = httpx.get(f"http://{outputs['Name']}/", timeout=30)
    assert answer.status_code == 503


HOOK = "ready"
COMPLETE = {
    "Effect": "Allow",
    "Action": "autoscaling:CompleteLifecycleAction",
    "Resource": "arn:aws:autoscaling:us-east-1:111111111111:"
    "autoScalingGroup:*:autoScalingGroupName/hooked-*",
}
ASK = {"Effect": "Allow", "Action": "elasticloadbalancing:DescribeTargetHealth", "Resource": "*"}


def hooked(
    parameters: dict[str, str],
    name: str,
    *,
    completes: bool = True,
    may: tuple[dict[str, Any], ...] = (COMPLETE, ASK),
    timeout: int = 300,
    default: str = "ABANDON",
) -> Template:
    """The same group with a launch hook, which its instances complete by themselves or not."""
    built = template(parameters, size="1")
    group = built.resources["Group"]
    group.AutoScalingGroupName = name
    group.LifecycleHookSpecificationList = [
        autoscaling.LifecycleHookSpecification(
            LifecycleHookName=HOOK,
            LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
            HeartbeatTimeout=timeout,
            DefaultResult=default,
        )
    ]
    (policy,) = built.resources["Role"].Policies
    policy.PolicyDocument["Statement"].extend(may)
    if completes:
        data = built.resources["Launch"].properties["LaunchTemplateData"]
        script = data.properties["UserData"].data["Fn::Base64"]
        own = f"GROUP='{name}'\nHOOK='{HOOK}'\nTARGET_GROUP='${{Targets}}'\n"
        data.properties["UserData"] = Base64(Sub(script.replace("\n\n", f"\n{own}\n", 1)))
    return built


def state_of(aws: EmbeddedAws, group: str) -> list[str]:
    found = aws.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    return [
        one["LifecycleState"] for each in found["AutoScalingGroups"] for one in each["Instances"]
    ]


def creating(aws: EmbeddedAws, stack: str, built: Template) -> None:
    aws.client("cloudformation").create_stack(
        StackName=stack, TemplateBody=built.to_json(), Capabilities=["CAPABILITY_IAM"]
    )


def registered(aws: EmbeddedAws, stack: str) -> dict[str, str]:
    """The targets of a stack that is being made, and their states."""
    described = aws.client("cloudformation").describe_stack_resource(
        StackName=stack, LogicalResourceId="Targets"
    )["StackResourceDetail"]
    health = aws.client("elbv2").describe_target_health(
        TargetGroupArn=described["PhysicalResourceId"]
    )["TargetHealthDescriptions"]
    return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in health}


def test_an_instance_comes_into_service_when_it_completes_its_hook(
    aws, deploy_stack, unique, eventually
) -> None:
    name = f"hooked-{unique}"
    running = Running(aws, deploy_stack(name, hooked(small_artifact.put(aws), name)))
    # The signal says that the load balancer has found it healthy: there is nothing to wait for.
    assert running.is_well()
    assert state_of(aws, name) == ["InService"]
    (instance,) = running.instances()
    client = aws.client("autoscaling")
    with pytest.raises(ClientError, match="No active Lifecycle Action found"):
        client.complete_lifecycle_action(
            AutoScalingGroupName=name,
            LifecycleHookName=HOOK,
            InstanceId=instance,
            LifecycleActionResult="CONTINUE",
        )


@pytest.mark.parametrize("result", ["CONTINUE", "ABANDON"])
def test_until_somebody_completes_the_hook_an_instance_gets_nothing(
    aws, unique, eventually, result
) -> None:
    name = f"hooked-{unique}"
    creating(aws, name, hooked(small_artifact.put(aws), name, completes=False))
    eventually(lambda: state_of(aws, name) == ["Pending:Wait"], 60)
    client = aws.client("autoscaling")
    ((instance,),) = [
        [one["InstanceId"] for one in group["Instances"]]
        for group in client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
            "AutoScalingGroups"
        ]
    ]
    # It answers, and is asked nothing: it is not among the targets.
    eventually((aws.directory / "tmp" / instance / "pid").exists, 60)
    assert registered(aws, name) == {}
    client.record_lifecycle_action_heartbeat(
        AutoScalingGroupName=name, LifecycleHookName=HOOK, InstanceId=instance
    )
    client.complete_lifecycle_action(
        AutoScalingGroupName=name,
        LifecycleHookName=HOOK,
        InstanceId=instance,
        LifecycleActionResult=result,
    )
    if result == "CONTINUE":
        eventually(lambda: registered(aws, name) == {instance: "healthy"}, 60)
        eventually(lambda: stack_status(aws, name) == "CREATE_COMPLETE", 60)
    else:
        eventually(lambda: stack_status(aws, name).startswith(("ROLLBACK", "CREATE_FAILED")), 60)
        assert "its launch hook was abandoned" in reasons(aws, name)
    aws.client("cloudformation").delete_stack(StackName=name)


def stack_status(aws: EmbeddedAws, stack: str) -> str:
    (found,) = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return str(found["StackStatus"])


@pytest.mark.parametrize("default", ["CONTINUE", "ABANDON"])
def test_a_hook_that_nobody_completes_has_its_default_result(
    aws, unique, eventually, default
) -> None:
    name = f"hooked-{unique}"
    built = hooked(small_artifact.put(aws), name, completes=False, timeout=3, default=default)
    creating(aws, name, built)
    wanted = ("CREATE_COMPLETE",) if default == "CONTINUE" else ("ROLLBACK", "CREATE_FAILED")
    eventually(lambda: stack_status(aws, name).startswith(wanted), 60)
    if default == "ABANDON":
        assert "nobody completed it in time" in reasons(aws, name)
    aws.client("cloudformation").delete_stack(StackName=name)


@pytest.mark.parametrize(
    ("may", "refused"),
    [((ASK,), "CompleteLifecycleAction"), ((COMPLETE,), "DescribeTargetHealth")],
)
def test_an_instance_that_may_not_come_into_service_fails_the_stack(
    aws, deploy_stack, unique, may, refused
) -> None:
    name = f"hooked-{unique}"
    with pytest.raises(Exception, match=r"ROLLBACK|CREATE_FAILED|terminal failure"):
        deploy_stack(name, hooked(small_artifact.put(aws), name, may=may))
    assert "AccessDenied" in reasons(aws, name)
    assert refused in reasons(aws, name)


def test_one_that_hangs_goes_when_its_successor_is_ready_where_all_capacity_is_kept(
    aws, deploy_stack, unique, eventually
) -> None:
    name = f"hooked-{unique}"
    built = hooked(small_artifact.put(aws), name)
    built.resources["Group"].InstanceMaintenancePolicy = autoscaling.InstanceMaintenancePolicy(
        MinHealthyPercentage=100, MaxHealthyPercentage=200
    )
    running = Running(aws, deploy_stack(name, built))
    (hanging,) = running.instances()
    pid = running.pid(hanging)
    os.kill(pid, signal.SIGSTOP)
    seen: list[frozenset[str]] = []

    def is_replaced() -> bool:
        found = frozenset(running.instances())
        seen.extend([found] if found not in seen[-1:] else [])
        return len(found) == 1 and hanging not in found

    try:
        eventually(lambda: len(running.instances()) == 2, 90)
    finally:
        # It could not end itself otherwise; that it hung is known already.
        os.kill(pid, signal.SIGCONT)
    eventually(is_replaced, 90)
    assert frozenset() not in seen
    assert running.is_well()
