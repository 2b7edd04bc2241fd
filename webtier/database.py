"""The database as the other tiers see it, and what every kind of it stands on.

PostgreSQL in more than one zone, encrypted, reachable over TLS alone: `database_instance` and
`database_cluster` are the kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Join, Ref, Select, Split, StackId, StackName, Sub, iam, logs, rds

from . import policies
from .exemptions import OWN_POLICY, exempt

if TYPE_CHECKING:
    from troposphere import AWSObject, ec2, kms

    from .network import Network
    from .options import Options

PORT = 5432
NAME = "webtier"
ADMINISTRATOR = "administrator"
# The application may sign in as this user with an IAM token instead of a password.
APPLICATION_USER = "application"
# Fixed rather than left to the instance class, so that the alarm knows the limit.
MAX_CONNECTIONS = 200
# The major version alone: RDS picks the minor one and upgrades it, and a template that named
# it would ask for a downgrade with the next update.
MAJOR_VERSION = "18"
FAMILY = f"postgres{MAJOR_VERSION}"
LOG_EXPORTS = ("postgresql", "upgrade")
SETTINGS = {
    "rds.force_ssl": "1",
    "max_connections": str(MAX_CONNECTIONS),
    "log_statement": "ddl",
    "log_min_duration_statement": "1000",
}
SETTINGS_DESCRIPTION = "TLS only; schema changes and slow statements are logged"
MONITORING_SECONDS = 60
# Seven days of Database Insights' standard mode are free of charge.
INSIGHTS_DAYS = 7


@dataclass(frozen=True)
class Member:
    """One instance of the database, as its metrics name it.

    `title` starts the logical ids of what watches it. `lags` says that it may be behind another
    one.
    """

    title: str
    identifier: Any
    lags: bool = False


@dataclass(frozen=True)
class Database:
    """What the other tiers need of the database, and all its resources.

    `resource` is the logical resource that holds the data. `reader_endpoint` is a host name for
    reading alone, None where there is none. `connect_resource` is the ARN that `rds-db:connect`
    needs to sign in as the application's user.
    """

    resource: AWSObject
    endpoint: Any
    port: Any
    reader_endpoint: Any | None
    secret_arn: Any
    connect_resource: Any
    members: tuple[Member, ...]
    resources: tuple[AWSObject, ...]


@dataclass(frozen=True)
class Foundation:
    """What every kind of database stands on."""

    key: kms.Key
    security_group: ec2.SecurityGroup
    subnets: rds.DBSubnetGroup
    monitoring_role: iam.Role

    @property
    def resources(self) -> tuple[AWSObject, ...]:
        """The resources that are the database's own."""
        return self.subnets, self.monitoring_role

    @property
    def key_arn(self) -> GetAtt:
        """The key for the data, the secret and the insights."""
        return GetAtt(self.key, "Arn")

    @property
    def security_groups(self) -> list[GetAtt]:
        """Who may connect."""
        return [GetAtt(self.security_group, "GroupId")]


def foundation(network: Network, security_group: ec2.SecurityGroup, key: kms.Key) -> Foundation:
    """The subnet group and the role of enhanced monitoring."""
    return Foundation(
        key,
        security_group,
        rds.DBSubnetGroup(
            "DatabaseSubnets",
            DBSubnetGroupDescription="The data subnets, which have no route out of the VPC",
            SubnetIds=[Ref(subnet) for subnet in network.data_subnets],
        ),
        _monitoring_role(),
    )


def unprotected(options: Options) -> tuple[tuple[str, str], ...]:
    """The rules that a database breaks which may be deleted, each with the reason."""
    reason = "A stage that may be deleted asked for it with --no-deletion-protection."
    if options.deletion_protection:
        return ()
    return (("AwsSolutions-RDS10", reason), ("RDSInstanceDeletionProtectionEnabled", reason))


def identifier() -> Join:
    """`<stack name>-<8 hexadecimal digits>`, the start of the stack's own unique id.

    The log groups carry the identifier in their names and outlive the stack: a stack of the
    same name made later must not run into them.
    """
    stack_uuid = Select(2, Split("/", StackId))
    return Join("-", [StackName, Select(0, Split("-", stack_uuid))])


def connect_resource(resource_id: str) -> Sub:
    """The ARN of the application's user; `resource_id` is `<logical id>.<attribute>`.

    Amazon RDS User Guide, "Creating and using an IAM policy for IAM database access".
    """
    return Sub(
        "arn:${AWS::Partition}:rds-db:${AWS::Region}:${AWS::AccountId}"
        f":dbuser:${{{resource_id}}}/{APPLICATION_USER}"
    )


def log_groups(
    title: str, kind: str, name: Any, key: kms.Key, retention_days: int
) -> tuple[logs.LogGroup, ...]:
    """The groups RDS exports logs to; `kind` is `instance` or `cluster`, `name` its identifier.

    RDS makes a missing one itself, unencrypted and kept for ever.
    """
    return tuple(
        logs.LogGroup(
            f"{title}{export.capitalize()}Log",
            LogGroupName=Join("/", ["/aws/rds", kind, name, export]),
            RetentionInDays=retention_days,
            KmsKeyId=GetAtt(key, "Arn"),
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
        )
        for export in LOG_EXPORTS
    )


def _monitoring_role() -> iam.Role:
    """The role of enhanced monitoring: what its managed policy allows, on its log group alone.

    Amazon RDS User Guide, "Setting up and enabling Enhanced Monitoring". The log group
    RDSOSMetrics is the account's, one for all databases.
    """
    log_group = (
        "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:RDSOSMetrics:*"
    )
    finding = log_group.replace("${", "<").replace("}", ">")
    return iam.Role(
        "DatabaseMonitoringRole",
        AssumeRolePolicyDocument=policies.trust(
            "monitoring.rds.amazonaws.com", policies.THIS_ACCOUNT
        ),
        Policies=[
            iam.Policy(
                PolicyName="enhanced-monitoring",
                PolicyDocument=policies.document(
                    {
                        "Effect": "Allow",
                        "Action": [
                            "logs:CreateLogGroup",
                            "logs:CreateLogStream",
                            "logs:DescribeLogStreams",
                            "logs:GetLogEvents",
                            "logs:PutLogEvents",
                            "logs:PutRetentionPolicy",
                        ],
                        "Resource": Sub(log_group),
                    }
                ),
            )
        ],
        Metadata=exempt(
            OWN_POLICY,
            (
                f"AwsSolutions-IAM5[Resource::{finding}]",
                "RDS names a stream of its log group after each database.",
            ),
        ),
    )
