"""The custom resource that closes the default security group, in an embedded AWS of its own.

IAM decides there on what its function's role may do, and everything it decides is recorded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from troposphere import GetAtt, Output, Ref, Template

from sandbox import emulator, environment, privilege
from sandbox.privilege import Right
from tests.conftest import EmbeddedAws
from webtier import default_security_group, encryption, network, tags
from webtier.options import Options

REVOKED_BY = (
    "ec2:DescribeSecurityGroups",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:RevokeSecurityGroupIngress",
)
LOGGED_BY = ("logs:CreateLogStream", "logs:PutLogEvents")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("record") / "calls"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, record: Path) -> Iterator[EmbeddedAws]:
    started = emulator.start(
        tmp_path_factory.mktemp("aws") / "sandbox", port=emulator.any_free_port(), record=record
    )
    yield EmbeddedAws(started.endpoint, started.directory)
    started.stop()


def template(lacking: str = "", cidr: str = "10.0.0.0/16") -> Template:
    """The VPC, its closed group and the key; the function's role lacks one action."""
    vpc = network.build(Options.from_table({"vpc-cidr": cidr})).vpc
    key = encryption.build()
    resources = (vpc, key, *default_security_group.build(vpc, key, 7))
    tags.tag_all(resources)
    built = Template()
    built.add_resource(list(resources))
    built.add_output(Output("Group", Value=GetAtt(vpc, "DefaultSecurityGroup")))
    built.add_output(Output("Log", Value=Ref("DefaultSecurityGroupLog")))
    role = built.resources["DefaultSecurityGroupRole"]
    for policy in list(role.Policies):
        (statement,) = policy.PolicyDocument["Statement"]
        statement["Action"] = [one for one in statement["Action"] if one != lacking]
        if not statement["Action"]:
            role.Policies.remove(policy)
    return built


def create(aws: EmbeddedAws, name: str, built: Template) -> None:
    aws.client("cloudformation").create_stack(
        StackName=name, TemplateBody=built.to_json(), Capabilities=["CAPABILITY_IAM"]
    )


def wait(aws: EmbeddedAws, name: str, waiter: str) -> dict[str, Any]:
    client = aws.client("cloudformation")
    client.get_waiter(waiter).wait(StackName=name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 500})
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    return {found["OutputKey"]: found["OutputValue"] for found in stack.get("Outputs", [])}


def rules(aws: EmbeddedAws, group: str) -> list[Any]:
    (found,) = aws.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
    return [*found["IpPermissions"], *found["IpPermissionsEgress"]]


def printed(aws: EmbeddedAws, log: str) -> str:
    logs = aws.client("logs")
    streams = logs.describe_log_streams(logGroupName=log)["logStreams"]
    return "\n".join(
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=log, logStreamName=stream["logStreamName"])[
            "events"
        ]
    )


