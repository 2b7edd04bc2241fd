"""The database as a Multi-AZ cluster: a writer and two readers, each in a zone of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import GetAtt, Join, Ref, rds

from . import database, parameters
from .database import Database, Member
from .exemptions import exempt

if TYPE_CHECKING:
    from .database import Foundation
    from .options import Options

# Amazon RDS User Guide, "Multi-AZ DB cluster architecture".
INSTANCES = 3
# A cluster, unlike an instance, is asked for with its minor version.
VERSION = "18.6"
# Amazon RDS User Guide, "Provisioned IOPS SSD storage": io2 has at least 1,000 operations a second,
# and at least one for two GiB. A cluster needs provisioned ones (Amazon RDS API Reference,
# CreateDBCluster).
_LEAST_OPERATIONS = 1000


def build(options: Options, base: Foundation) -> Database:
    """The cluster, its settings and its log groups.

    RDS makes the three instances itself and names them after the cluster. Any of them may be the
    writer after a failover, so each is watched.
    """
    settings = rds.DBClusterParameterGroup(
        "DatabaseSettings",
        Family=database.FAMILY,
        Description=database.SETTINGS_DESCRIPTION,
        Parameters=database.SETTINGS,
    )
    identifier = database.identifier()
    log_groups = database.log_groups("Database", "cluster", identifier, base.key, options.log_days)
    cluster = rds.DBCluster(
        "DatabaseCluster",
        DBClusterIdentifier=identifier,
        DBClusterInstanceClass=Ref(parameters.DATABASE_CLASS),
        Engine="postgres",
        EngineVersion=VERSION,
        DatabaseName=database.NAME,
        Port=database.PORT,
        MasterUsername=database.ADMINISTRATOR,
        ManageMasterUserPassword=True,
        MasterUserSecret=rds.MasterUserSecret(KmsKeyId=base.key_arn),
        DBSubnetGroupName=Ref(base.subnets),
        DBClusterParameterGroupName=Ref(settings),
        VpcSecurityGroupIds=base.security_groups,
        PubliclyAccessible=False,
        EnableIAMDatabaseAuthentication=True,
        AutoMinorVersionUpgrade=True,
        StorageType="io2",
        AllocatedStorage=options.initial_storage_gib,
        Iops=max(_LEAST_OPERATIONS, -(-options.initial_storage_gib // 2)),
        StorageEncrypted=True,
        KmsKeyId=base.key_arn,
        BackupRetentionPeriod=options.backup_days,
        CopyTagsToSnapshot=True,
        DeletionProtection=options.deletion_protection,
        EnableCloudwatchLogsExports=list(database.LOG_EXPORTS),
        MonitoringInterval=database.MONITORING_SECONDS,
        MonitoringRoleArn=GetAtt(base.monitoring_role, "Arn"),
        PerformanceInsightsEnabled=True,
        PerformanceInsightsKmsKeyId=base.key_arn,
        PerformanceInsightsRetentionPeriod=database.INSIGHTS_DAYS,
        DeletionPolicy="Snapshot",
        UpdateReplacePolicy="Snapshot",
        DependsOn=[group.title for group in log_groups],
        # E3692 takes IAM authentication for Aurora's alone; Amazon RDS API Reference,
        # CreateDBCluster: "Aurora DB clusters and Multi-AZ DB clusters".
        Metadata={
            **exempt(*database.unprotected(options)),
            "cfn-lint": {"config": {"ignore_checks": ["E3692"]}},
        },
    )
    return Database(
        resource=cluster,
        endpoint=GetAtt(cluster, "Endpoint.Address"),
        port=GetAtt(cluster, "Endpoint.Port"),
        reader_endpoint=GetAtt(cluster, "ReadEndpoint.Address"),
        secret_arn=GetAtt(cluster, "MasterUserSecret.SecretArn"),
        connect_resource=database.connect_resource(f"{cluster.title}.DBClusterResourceId"),
        members=tuple(
            Member(
                f"DatabaseInstance{number}",
                Join("-", [Ref(cluster), "instance", str(number)]),
                lags=True,
            )
            for number in range(1, INSTANCES + 1)
        ),
        resources=(*base.resources, settings, *log_groups, cluster),
    )
