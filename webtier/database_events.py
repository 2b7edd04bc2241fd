"""What RDS tells of the database, above all that it failed over: sent to the topic of the alerts.

An alarm sees that the database is away, if it is away for long enough. That it is at another place
from now on, was restarted, could not grow or will be maintained is told by RDS alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Ref, rds

from . import policies

if TYPE_CHECKING:
    from troposphere import AWSObject, sns

    from .database import Database

SERVICE = "events.rds.amazonaws.com"
INSTANCE, CLUSTER = "db-instance", "db-cluster"
# Amazon RDS User Guide, "Amazon RDS event categories and event messages". Left out is what somebody
# did on purpose or what happens each day: creation, configuration change, backup.
CATEGORIES = {
    INSTANCE: [
        *("availability", "deletion", "failover", "failure", "low storage", "maintenance"),
        *("notification", "read replica", "recovery"),
    ],
    CLUSTER: ["failover", "failure", "maintenance", "notification"],
}


def publishing(data: Database) -> dict[str, Any]:
    """The condition under which RDS may publish: for this database of this account.

    Amazon RDS User Guide, "Granting permissions to publish notifications to an Amazon SNS topic".
    """
    arns = [
        GetAtt(source, "DBClusterArn" if _is_cluster(source) else "DBInstanceArn")
        for source in _sources(data)
    ]
    return {**policies.THIS_ACCOUNT, "ArnLike": {"aws:SourceArn": arns}}


def build(data: Database, topic: sns.Topic, policy: sns.TopicPolicy) -> rds.EventSubscription:
    """The subscription of the topic to the database's events."""
    sources = _sources(data)
    kind = CLUSTER if any(map(_is_cluster, sources)) else INSTANCE
    return rds.EventSubscription(
        "DatabaseEvents",
        SnsTopicArn=Ref(topic),
        SourceType=kind,
        SourceIds=[Ref(source) for source in sources],
        EventCategories=CATEGORIES[kind],
        Enabled=True,
        DependsOn=policy,
    )


def _sources(data: Database) -> list[AWSObject]:
    """The instance, with its replica, or the cluster.

    Not a cluster's instances: RDS makes those, and refuses a subscription to one that it does not
    know. Their failovers are the cluster's events.
    """
    kinds = (rds.DBInstance, rds.DBCluster)
    return [resource for resource in data.resources if isinstance(resource, kinds)]


def _is_cluster(resource: AWSObject) -> bool:
    return isinstance(resource, rds.DBCluster)
