"""What an instance may do: the permissions of its role, and nothing beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Ref, Sub, iam

from . import artifact_source, policies
from .exemptions import OWN_POLICY, exempt

if TYPE_CHECKING:
    from troposphere import AWSObject, kms

    from .database import Database


_GROUPS = (
    "arn:${AWS::Partition}:autoscaling:${AWS::Region}:${AWS::AccountId}:"
    "autoScalingGroup:*:autoScalingGroupName"
)
_NO_RESOURCE = (
    "Session Manager's actions and DescribeTargetHealth know no resource "
    "(Service Authorization Reference)."
)


@dataclass(frozen=True)
class Permission:
    """One inline policy: actions of one service, on what, and under which condition.

    `excuses` exempt the role from rules of checkers, as `exemptions.exempt` takes them.
    """

    name: str
    actions: tuple[str, ...]
    resource: Any
    condition: dict[str, Any] | None = None
    excuses: tuple[tuple[str, str], ...] = ()

    @property
    def services(self) -> frozenset[str]:
        """The prefixes of the actions."""
        return frozenset(action.split(":")[0] for action in self.actions)


@dataclass(frozen=True)
class InstanceRole:
    """The profile an instance starts with, and all resources."""

    profile: iam.InstanceProfile
    resources: tuple[AWSObject, ...]


def permissions(data: Database, key: kms.Key, group: str) -> tuple[Permission, ...]:
    """Be reached, fetch the artifact, come into service, sign in to the database.

    `group` is the name of the Auto Scaling group, as Fn::Sub takes it; its ARN has an id that is
    not known before.

    AWS Systems Manager User Guide, "Verify or add instance permissions for Session Manager";
    Amazon EC2 Auto Scaling User Guide, "Tutorial: Use data script and instance metadata to retrieve
    lifecycle state"; AWS Secrets Manager User Guide, "Secret encryption and decryption"; Amazon RDS
    User Guide,
    "Creating and using an IAM policy for IAM database access".
    """
    group_arn = f"{_GROUPS}/{group}"
    printed = group_arn.replace("${", "<").replace("}", ">")
    return (
        Permission(
            "session-manager",
            (
                "ssm:UpdateInstanceInformation",
                "ssmmessages:CreateControlChannel",
                "ssmmessages:CreateDataChannel",
                "ssmmessages:OpenControlChannel",
                "ssmmessages:OpenDataChannel",
            ),
            "*",
        ),
        Permission("artifact", ("s3:GetObject",), artifact_source.ARN),
        Permission(
            "launch-hook",
            ("autoscaling:CompleteLifecycleAction",),
            Sub(group_arn),
            excuses=(
                (
                    # As cdk-nag prints a reference.
                    f"AwsSolutions-IAM5[Resource::{printed}]",
                    "The id in the group's ARN is not known before; the name is this stack's.",
                ),
            ),
        ),
        Permission("target-health", ("elasticloadbalancing:DescribeTargetHealth",), "*"),
        Permission("database-secret", ("secretsmanager:GetSecretValue",), data.secret_arn),
        Permission(
            "database-secret-key",
            ("kms:Decrypt",),
            GetAtt(key, "Arn"),
            {
                "StringEquals": {
                    "kms:ViaService": Sub("secretsmanager.${AWS::Region}.amazonaws.com")
                }
            },
        ),
        Permission("database", ("rds-db:connect",), data.connect_resource),
    )


def build(granted: tuple[Permission, ...]) -> InstanceRole:
    """The role with these permissions, and its profile."""
    role = iam.Role(
        "ApplicationRole",
        AssumeRolePolicyDocument=policies.trust("ec2.amazonaws.com"),
        Policies=[_policy(permission) for permission in granted],
        Metadata=exempt(
            OWN_POLICY,
            ("AwsSolutions-IAM5[Resource::*]", _NO_RESOURCE),
            *(excuse for permission in granted for excuse in permission.excuses),
            ("CKV_AWS_111", _NO_RESOURCE),
        ),
    )
    profile = iam.InstanceProfile("ApplicationProfile", Roles=[Ref(role)])
    return InstanceRole(profile, (role, profile))


def _policy(permission: Permission) -> iam.Policy:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": list(permission.actions),
        "Resource": permission.resource,
    }
    if permission.condition:
        statement["Condition"] = permission.condition
    return iam.Policy(PolicyName=permission.name, PolicyDocument=policies.document(statement))
