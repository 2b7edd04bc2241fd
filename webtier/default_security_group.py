"""Closes the VPC's default security group: what is put into none must not talk by accident.

AWS gives every VPC a group whose members may reach each other and everything outside. It cannot be
deleted, and CloudFormation cannot change it: a custom resource does (AWS Security Hub, EC2.2; CIS
AWS Foundations Benchmark, "Ensure the default security group of every VPC restricts all traffic").
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from troposphere import GetAtt, Ref, Sub, awslambda, cloudformation, iam, logs

from . import functions, policies
from .exemptions import OWN_POLICY, exempt

if TYPE_CHECKING:
    from troposphere import AWSObject, ec2, kms

RUNTIME = "python3.14"
"""The newest of Lambda's Python runtimes that is for production."""

# Seconds, of which the function's own tries can take about 100: it waits for 15, and EC2 or
# CloudFormation may let it wait for 8 each time that it calls them.
TIMEOUT = 120
# A function that ended without an answer is tried again by Lambda after a minute.
SERVICE_TIMEOUT = 2 * TIMEOUT + 60

_AWAITED = "CloudFormation itself waits for its answer, and rolls back without one."
_NEWEST = "Python 3.15 is a preview, not for production (AWS Lambda, preview runtimes)."
_NOT_RESERVED = "An account with a quota of 10 has nothing to reserve; it runs once a deployment."
_OUTSIDE = "It calls AWS's APIs alone, to which the VPC has no way without a NAT gateway."

_SOURCE = Path(functions.__file__).with_name("close_default_security_group.py")


class ClosedSecurityGroup(cloudformation.CustomResource):  # type: ignore[misc]
    """A security group, given by `SecurityGroupId`, of which every rule is revoked."""

    resource_type = "Custom::ClosedSecurityGroup"
    props = cloudformation.CustomResource.props | {"SecurityGroupId": (str, True)}


def build(vpc: ec2.VPC, key: kms.Key, retention_days: int) -> tuple[AWSObject, ...]:
    """The custom resource, its function with an encrypted log group, and the function's role."""
    group = GetAtt(vpc, "DefaultSecurityGroup")
    log = logs.LogGroup(
        "DefaultSecurityGroupLog",
        RetentionInDays=retention_days,
        KmsKeyId=GetAtt(key, "Arn"),
        DeletionPolicy="Retain",
        UpdateReplacePolicy="Retain",
    )
    role = _role(vpc, log)
    function = awslambda.Function(
        "DefaultSecurityGroupFunction",
        Description="Closes the VPC's default security group when the stack is made or changed",
        Runtime=RUNTIME,
        Handler="index.handler",
        Code=awslambda.Code(ZipFile=_SOURCE.read_text(encoding="utf-8")),
        MemorySize=256,
        Timeout=TIMEOUT,
        Role=GetAtt(role, "Arn"),
        LoggingConfig=awslambda.LoggingConfig(LogGroup=Ref(log)),
        Metadata=exempt(
            ("AwsSolutions-L1", _NEWEST),
            ("CKV_AWS_115", _NOT_RESERVED),
            ("CKV_AWS_116", _AWAITED),
            ("CKV_AWS_117", _OUTSIDE),
            ("LambdaConcurrency", _NOT_RESERVED),
            ("LambdaDLQ", _AWAITED),
            ("LambdaInsideVPC", _OUTSIDE),
            ("LambdaLatestVersion", _NEWEST),
            ("LambdaTracing", "It runs once a deployment, and its log says what it did."),
        ),
    )
    closed = ClosedSecurityGroup(
        "DefaultSecurityGroup",
        ServiceToken=GetAtt(function, "Arn"),
        ServiceTimeout=SERVICE_TIMEOUT,
        SecurityGroupId=group,
    )
    return log, role, function, closed


def _role(vpc: ec2.VPC, log: logs.LogGroup) -> iam.Role:
    """What the function may do.

    Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
    """
    arn = Sub(
        "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:security-group/"
        f"${{{vpc.title}.DefaultSecurityGroup}}"
    )
    no_resource = "ec2:DescribeSecurityGroups knows no resource (Service Authorization Reference)."
    permissions = {
        "look": (["ec2:DescribeSecurityGroups"], "*"),
        "close": (
            ["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"],
            arn,
        ),
        "log": (["logs:CreateLogStream", "logs:PutLogEvents"], GetAtt(log, "Arn")),
    }
    return iam.Role(
        "DefaultSecurityGroupRole",
        AssumeRolePolicyDocument=policies.trust("lambda.amazonaws.com", policies.THIS_ACCOUNT),
        Policies=[
            iam.Policy(
                PolicyName=name,
                PolicyDocument=policies.document(
                    {"Effect": "Allow", "Action": actions, "Resource": resource}
                ),
            )
            for name, (actions, resource) in permissions.items()
        ],
        Metadata=exempt(
            OWN_POLICY,
            ("AwsSolutions-IAM5[Resource::*]", no_resource),
            ("LambdaStarPermissions", no_resource),
        ),
    )
