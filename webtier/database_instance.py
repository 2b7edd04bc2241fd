"""The database as an instance with a standby in another zone, and its read replica."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Join, Ref, rds

from . import database, parameters
from .database import Database, Member
from .exemptions import exempt
from .options import Database as Kind

if TYPE_CHECKING:
    from troposphere import AWSObject

    from .database import Foundation
    from .options import Options

_SAME_PORT = (
    "AwsSolutions-RDS11",
    "Another port hides nothing from a scanner; the security group is what protects.",
)


def build(options: Options, base: Foundation) -> Database:
    """The instance, its settings, its log groups, and the replica where the options ask for it."""
    settings = rds.DBParameterGroup(
        "DatabaseSettings",
        Family=database.FAMILY,
        Description=database.SETTINGS_DESCRIPTION,
        Parameters=database.SETTINGS,
    )
    identifier = database.identifier()
    log_groups = database.log_groups("Database", "instance", identifier, base.key, options.log_days)
    instance = rds.DBInstance(
        "Database",
        DBInstanceIdentifier=identifier,
        Engine="postgres",
        EngineVersion=database.MAJOR_VERSION,
        MultiAZ=True,
        DBName=database.NAME,
        Port=str(database.PORT),
        MasterUsername=database.ADMINISTRATOR,
        ManageMasterUserPassword=True,
        MasterUserSecret=rds.MasterUserSecret(KmsKeyId=base.key_arn),
        DBSubnetGroupName=Ref(base.subnets),
        DBParameterGroupName=Ref(settings),
        StorageType="gp3",
        AllocatedStorage=str(options.initial_storage_gib),
        StorageEncrypted=True,
        KmsKeyId=base.key_arn,
        BackupRetentionPeriod=options.backup_days,
        DeleteAutomatedBackups=False,
        DeletionPolicy="Snapshot",
        UpdateReplacePolicy="Snapshot",
        DependsOn=[group.title for group in log_groups],
        Metadata=exempt(
            _SAME_PORT,
            *database.unprotected(options),
            (
                "RDSInBackupPlan",
                (
                    "RDS backs it up every day and keeps it restorable to each second; a plan of "
                    "AWS Backup is the account's, and takes databases by their tags."
                ),
            ),
        ),
        **_common(options, base),
    )
    replica = _replica(options, base, instance)
    return Database(
        resource=instance,
        endpoint=GetAtt(instance, "Endpoint.Address"),
        port=GetAtt(instance, "Endpoint.Port"),
        reader_endpoint=GetAtt("DatabaseReplica", "Endpoint.Address") if replica else None,
        secret_arn=GetAtt(instance, "MasterUserSecret.SecretArn"),
        connect_resource=database.connect_resource(f"{instance.title}.DbiResourceId"),
        members=(
            Member("Database", Ref(instance)),
            *([Member("DatabaseReplica", Ref("DatabaseReplica"), lags=True)] if replica else []),
        ),
        resources=(*base.resources, settings, *log_groups, instance, *replica),
    )


def _replica(options: Options, base: Foundation, instance: rds.DBInstance) -> tuple[AWSObject, ...]:
    """A copy for reading in one zone, and its log groups; none where the options want none.

    It takes settings, storage, encryption, users and subnets from its source (Amazon RDS User
    Guide, "Working with DB instance read replicas") and can be made again at any time, so nothing
    of it is kept.
    """
    if options.database is not Kind.REPLICA:
        return ()
    identifier = Join("-", [database.identifier(), "replica"])
    log_groups = database.log_groups(
        "DatabaseReplica", "instance", identifier, base.key, options.log_days
    )
    inherited = "A read replica is encrypted as its source is, with the same key."
    copy = "A copy for reading; the instance it copies has a standby and the backups."
    replica = rds.DBInstance(
        "DatabaseReplica",
        DBInstanceIdentifier=identifier,
        Engine="postgres",
        SourceDBInstanceIdentifier=Ref(instance),
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        DependsOn=[group.title for group in log_groups],
        Metadata=exempt(
            _SAME_PORT,
            *database.unprotected(options),
            ("AwsSolutions-RDS2", inherited),
            ("AwsSolutions-RDS3", copy),
            ("CKV_AWS_16", inherited),
            ("CKV_AWS_157", copy),
            ("RDSInBackupPlan", copy),
            ("RDSMultiAZSupport", copy),
            ("RDSStorageEncrypted", inherited),
        ),
        **_common(options, base),
    )
    return (*log_groups, replica)


def _common(options: Options, base: Foundation) -> dict[str, Any]:
    """What the instance and its replica have alike."""
    return {
        "DBInstanceClass": Ref(parameters.DATABASE_CLASS),
        "VPCSecurityGroups": base.security_groups,
        "PubliclyAccessible": False,
        "EnableIAMDatabaseAuthentication": True,
        "AutoMinorVersionUpgrade": True,
        "MaxAllocatedStorage": options.max_storage_gib,
        "CopyTagsToSnapshot": True,
        "DeletionProtection": options.deletion_protection,
        "EnableCloudwatchLogsExports": list(database.LOG_EXPORTS),
        "MonitoringInterval": database.MONITORING_SECONDS,
        "MonitoringRoleArn": GetAtt(base.monitoring_role, "Arn"),
        "EnablePerformanceInsights": True,
        "PerformanceInsightsKMSKeyId": base.key_arn,
        "PerformanceInsightsRetentionPeriod": database.INSIGHTS_DAYS,
    }
