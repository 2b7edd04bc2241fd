"""The database: PostgreSQL in two zones, encrypted, reachable over TLS from the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from troposphere import GetAtt, Join, Ref, Select, Split, StackId, StackName, Sub, ec2, logs, rds

from . import nag, parameters

if TYPE_CHECKING:
    from troposphere import AWSObject, kms

    from .network import Network

PORT = 5432
NAME = "webtier"
# The application signs in as this user with an IAM token; the master secret stays unused by it.
APPLICATION_USER = "application"
# Fixed rather than left to the instance class, so that the alarm knows the limit.
MAX_CONNECTIONS = 200
# The major version alone: RDS picks the minor one and upgrades it, and a template that named
# it would ask for a downgrade with the next update.
MAJOR_VERSION = "18"
STORAGE_GIB = 20
MAX_STORAGE_GIB = 200
BACKUP_RETENTION_DAYS = 14
LOG_EXPORTS = ("postgresql", "upgrade")
LOG_RETENTION_DAYS = 365


@dataclass(frozen=True)
class Database:
    """The instance, and all the resources around it."""

    instance: rds.DBInstance
    resources: tuple[AWSObject, ...]


def build(network: Network, security_group: ec2.SecurityGroup, key: kms.Key) -> Database:
    """The instance in the data subnets, its settings and its log groups."""
    subnets = rds.DBSubnetGroup(
        "DatabaseSubnets",
        DBSubnetGroupDescription="The data subnets, which have no route out of the VPC",
        SubnetIds=[Ref(subnet) for subnet in network.data_subnets],
    )
    settings = rds.DBParameterGroup(
        "DatabaseSettings",
        Family=f"postgres{MAJOR_VERSION}",
        Description="TLS only; schema changes and slow statements are logged",
        Parameters={
            "rds.force_ssl": "1",
            "max_connections": str(MAX_CONNECTIONS),
            "log_statement": "ddl",
            "log_min_duration_statement": "1000",
        },
    )
    identifier = _identifier()
    log_groups = tuple(_log_group(export, identifier, key) for export in LOG_EXPORTS)
    instance = rds.DBInstance(
        "Database",
        DBInstanceIdentifier=identifier,
        DBInstanceClass=Ref(parameters.DATABASE_CLASS),
        Engine="postgres",
        EngineVersion=MAJOR_VERSION,
        AutoMinorVersionUpgrade=True,
        MultiAZ=True,
        DBName=NAME,
        Port=str(PORT),
        MasterUsername="administrator",
        ManageMasterUserPassword=True,
        MasterUserSecret=rds.MasterUserSecret(KmsKeyId=GetAtt(key, "Arn")),
        EnableIAMDatabaseAuthentication=True,
        DBSubnetGroupName=Ref(subnets),
        VPCSecurityGroups=[GetAtt(security_group, "GroupId")],
        PubliclyAccessible=False,
        DBParameterGroupName=Ref(settings),
        StorageType="gp3",
        AllocatedStorage=str(STORAGE_GIB),
        MaxAllocatedStorage=MAX_STORAGE_GIB,
        StorageEncrypted=True,
        KmsKeyId=GetAtt(key, "Arn"),
        BackupRetentionPeriod=BACKUP_RETENTION_DAYS,
        CopyTagsToSnapshot=True,
        DeleteAutomatedBackups=False,
        DeletionProtection=Ref(parameters.DELETION_PROTECTION),
        EnableCloudwatchLogsExports=list(LOG_EXPORTS),
        EnablePerformanceInsights=True,
        PerformanceInsightsKMSKeyId=GetAtt(key, "Arn"),
        PerformanceInsightsRetentionPeriod=7,
        DeletionPolicy="Snapshot",
        UpdateReplacePolicy="Snapshot",
        # RDS makes a missing log group itself, unencrypted and kept for ever.
        DependsOn=[group.title for group in log_groups],
        Metadata=nag.exception(
            (
                "AwsSolutions-RDS10",
                "On by default; a stage turns it off by parameter, which the rule cannot read.",
            ),
            (
                "AwsSolutions-RDS11",
                "Another port hides nothing from a scanner; the security group is what protects.",
            ),
        )
        | nag.checkov_exception(
            (
                "CKV_AWS_118",
                "Performance Insights shows what loads it; processes of the host are RDS's own.",
            )
        ),
    )
    return Database(instance, (subnets, settings, *log_groups, instance))


def connect_resource(instance: rds.DBInstance) -> Sub:
    """The ARN that `rds-db:connect` needs to sign in as the application's user.

    Amazon RDS User Guide, "Creating and using an IAM policy for IAM database access".
    """
    return Sub(
        "arn:${AWS::Partition}:rds-db:${AWS::Region}:${AWS::AccountId}"
        f":dbuser:${{{instance.title}.DbiResourceId}}/{APPLICATION_USER}"
    )


def _identifier() -> Join:
    """`<stack name>-<8 hexadecimal digits>`, the start of the stack's own unique id.

    The log groups carry the identifier in their names and outlive the stack: a stack of the
    same name made later must not run into them.
    """
    stack_uuid = Select(2, Split("/", StackId))
    return Join("-", [StackName, Select(0, Split("-", stack_uuid))])


def _log_group(export: str, identifier: Join, key: kms.Key) -> logs.LogGroup:
    return logs.LogGroup(
        f"Database{export.capitalize()}Log",
        LogGroupName=Join("/", ["/aws/rds/instance", identifier, export]),
        RetentionInDays=LOG_RETENTION_DAYS,
        KmsKeyId=GetAtt(key, "Arn"),
        DeletionPolicy="Retain",
        UpdateReplacePolicy="Retain",
    )
