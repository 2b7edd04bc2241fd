"""What goes wrong, and who hears of it: alarms that notify one encrypted topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Ref, Sub, cloudwatch, sns

from . import compute, database, parameters, policies

if TYPE_CHECKING:
    from troposphere import AWSObject, autoscaling, kms, rds

    from .load_balancer import Front

GIB = 1024**3
MIB = 1024**2


@dataclass(frozen=True)
class Alerts:
    """The topic, and all the resources around it."""

    topic: sns.Topic
    resources: tuple[AWSObject, ...]


@dataclass(frozen=True)
class _Alarm:
    """One alarm: when a metric is past a threshold, what that means and what to do.

    `minutes` is how many of the last five one-minute values must be past the threshold, and
    the meaning of a missing value is CloudWatch's own term.
    """

    title: str
    name: str
    namespace: str
    metric: str
    statistic: str
    threshold: Any
    description: str
    below: bool = False
    minutes: int = 3
    missing: str = "notBreaching"


_BALANCER = (
    _Alarm(
        "LoadBalancerErrors",
        "load-balancer-5xx",
        "AWS/ApplicationELB",
        "HTTPCode_ELB_5XX_Count",
        "Sum",
        10,
        "The load balancer itself answers 5xx: no instance is reachable or answers in time. "
        "Look at the alarms for hosts and capacity first, then at the access logs.",
    ),
)
_TARGETS = (
    _Alarm(
        "ApplicationErrors",
        "application-5xx",
        "AWS/ApplicationELB",
        "HTTPCode_Target_5XX_Count",
        "Sum",
        10,
        "The application answers 5xx. Read its journal through Session Manager "
        "(journalctl -u webtier); after a deployment, roll it back.",
    ),
    _Alarm(
        "UnhealthyHosts",
        "unhealthy-hosts",
        "AWS/ApplicationELB",
        "UnHealthyHostCount",
        "Maximum",
        0,
        "An instance fails its health check. The group replaces it by itself; if this stays, "
        "the new ones fail too: read the reason in the target group and the instance's journal.",
    ),
    _Alarm(
        "Latency",
        "latency",
        "AWS/ApplicationELB",
        "TargetResponseTime",
        "p95",
        1,
        "One request in 20 takes longer than a second. Look at the CPU of group and database, "
        "and at slow statements in the database's log.",
    ),
)
_GROUP = (
    _Alarm(
        "GroupCpu",
        "group-cpu",
        "AWS/EC2",
        "CPUUtilization",
        "Average",
        85,
        "The instances are busy although the group scales at "
        f"{compute.CPU_TARGET_PERCENT} %: it is at MaxCapacity or cannot launch. Raise "
        "MaxCapacity or read the group's activity history.",
        minutes=5,
    ),
    _Alarm(
        "Capacity",
        "capacity",
        "AWS/AutoScaling",
        "GroupInServiceInstances",
        "Minimum",
        Ref(parameters.MIN_CAPACITY),
        "Fewer instances than MinCapacity are in service: launches fail or instances are being "
        "replaced. Read the group's activity history for the reason.",
        below=True,
        minutes=5,
        missing="breaching",
    ),
)
_DATABASE = (
    _Alarm(
        "DatabaseCpu",
        "database-cpu",
        "AWS/RDS",
        "CPUUtilization",
        "Average",
        80,
        "The database is busy, or reports nothing at all. Find the statement in Performance "
        "Insights; if it reports nothing, read its events for a failover or an outage.",
        minutes=5,
        missing="breaching",
    ),
    _Alarm(
        "DatabaseStorage",
        "database-storage",
        "AWS/RDS",
        "FreeStorageSpace",
        "Minimum",
        2 * GIB,
        "Less than 2 GiB of storage is free although it grows by itself: it is at its maximum "
        "or grew in the last six hours. Raise the maximum or remove data.",
        below=True,
    ),
    _Alarm(
        "DatabaseMemory",
        "database-memory",
        "AWS/RDS",
        "FreeableMemory",
        "Minimum",
        256 * MIB,
        "Less than 256 MiB of memory is free: statements will slow down. Look for many or large "
        "sorts in Performance Insights, or choose a larger DatabaseClass.",
        below=True,
        minutes=5,
    ),
    _Alarm(
        "DatabaseConnections",
        "database-connections",
        "AWS/RDS",
        "DatabaseConnections",
        "Maximum",
        database.MAX_CONNECTIONS * 4 // 5,
        f"Four fifths of the {database.MAX_CONNECTIONS} connections are taken; at the limit new "
        "ones are refused. Look for clients that do not close theirs.",
    ),
)


def build(
    front: Front,
    group: autoscaling.AutoScalingGroup,
    instance: rds.DBInstance,
    key: kms.Key,
) -> Alerts:
    """The topic, its policy, the e-mail subscription and the alarms of every tier."""
    topic = sns.Topic("Alerts", KmsMasterKeyId=GetAtt(key, "Arn"))
    subscription = sns.SubscriptionResource(
        "AlertEmailSubscription",
        Condition=parameters.HAS_ALERT_EMAIL,
        TopicArn=Ref(topic),
        Protocol="email",
        Endpoint=Ref(parameters.ALERT_EMAIL),
    )
    policy = sns.TopicPolicy(
        "AlertsPolicy",
        Topics=[Ref(topic)],
        PolicyDocument=policies.document(
            policies.tls_only("sns:Publish", [Ref(topic)]),
            {
                "Sid": "CloudWatchAlarms",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": Ref(topic),
                "Condition": policies.THIS_ACCOUNT,
            },
        ),
    )
    balancer = {"LoadBalancer": GetAtt(front.load_balancer, "LoadBalancerFullName")}
    targets = {**balancer, "TargetGroup": GetAtt(front.target_group, "TargetGroupFullName")}
    alarms = [
        _alarm(spec, dimensions, topic)
        for specs, dimensions in (
            (_BALANCER, balancer),
            (_TARGETS, targets),
            (_GROUP, {"AutoScalingGroupName": Ref(group)}),
            (_DATABASE, {"DBInstanceIdentifier": Ref(instance)}),
        )
        for spec in specs
    ]
    return Alerts(topic, (topic, policy, subscription, *alarms))


def _alarm(spec: _Alarm, dimensions: dict[str, Any], topic: sns.Topic) -> cloudwatch.Alarm:
    percentile = spec.statistic.startswith("p")
    return cloudwatch.Alarm(
        f"{spec.title}Alarm",
        AlarmName=Sub(f"${{AWS::StackName}}-{spec.name}"),
        AlarmDescription=spec.description,
        Namespace=spec.namespace,
        MetricName=spec.metric,
        Dimensions=[
            cloudwatch.MetricDimension(Name=name, Value=value) for name, value in dimensions.items()
        ],
        **{"ExtendedStatistic" if percentile else "Statistic": spec.statistic},
        Period=60,
        EvaluationPeriods=5,
        DatapointsToAlarm=spec.minutes,
        ComparisonOperator="LessThanThreshold" if spec.below else "GreaterThanThreshold",
        Threshold=spec.threshold,
        TreatMissingData=spec.missing,
        AlarmActions=[Ref(topic)],
        OKActions=[Ref(topic)],
    )
