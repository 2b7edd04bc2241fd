"""A page that shows every alarm, and each tier's load and health under it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from troposphere import Sub, cloudwatch

if TYPE_CHECKING:
    from troposphere import autoscaling

    from .database import Database
    from .load_balancer import Front

_WIDTH = 24
_HEIGHT = 6

# One line of a graph: namespace, metric, its dimensions as names and values, and its statistic.
_Line = list[Any]


def build(
    front: Front,
    group: autoscaling.AutoScalingGroup,
    data: Database,
    alarms: tuple[cloudwatch.Alarm, ...],
) -> cloudwatch.Dashboard:
    """The dashboard, named by CloudFormation after the stack."""
    graphs = {
        "Requests and answers a minute": _requests(front),
        "Response time in seconds": _response_time(front),
        "Instances": _instances(front, group),
        "CPU in per cent": _cpu(group, data),
        "Database connections": _of_members(data, "DatabaseConnections", "Maximum"),
        "Database storage free, in bytes": _of_members(data, "FreeStorageSpace", "Minimum"),
    }
    width = _WIDTH // 2
    widgets = [
        _alarm_states(alarms),
        *(
            _graph(title, lines, index % 2 * width, _HEIGHT + index // 2 * _HEIGHT, width)
            for index, (title, lines) in enumerate(graphs.items())
        ),
    ]
    body = json.dumps({"widgets": widgets}, separators=(",", ":"))
    values = {f"Member{number}": member.identifier for number, member in enumerate(data.members)}
    return cloudwatch.Dashboard("Dashboard", DashboardBody=Sub(body, **values))


def _alarm_states(alarms: tuple[cloudwatch.Alarm, ...]) -> dict[str, Any]:
    arns = [f"${{{alarm.title}.Arn}}" for alarm in alarms]
    return {
        "type": "alarm",
        "x": 0,
        "y": 0,
        "width": _WIDTH,
        "height": _HEIGHT,
        "properties": {"title": "Alarms", "alarms": arns},
    }


def _graph(title: str, lines: list[_Line], left: int, top: int, width: int) -> dict[str, Any]:
    return {
        "type": "metric",
        "x": left,
        "y": top,
        "width": width,
        "height": _HEIGHT,
        "properties": {
            "title": title,
            "region": "${AWS::Region}",
            "period": 60,
            "view": "timeSeries",
            "metrics": lines,
        },
    }


def _requests(front: Front) -> list[_Line]:
    balancer = _balancer(front)
    return [
        ["AWS/ApplicationELB", metric, *balancer, {"stat": "Sum"}]
        for metric in (
            "RequestCount",
            "HTTPCode_Target_4XX_Count",
            "HTTPCode_Target_5XX_Count",
            "HTTPCode_ELB_5XX_Count",
        )
    ]


def _response_time(front: Front) -> list[_Line]:
    return [
        ["AWS/ApplicationELB", "TargetResponseTime", *_balancer(front), {"stat": statistic}]
        for statistic in ("p50", "p95", "p99")
    ]


def _instances(front: Front, group: autoscaling.AutoScalingGroup) -> list[_Line]:
    of_group = ["AutoScalingGroupName", f"${{{group.title}}}"]
    targets = [
        *_balancer(front),
        "TargetGroup",
        f"${{{front.target_group.title}.TargetGroupFullName}}",
    ]
    return [
        ["AWS/AutoScaling", "GroupDesiredCapacity", *of_group, {"stat": "Maximum"}],
        ["AWS/AutoScaling", "GroupInServiceInstances", *of_group, {"stat": "Minimum"}],
        ["AWS/ApplicationELB", "HealthyHostCount", *targets, {"stat": "Minimum"}],
    ]


def _cpu(group: autoscaling.AutoScalingGroup, data: Database) -> list[_Line]:
    of_group = ["AutoScalingGroupName", f"${{{group.title}}}"]
    return [
        ["AWS/EC2", "CPUUtilization", *of_group, {"stat": "Average"}],
        *_of_members(data, "CPUUtilization", "Average"),
    ]


def _of_members(data: Database, metric: str, statistic: str) -> list[_Line]:
    return [
        ["AWS/RDS", metric, "DBInstanceIdentifier", f"${{Member{number}}}", {"stat": statistic}]
        for number, _ in enumerate(data.members)
    ]


def _balancer(front: Front) -> list[str]:
    return ["LoadBalancer", f"${{{front.load_balancer.title}.LoadBalancerFullName}}"]
