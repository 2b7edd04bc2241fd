"""Observability Access Manager: the sink that takes in metrics, and the link that shares them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Unified-Cross-Account.html
"""

from __future__ import annotations

from troposphere import GetAtt, Output, Ref, Template, oam

from monitoring import context, naming

METRICS = "AWS::CloudWatch::Metric"
NAMESPACES = ("AWS/ApiGateway", "AWS/Lambda")
"""The metric namespaces that the alarms read, and so the only ones that are shared."""


def add_sink(template: Template, stage: str) -> None:
    """Add the sink: the workload account alone may link to it, to share metrics and nothing else.

    An account has one sink a Region, so one stage is watched from one monitoring account.
    """
    template.add_resource(
        oam.Sink(
            "Sink",
            Metadata=context.why("The workload account shares its metrics with it"),
            Name=naming.stack(stage),
            Policy={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": Ref("WorkloadAccountId")},
                        "Action": ["oam:CreateLink", "oam:UpdateLink"],
                        "Resource": "*",
                        "Condition": {
                            "ForAllValues:StringEquals": {"oam:ResourceTypes": [METRICS]}
                        },
                    }
                ],
            },
            Tags=naming.TAGS,
        )
    )
    template.add_output(
        Output(
            "SinkArn", Description="The workload account links to it", Value=GetAtt("Sink", "Arn")
        )
    )


def add_link(template: Template) -> None:
    """Add the link from the workload account to the sink of the parameter `SinkArn`."""
    names = ", ".join(f"'{namespace}'" for namespace in NAMESPACES)
    template.add_resource(
        oam.Link(
            "Link",
            Metadata=context.why("Shares the metrics that the alarms read, and no others"),
            LabelTemplate="$AccountName",
            ResourceTypes=[METRICS],
            LinkConfiguration=oam.LinkConfiguration(
                MetricConfiguration=oam.LinkFilter(Filter=f"Namespace IN ({names})")
            ),
            SinkIdentifier=Ref("SinkArn"),
            Tags=naming.TAGS,
        )
    )
