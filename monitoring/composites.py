"""The composite alarms: one a service and severity, and its alarm for maintenance windows.

People are told of these, so a storm of alarms is one message a service. While the maintenance
alarm is in ALARM, it suppresses them: their events say so, and the rules let such events pass by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import Equals, If, Join, Ref, Sub, Template, cloudwatch

from monitoring import alarms, context, naming
from monitoring.alarms import PERIOD
from monitoring.thresholds import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitoring.alarms import Alarm
    from monitoring.inventory import Service
    from monitoring.thresholds import Severity

NAMESPACE = "Monitoring/Maintenance"
METRIC = "Window"
"""Its dimensions are Stage and Service; 1 in a minute of a maintenance window."""

LONGEST_RULE = 10_240
MOST_CHILDREN = 100
"""Amazon CloudWatch API reference, PutCompositeAlarm: AlarmRule."""


def severities(children: Iterable[Alarm]) -> tuple[Severity, ...]:
    """Return the severities that a service's alarms have: those of its composite alarms."""
    found = {alarm.severity for alarm in children}
    return tuple(severity for severity in SEVERITIES if severity in found)


def logical_id(service: str, severity: str) -> str:
    """Return the name of a composite or maintenance alarm in the template."""
    return naming.logical_id(service, severity, "alarm")


def add(template: Template, stage: str, service: Service, children: Sequence[Alarm]) -> None:
    """Add a service's maintenance alarm, and the composite alarm of each severity.

    Raises ValueError: a composite alarm has more children than CloudWatch takes.
    """
    name = naming.maintenance(stage, service.name)
    template.add_resource(
        cloudwatch.Alarm(
            logical_id(service.name, naming.MAINTENANCE),
            Metadata=context.why(f"In ALARM while {service.name} is worked on: nobody is told"),
            AlarmName=name,
            AlarmDescription=Sub(
                f"A maintenance window of {service.name}. Owner: {service.owner}. Open one with "
                f"`python -m monitoring.maintenance {service.name} --stage {stage} --minutes 30`. "
                "Runbook: ${RunbookUrl}/maintenance.md"
            ),
            Namespace=NAMESPACE,
            MetricName=METRIC,
            Dimensions=[
                cloudwatch.MetricDimension(Name="Service", Value=service.name),
                cloudwatch.MetricDimension(Name="Stage", Value=stage),
            ],
            Statistic="Maximum",
            Period=PERIOD,
            EvaluationPeriods=1,
            DatapointsToAlarm=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            Threshold=1,
            # A window that is over has no data: it cannot be forgotten open.
            TreatMissingData="notBreaching",
            Tags=naming.tags(Owner=service.owner, Service=service.name),
        )
    )
    for severity in severities(children):
        of_severity = [alarm for alarm in children if alarm.severity == severity]
        if len(of_severity) > MOST_CHILDREN:
            raise ValueError(
                f"{service.name} has {len(of_severity)} {severity} alarms, a composite alarm takes "
                f"{MOST_CHILDREN}: split the service"
            )
        template.add_resource(_composite(stage, service, severity, of_severity))


def _composite(
    stage: str, service: Service, severity: Severity, children: Sequence[Alarm]
) -> cloudwatch.CompositeAlarm:
    return cloudwatch.CompositeAlarm(
        logical_id(service.name, severity),
        Metadata=context.why(f"One alarm for everything {severity} in {service.name}"),
        AlarmName=naming.composite(stage, service.name, severity),
        AlarmDescription=Sub(
            f"Severity: {severity}. Owner: {service.owner}. Where: service {service.name}, stage "
            f"{stage}. Meaning: one or more {severity} alarms of the service are in ALARM; the "
            "reason names the one that came last. "
            f"Runbook: ${{RunbookUrl}}/service-{service.name}.md"
        ),
        AlarmRule=Join(" OR ", [_in_alarm(child) for child in children]),
        ActionsSuppressor=Ref(logical_id(service.name, naming.MAINTENANCE)),
        # The window is open before the work begins, and what is still in ALARM when it closes is
        # told by the action `remind`: there is nothing to wait for.
        ActionsSuppressorWaitPeriod=0,
        ActionsSuppressorExtensionPeriod=0,
        Tags=naming.tags(Owner=service.owner, Severity=severity, Service=service.name),
    )


def _in_alarm(child: Alarm) -> Sub | If:
    text = Sub(f'ALARM("${{{child.logical_id}}}")')
    return If(alarms.HAS_ANOMALY_DETECTION, text, "FALSE") if child.band else text


def add_anomaly_condition(template: Template) -> None:
    """Add the condition of the alarms that learn what is usual."""
    template.add_condition(alarms.HAS_ANOMALY_DETECTION, Equals(Ref("AnomalyDetection"), "true"))
