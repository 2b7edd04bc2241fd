"""When the group grows and shrinks: with requests, with CPU, and at times known before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import GetAtt, Join, Ref, autoscaling

from . import parameters

if TYPE_CHECKING:
    from troposphere import AWSObject

    from .load_balancer import Front
    from .options import Options

CPU_TARGET_PERCENT = 60


def build(
    options: Options, group: autoscaling.AutoScalingGroup, front: Front
) -> tuple[AWSObject, ...]:
    """The policies, of which the one that wants more instances wins, and the schedule."""
    return (*_policies(group, front), *_schedule(options, group))


def _policies(
    group: autoscaling.AutoScalingGroup, front: Front
) -> tuple[autoscaling.ScalingPolicy, ...]:
    requests = autoscaling.PredefinedMetricSpecification(
        PredefinedMetricType="ALBRequestCountPerTarget",
        ResourceLabel=Join(
            "/",
            [
                GetAtt(front.load_balancer, "LoadBalancerFullName"),
                GetAtt(front.target_group, "TargetGroupFullName"),
            ],
        ),
    )
    cpu = autoscaling.PredefinedMetricSpecification(PredefinedMetricType="ASGAverageCPUUtilization")
    return tuple(
        autoscaling.ScalingPolicy(
            title,
            AutoScalingGroupName=Ref(group),
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration=autoscaling.TargetTrackingConfiguration(
                PredefinedMetricSpecification=metric, TargetValue=target
            ),
        )
        for title, metric, target in (
            ("ScaleOnRequests", requests, Ref(parameters.REQUESTS_PER_INSTANCE)),
            ("ScaleOnCpu", cpu, CPU_TARGET_PERCENT),
        )
    )


def _schedule(
    options: Options, group: autoscaling.AutoScalingGroup
) -> tuple[autoscaling.ScheduledAction, ...]:
    """Each action sets the fewest instances alone: how many there are follows load as ever."""
    return tuple(
        autoscaling.ScheduledAction(
            f"ScheduledMinimum{number}",
            AutoScalingGroupName=Ref(group),
            Recurrence=entry.recurrence,
            TimeZone=options.time_zone,
            MinSize=entry.minimum,
        )
        for number, entry in enumerate(options.schedule, start=1)
    )