def test_a_vpc_begins_with_rules_to_take_away(recorded: EmbeddedAws) -> None:
    """Otherwise the tests below show nothing."""
    built = Template()
    vpc = built.add_resource(network.build(Options()).vpc)
    built.add_output(Output("Group", Value=GetAtt(vpc, "DefaultSecurityGroup")))
    create(recorded, "open", built)
    group = wait(recorded, "open", "stack_create_complete")["Group"]
    (found,) = recorded.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
    (ingress,) = found["IpPermissions"]
    (egress,) = found["IpPermissionsEgress"]
    assert (ingress["IpProtocol"], egress["IpProtocol"]) == ("-1", "-1")
    assert [pair["GroupId"] for pair in ingress["UserIdGroupPairs"]] == [group]
    assert egress["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}]


def test_the_group_is_closed_and_stays_so_through_update_and_deletion(
    recorded: EmbeddedAws, record: Path
) -> None:
    create(recorded, "closed", template())
    outputs = wait(recorded, "closed", "stack_create_complete")
    assert rules(recorded, outputs["Group"]) == []
    assert f"Revoked of {outputs['Group']}" in printed(recorded, outputs["Log"])

    # What is opened by hand stays open until the resource changes: here to that of another VPC.
    recorded.client("cloudformation").update_stack(
        StackName="closed",
        TemplateBody=template(cidr="10.9.0.0/16").to_json(),
        Capabilities=["CAPABILITY_IAM"],
    )
    updated = wait(recorded, "closed", "stack_update_complete")
    assert updated["Group"] != outputs["Group"]
    assert rules(recorded, updated["Group"]) == []

    # Every right is used, none is missing.
    policies = {
        policy.PolicyName: policy.to_dict()["PolicyDocument"]
        for policy in template().resources["DefaultSecurityGroupRole"].Policies
    }
    group = f"arn:aws:ec2:{environment.REGION}:{environment.WORKLOAD_ACCOUNT}:security-group/"
    log = (
        f"arn:aws:logs:{environment.REGION}:{environment.WORKLOAD_ACCOUNT}:log-group:"
        f"{outputs['Log']}:*"
    )
    calls = privilege.calls_of(record.read_text().splitlines())
    (role,) = {call.role for call in calls}
    known = {"close": f"{group}{updated['Group']}", "log": log, "look": "*"}
    rights = [
        Right(role, name, 0, "", action, known[name])
        for name, document in policies.items()
        for statement in document["Statement"]
        for action in statement["Action"]
    ]
    assert {right.action for right in rights} == {*REVOKED_BY, *LOGGED_BY}
    assert privilege.findings(rights, calls, []) == []

    client = recorded.client("cloudformation")
    client.delete_stack(StackName="closed")
    wait_for_deletion(client, "closed")
    remaining = recorded.client("ec2").describe_security_groups()["SecurityGroups"]
    assert updated["Group"] not in [found["GroupId"] for found in remaining]


def wait_for_rollback(client: Any, name: str) -> None:
    # boto3's waiter of that name is for updates.
    deadline = time.monotonic() + 100
    while (stack := client.describe_stacks(StackName=name)["Stacks"][0]) and (
        stack["StackStatus"] != "ROLLBACK_COMPLETE"
    ):
        assert stack["StackStatus"] in ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"), stack
        assert time.monotonic() < deadline
        time.sleep(0.2)


def wait_for_deletion(client: Any, name: str) -> None:
    client.get_waiter("stack_delete_complete").wait(
        StackName=name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 100}
    )


def test_without_one_right_the_stack_is_rolled_back_and_says_why(recorded: EmbeddedAws) -> None:
    """The function waits for a right that is new, so all of them are tried side by side."""
    client = recorded.client("cloudformation")
    lacking = {f"without-{action.partition(':')[2]}": action for action in REVOKED_BY}
    for name, action in lacking.items():
        create(recorded, name, template(lacking=action))
    for name, action in lacking.items():
        wait_for_rollback(client, name)
        events = client.describe_stack_events(StackName=name)["StackEvents"]
        (failed,) = (event for event in events if event["ResourceStatus"] == "CREATE_FAILED")
        assert failed["LogicalResourceId"] == "DefaultSecurityGroup"
        reason = failed["ResourceStatusReason"]
        assert f"/{name}/DefaultSecurityGroupLog" in reason
        assert "could not be revoked" in reason
        assert "UnauthorizedOperation" in reason
        assert action.partition(":")[2] in reason
        # The rollback took back everything that is not kept.
        resources = client.describe_stack_resources(StackName=name)["StackResources"]
        left = {
            found["LogicalResourceId"]
            for found in resources
            if found["ResourceStatus"] != "DELETE_COMPLETE"
        }
        assert left <= {"DefaultSecurityGroup", "DefaultSecurityGroupLog", "Key"}, left


@pytest.mark.parametrize("action", LOGGED_BY)
def test_without_the_rights_of_the_log_nothing_is_written(
    recorded: EmbeddedAws, action: str
) -> None:
    name = f"without-{action.partition(':')[2]}"
    create(recorded, name, template(lacking=action))
    outputs = wait(recorded, name, "stack_create_complete")
    assert rules(recorded, outputs["Group"]) == []
    assert printed(recorded, outputs["Log"]) == ""
