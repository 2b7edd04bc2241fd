"""The custom resource that closes the VPC's default security group, whatever the options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.webtier.strategies import Resources, for_any_options
from webtier import functions

GROUP = {"Fn::GetAtt": ["Vpc", "DefaultSecurityGroup"]}
ARN = (
    "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:security-group/"
    "${Vpc.DefaultSecurityGroup}"
)


def closed(resources: Resources) -> dict[str, Any]:
    (found,) = (
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "Custom::ClosedSecurityGroup"
    )
    return found


def function_of(resources: Resources) -> dict[str, Any]:
    token = closed(resources)["ServiceToken"]["Fn::GetAtt"]
    assert token[1] == "Arn"
    return resources[token[0]]["Properties"]


@for_any_options
def test_the_default_group_of_the_vpc_is_closed(resources: Resources) -> None:
    assert closed(resources)["SecurityGroupId"] == GROUP


@for_any_options
def test_the_function_is_the_file_and_outside_of_the_vpc(resources: Resources) -> None:
    function = function_of(resources)
    source = Path(functions.__file__).with_name("close_default_security_group.py").read_text()
    assert function["Code"] == {"ZipFile": source}
    assert function["Handler"] == "index.handler"
    assert "VpcConfig" not in function


@for_any_options
def test_it_may_close_that_group_and_write_its_log_and_nothing_else(resources: Resources) -> None:
    function = function_of(resources)
    role = resources[function["Role"]["Fn::GetAtt"][0]]["Properties"]
    assert "ManagedPolicyArns" not in role
    rights = {
        action: statement["Resource"]
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }
    log = function["LoggingConfig"]["LogGroup"]["Ref"]
    assert resources[log]["Type"] == "AWS::Logs::LogGroup"
    assert rights == {
        "ec2:DescribeSecurityGroups": "*",
        "ec2:RevokeSecurityGroupEgress": {"Fn::Sub": ARN},
        "ec2:RevokeSecurityGroupIngress": {"Fn::Sub": ARN},
        "logs:CreateLogStream": {"Fn::GetAtt": [log, "Arn"]},
        "logs:PutLogEvents": {"Fn::GetAtt": [log, "Arn"]},
    }


@for_any_options
def test_nothing_is_put_into_the_default_group(resources: Resources) -> None:
    """What has no group of its own would be put there, where it reaches nothing."""
    for title, resource in resources.items():
        if resource["Type"] != "Custom::ClosedSecurityGroup":
            assert GROUP not in _values(resource["Properties"]), title


def _values(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(found for one in inner for found in _values(one))]
