"""Observability Access Manager: the sink that takes in telemetry, and the link that shares it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Unified-Cross-Account.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import GetAtt, Output, Ref, Template, oam

from monitoring import context, naming
from monitoring.organization import in_organization

if TYPE_CHECKING:
    from collections.abc import Iterable

SHARED = ("AWS::CloudWatch::Metric", "AWS::Logs::LogGroup")
"""The kinds of telemetry that the sink takes, and no others."""

NAMESPACES = ("AWS/ApiGateway", "AWS/DynamoDB", "AWS/Lambda", "AWS/SQS")
"""The metric namespaces that the alarms read, and so the only ones that are shared."""


def add_sink(template: Template, stage: str) -> None:
    """Add the sink: the workload account alone may link to it, to share metrics and logs.

    Where an organisation is named, the account has to be in it as well. An account has one sink a
    Region, so one stage is watched from one monitoring account.
    """
    template.add_resource(
        oam.Sink(
            "Sink",
            Metadata=context.why("The workload account shares its metrics and logs with it")
            | context.unlike_parliament(
                ("RESOURCE_MISMATCH", "a sink's policy grants what is done to links to it"),
            ),
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
                            "ForAllValues:StringEquals": {"oam:ResourceTypes": list(SHARED)},
                            **in_organization({"aws:PrincipalAccount": Ref("WorkloadAccountId")}),
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


def add_link(template: Template, functions: Iterable[str]) -> None:
    """Add the link from the workload account to the sink of the parameter `SinkArn`.

    `functions` are the names of the functions whose logs are shared, beside the metrics.

    Raises ValueError: there are more functions than a filter can name.
    """
    metrics = ", ".join(f"'{namespace}'" for namespace in NAMESPACES)
    # One operand names them all: a filter has five conditional operands at most.
    groups = ", ".join(f"'/aws/lambda/{name}'" for name in functions)
    logs_filter = f"LogGroupName IN ({groups})"
    if len(logs_filter) > 2000:
        raise ValueError("a link's filter takes 2,000 characters: share log groups by a prefix")
    template.add_resource(
        oam.Link(
            "Link",
            Metadata=context.why(
                "Shares the metrics that the alarms read, and the logs to look at"
            ),
            LabelTemplate="$AccountName",
            ResourceTypes=list(SHARED),
            LinkConfiguration=oam.LinkConfiguration(
                LogGroupConfiguration=oam.LinkFilter(Filter=logs_filter),
                MetricConfiguration=oam.LinkFilter(Filter=f"Namespace IN ({metrics})"),
            ),
            SinkIdentifier=Ref("SinkArn"),
            Tags=naming.TAGS,
        )
    )
