"""The dashboard of a stage: the alarms of each service, and the metrics behind them.

Source: Amazon CloudWatch API reference, "Dashboard body structure and syntax",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from troposphere import Output, Ref, Sub, Template, cloudwatch

from monitoring import composites, context, naming

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitoring.alarms import Alarm

WIDTH = 24
_GRAPH = {"width": 8, "height": 6}


def add(template: Template, stage: str, alarms: Mapping[str, Sequence[Alarm]]) -> None:
    """Add the dashboard. `alarms` are those of each service, by its name."""
    template.add_resource(
        cloudwatch.Dashboard(
            "Dashboard",
            Metadata=context.why("Shows every alarm and what it measures, a row a service"),
            DashboardName=naming.stack(stage),
            DashboardBody=Sub(json.dumps(body(stage, alarms), separators=(",", ":"))),
        )
    )
    template.add_output(
        Output("DashboardName", Description="Every alarm and metric", Value=Ref("Dashboard"))
    )


def body(stage: str, alarms: Mapping[str, Sequence[Alarm]]) -> dict[str, Any]:
    """Return the body; account and Region in it are names for `Fn::Sub`."""
    widgets: list[dict[str, Any]] = []
    y = 0
    for service, children in alarms.items():
        names = [
            naming.composite(stage, service, severity)
            for severity in composites.severities(children)
        ]
        names += [naming.maintenance(stage, service)]
        names += [alarm.name(stage) for alarm in children if not alarm.band]
        height = 1 + (len(names) + 3) // 4
        widgets.append(
            {
                "type": "alarm",
                "x": 0,
                "y": y,
                "width": WIDTH,
                "height": height,
                "properties": {"title": service, "alarms": [_arn(name) for name in names]},
            }
        )
        y += height
        for number, alarm in enumerate(children):
            widgets.append(
                {
                    "type": "metric",
                    "x": number % 3 * _GRAPH["width"],
                    "y": y + number // 3 * _GRAPH["height"],
                    **_GRAPH,
                    "properties": _graph(alarm),
                }
            )
        y += (len(children) + 2) // 3 * _GRAPH["height"]
    return {"widgets": widgets}


def _arn(name: str) -> str:
    return f"arn:${{AWS::Partition}}:cloudwatch:${{AWS::Region}}:${{AWS::AccountId}}:alarm:{name}"


def _graph(alarm: Alarm) -> dict[str, Any]:
    linked = {"accountId": "${WorkloadAccountId}"} if alarm.account == "workload" else {}
    metrics: list[list[Any]] = [
        [
            alarm.namespace,
            metric.name,
            *(part for pair in (*alarm.dimensions, *metric.dimensions) for part in pair),
            {
                "id": metric.id,
                "stat": metric.statistic,
                "visible": alarm.expression is None,
                **linked,
            },
        ]
        for metric in alarm.metrics
    ]
    if alarm.expression is not None:
        metrics.insert(0, [{"expression": alarm.expression, "id": "value", "label": alarm.label}])
    annotation = {"label": alarm.severity, "value": alarm.threshold.threshold}
    return {
        "title": f"{alarm.subject}: {alarm.condition}",
        "region": "${AWS::Region}",
        "view": "timeSeries",
        "period": 60,
        "yAxis": {"left": {"min": 0, "label": alarm.label, "showUnits": False}},
        "metrics": metrics,
        **({} if alarm.band else {"annotations": {"horizontal": [annotation]}}),
    }
