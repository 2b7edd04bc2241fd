"""What an instance may do: the permissions of its role, and nothing beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Ref, Sub, iam

from . import artifact_source, policies
from .exemptions import exempt

if TYPE_CHECKING:
    from troposphere import AWSObject, kms

    from .database import Database


@dataclass(frozen=True)
class Permission:
    """One inline policy: actions of one service, on what, and under which condition."""

    name: str
    actions: tuple[str, ...]
    resource: Any
    condition: dict[str, Any] | None = None

    @property
    def services(self) -> frozenset[str]:
        """The prefixes of the actions."""
        return frozenset(action.split(":")[0] for action in self.actions)


@dataclass(frozen=True)
class InstanceRole:
    """The profile an instance starts with, and all resources."""

    profile: iam.InstanceProfile
    resources: tuple[AWSObject, ...]


def permissions(data: Database, key: kms.Key) -> tuple[Permission, ...]:
    """Be reached by Session Manager, fetch the artifact, sign in to the database.

    AWS Systems Manager User Guide, "Verify or add instance permissions for Session Manager";
    AWS Secrets Manager User Guide, "Secret encryption and decryption"; Amazon RDS User Guide,
    "Creating and using an IAM policy for IAM database access".
    """
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
            (
                "AwsSolutions-IAM5[Resource::*]",
                "Session Manager's actions know no resource (Service Authorization Reference).",
            ),
            (
                "CKV_AWS_111",
                "Session Manager's actions know no resource (Service Authorization Reference).",
            ),
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
