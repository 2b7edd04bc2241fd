"""What goes wrong: an alarm for each way, with what it means and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Ref, Region, Sub, cloudwatch

from . import database, firewall, parameters, scaling
from .options import Database as Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from troposphere import autoscaling, ec2, sns

    from .database import Database, Member
    from .load_balancer import Front
    from .options import Options

GIB = 1024**3
MIB = 1024**2
# Storage grows by itself when less than a tenth is free (Amazon RDS User Guide, "Managing capacity
# automatically with Amazon RDS storage autoscaling"); a cluster's does not, and needs time for a
# human to grow it.
_LOW_STORAGE_PERCENT = {Kind.INSTANCE: 5, Kind.REPLICA: 5, Kind.CLUSTER: 15}
# Half of the 2^31 transaction ids; at the end PostgreSQL stops writing.
TRANSACTION_IDS = 1_000_000_000
REPLICA_LAG_SECONDS = 60
# A scanner that is stopped at once is no news.
RATE_LIMITED_PER_MINUTE = 100


@dataclass(frozen=True)
class Watched:
    """What the alarms are about."""

    options: Options
    front: Front
    group: autoscaling.AutoScalingGroup
    nat_gateways: tuple[ec2.NatGateway, ...]
    data: Database
    topic: sns.Topic
    firewalled: bool


@dataclass(frozen=True)
class Alarm:
    """One alarm: when a metric is past a threshold, what that means and what to do.

    `dimensions` name whose metric it is. `minutes` is how many of the last five one-minute values
    must be past the threshold, and the meaning of a missing value is CloudWatch's own term.
    """

    title: str
    name: str
    namespace: str
    metric: str
    statistic: str
    threshold: Any
    dimensions: dict[str, Any]
    description: str
    comparison: str = "GreaterThanThreshold"
    minutes: int = 3
    missing: str = "notBreaching"

    def resource(self, topic: sns.Topic) -> cloudwatch.Alarm:
        """The alarm, which notifies the topic when it starts and when it ends."""
        percentile = self.statistic.startswith("p")
        return cloudwatch.Alarm(
            f"{self.title}Alarm",
            AlarmName=Sub(f"${{AWS::StackName}}-{self.name}"),
            AlarmDescription=self.description,
            Namespace=self.namespace,
            MetricName=self.metric,
            Dimensions=[
                cloudwatch.MetricDimension(Name=name, Value=value)
                for name, value in self.dimensions.items()
            ],
            **{"ExtendedStatistic" if percentile else "Statistic": self.statistic},
            Period=60,
            EvaluationPeriods=5,
            DatapointsToAlarm=self.minutes,
            ComparisonOperator=self.comparison,
            Threshold=self.threshold,
            TreatMissingData=self.missing,
            AlarmActions=[Ref(topic)],
            OKActions=[Ref(topic)],
        )


def build(watched: Watched) -> tuple[cloudwatch.Alarm, ...]:
    """The alarms of every tier."""
    return tuple(
        alarm.resource(watched.topic)
        for alarms in (_load_balancer, _targets, _network, _group, _database, _notifications)
        for alarm in alarms(watched)
    )


def _load_balancer(watched: Watched) -> Iterator[Alarm]:
    dimensions = {"LoadBalancer": GetAtt(watched.front.load_balancer, "LoadBalancerFullName")}
    yield Alarm(
        "LoadBalancerErrors",
        "load-balancer-5xx",
        "AWS/ApplicationELB",
        "HTTPCode_ELB_5XX_Count",
        "Sum",
        Ref(parameters.ERROR_ALARM_PER_MINUTE),
        dimensions,
        "The load balancer itself answers 5xx: no instance is reachable or answers in time. "
        "Look at the alarms for hosts and capacity first, then at the access logs.",
    )
    if watched.firewalled:
        yield Alarm(
            "RateLimited",
            "rate-limited",
            "AWS/WAFV2",
            "BlockedRequests",
            "Sum",
            RATE_LIMITED_PER_MINUTE,
            {
                "Region": Region,
                "Rule": firewall.RATE_LIMIT_RULE,
                "WebACL": firewall.metric_name(),
            },
            "An address sends more than RateLimit allows and gets 429. See in the firewall's log "
            "who it is: leave an attacker blocked; for many people behind one address raise "
            "RateLimit.",
        )


def _targets(watched: Watched) -> Iterator[Alarm]:
    namespace = "AWS/ApplicationELB"
    dimensions = {
        "LoadBalancer": GetAtt(watched.front.load_balancer, "LoadBalancerFullName"),
        "TargetGroup": GetAtt(watched.front.target_group, "TargetGroupFullName"),
    }
    yield Alarm(
        "ApplicationErrors",
        "application-5xx",
        namespace,
        "HTTPCode_Target_5XX_Count",
        "Sum",
        Ref(parameters.ERROR_ALARM_PER_MINUTE),
        dimensions,
        "The application answers 5xx. Read its journal through Session Manager "
        "(journalctl -u webtier); after a deployment, roll it back.",
    )
    yield Alarm(
        "UnhealthyHosts",
        "unhealthy-hosts",
        namespace,
        "UnHealthyHostCount",
        "Maximum",
        0,
        dimensions,
        "An instance fails its health check. The group replaces it by itself; if this stays, "
        "the new ones fail too: read the reason in the target group and the instance's journal.",
    )
    yield Alarm(
        "Latency",
        "latency",
        namespace,
        "TargetResponseTime",
        "p95",
        Ref(parameters.LATENCY_ALARM_SECONDS),
        dimensions,
        "One request in 20 takes longer than LatencyAlarmSeconds. Look at the CPU of group and "
        "database, and at slow statements in the database's log.",
    )


def _network(watched: Watched) -> Iterator[Alarm]:
    for gateway in watched.nat_gateways:
        letter = gateway.title[-1]
        yield Alarm(
            f"NatPorts{letter}",
            f"nat-ports-{letter.lower()}",
            "AWS/NATGateway",
            "ErrorPortAllocation",
            "Sum",
            0,
            {"NatGatewayId": Ref(gateway)},
            "The NAT gateway has no port left for a new connection to one destination: calls out "
            "of the VPC fail. Look for connections that are opened anew each time or never "
            "closed; give the gateway more addresses if they are all needed.",
        )


def _group(watched: Watched) -> Iterator[Alarm]:
    dimensions = {"AutoScalingGroupName": Ref(watched.group)}
    yield Alarm(
        "GroupCpu",
        "group-cpu",
        "AWS/EC2",
        "CPUUtilization",
        "Average",
        85,
        dimensions,
        "The instances are busy although the group scales at "
        f"{scaling.CPU_TARGET_PERCENT} %: it is at MaxCapacity or cannot launch. Raise "
        "MaxCapacity or read the group's activity history.",
        minutes=5,
    )
    yield Alarm(
        "Capacity",
        "capacity",
        "AWS/AutoScaling",
        "GroupInServiceInstances",
        "Minimum",
        Ref(parameters.MIN_CAPACITY),
        dimensions,
        "Fewer instances than MinCapacity are in service: launches fail, or are abandoned because "
        "the application does not answer. Read the group's activity history, then the system log "
        "of an instance (aws ec2 get-console-output --latest).",
        comparison="LessThanThreshold",
        minutes=5,
        missing="breaching",
    )
    yield Alarm(
        "AtMaximum",
        "at-maximum",
        "AWS/AutoScaling",
        "GroupDesiredCapacity",
        "Maximum",
        Ref(parameters.MAX_CAPACITY),
        dimensions,
        "The group is as large as it may be: more load than now makes the application slow. "
        "If the load is real, raise MaxCapacity; if not, look at the firewall and the access logs.",
        comparison="GreaterThanOrEqualToThreshold",
        minutes=5,
    )


def _database(watched: Watched) -> Iterator[Alarm]:
    for member in watched.data.members:
        yield from _member(watched.options, member)
        if member.lags:
            yield _lag(member)


def _member(options: Options, member: Member) -> Iterator[Alarm]:
    title, name = member.title, _kebab(member.title)
    dimensions = {"DBInstanceIdentifier": member.identifier}
    namespace = "AWS/RDS"
    yield Alarm(
        f"{title}Cpu",
        f"{name}-cpu",
        namespace,
        "CPUUtilization",
        "Average",
        80,
        dimensions,
        "The database is busy, or reports nothing at all. Find the statement in CloudWatch "
        "Database Insights; if it reports nothing, read its events for a failover or an outage.",
        minutes=5,
        missing="breaching",
    )
    low = max(
        GIB, options.initial_storage_gib * GIB * _LOW_STORAGE_PERCENT[options.database] // 100
    )
    yield Alarm(
        f"{title}Storage",
        f"{name}-storage",
        namespace,
        "FreeStorageSpace",
        "Minimum",
        low,
        dimensions,
        _storage_description(options, low),
        comparison="LessThanThreshold",
    )
    yield Alarm(
        f"{title}Memory",
        f"{name}-memory",
        namespace,
        "FreeableMemory",
        "Minimum",
        256 * MIB,
        dimensions,
        "Less than 256 MiB of memory is free: statements will slow down. Look for many or large "
        "sorts in CloudWatch Database Insights, or choose a larger DatabaseClass.",
        comparison="LessThanThreshold",
        minutes=5,
    )
    yield Alarm(
        f"{title}Connections",
        f"{name}-connections",
        namespace,
        "DatabaseConnections",
        "Maximum",
        database.MAX_CONNECTIONS * 4 // 5,
        dimensions,
        f"Four fifths of the {database.MAX_CONNECTIONS} connections are taken; at the limit new "
        "ones are refused. Look for clients that do not close theirs.",
    )
    yield Alarm(
        f"{title}TransactionIds",
        f"{name}-transaction-ids",
        namespace,
        "MaximumUsedTransactionIDs",
        "Maximum",
        TRANSACTION_IDS,
        dimensions,
        "Autovacuum does not keep up: half of the transaction ids are used, and without any left "
        "PostgreSQL stops writing. End transactions that stay open for days and vacuum the oldest "
        "tables.",
    )


def _lag(member: Member) -> Alarm:
    return Alarm(
        f"{member.title}Lag",
        f"{_kebab(member.title)}-lag",
        "AWS/RDS",
        "ReplicaLag",
        "Maximum",
        REPLICA_LAG_SECONDS,
        {"DBInstanceIdentifier": member.identifier},
        f"What is read here is more than {REPLICA_LAG_SECONDS} seconds old. Look for long queries "
        "on it and many writes at its source; read from the writer meanwhile.",
        minutes=5,
    )


def _storage_description(options: Options, low: int) -> str:
    free = f"Less than {low / GIB:g} GiB of storage is free"
    if options.clustered:
        return (
            f"{free}, and a cluster's does not grow by itself. Remove data, or deploy with a "
            "larger --storage-gib."
        )
    return (
        f"{free} although it grows by itself: it is at its maximum or grew in the last six hours. "
        "Remove data, or deploy with a larger --max-storage-gib."
    )


def _notifications(watched: Watched) -> Iterator[Alarm]:
    yield Alarm(
        "FailedNotifications",
        "failed-notifications",
        "AWS/SNS",
        "NumberOfNotificationsFailed",
        "Sum",
        0,
        {"TopicName": GetAtt(watched.topic, "TopicName")},
        "A notification did not reach a subscriber, so an alarm may have gone unheard. Look at all "
        "alarms now, then at the topic's subscriptions.",
        minutes=1,
    )


def _kebab(title: str) -> str:
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in title).split()
    return "-".join(words).lower()
