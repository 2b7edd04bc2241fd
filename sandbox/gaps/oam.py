"""Observability access manager: a monitoring account reads the metrics of linked accounts.

AWS: a sink in the monitoring account has a policy that says which accounts may link to it and which
kinds of telemetry they may share; a link that the policy does not allow is refused. Source: Amazon
CloudWatch user guide, "CloudWatch cross-account observability",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Unified-Cross-Account.html.

MiniStack 1.5.33: has neither the service nor its CloudFormation types.

The filler: AWS::Oam::Sink and AWS::Oam::Link, and `shares_metrics`, which the alarm engine asks.
The sink's policy is evaluated by the emulator's IAM evaluator. A link's metric filter may list
namespaces (`Namespace IN (…)`). There is no API beside CloudFormation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
from ministack.core.responses import get_account_id, get_region, new_uuid

from sandbox.gaps.resource_types import ResourceType, register

METRICS = "AWS::CloudWatch::Metric"


@dataclass(frozen=True)
class Sink:
    """Where linked accounts share to."""

    arn: str
    account: str
    policy: dict[str, Any]


@dataclass(frozen=True)
class Link:
    """What an account shares with a sink's account."""

    account: str
    sink_arn: str
    resource_types: tuple[str, ...]
    namespaces: frozenset[str] | None

    def shares(self, namespace: str) -> bool:
        """Whether metrics of this namespace are shared; None stands for all of them."""
        return METRICS in self.resource_types and (
            self.namespaces is None or namespace in self.namespaces
        )


_sinks: dict[str, Sink] = {}
_links: dict[str, Link] = {}


def install() -> None:
    """Add both CloudFormation types."""
    register(
        "AWS::Oam::Sink",
        ResourceType(create_sink, delete_sink, update_sink, replaced_by=("Name",)),
    )
    register(
        "AWS::Oam::Link",
        ResourceType(
            create_link,
            delete_link,
            update_link,
            replaced_by=("LabelTemplate", "SinkIdentifier"),
        ),
    )


def reset() -> None:
    """Forget every sink and link."""
    _sinks.clear()
    _links.clear()


def shares_metrics(source_account: str, monitoring_account: str, namespace: str) -> bool:
    """Whether the monitoring account may read those metrics of the other one, or of itself."""
    return source_account == monitoring_account or any(
        link.account == source_account
        and link.shares(namespace)
        and link.sink_arn in _sinks
        and _sinks[link.sink_arn].account == monitoring_account
        for link in _links.values()
    )


def create_sink(
    _logical_id: str, properties: dict[str, Any], _stack_name: str
) -> tuple[str, dict[str, Any]]:
    """Create a sink; Ref and Arn are its ARN."""
    account = get_account_id()
    arn = f"arn:aws:oam:{get_region()}:{account}:sink/{new_uuid()}"
    _sinks[arn] = Sink(arn, account, properties.get("Policy") or {})
    return arn, {"Arn": arn}


def update_sink(arn: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Change the policy; links made before stay, as on AWS."""
    _sinks[arn] = replace(_sinks[arn], policy=properties.get("Policy") or {})
    return {"Arn": arn}


def delete_sink(arn: str, _properties: dict[str, Any]) -> None:
    """Delete a sink. Raises ValueError where accounts are linked to it, as AWS refuses that."""
    linked = sorted({link.account for link in _links.values() if link.sink_arn == arn})
    if linked:
        raise ValueError(f"sink {arn} still has links from {', '.join(linked)}")
    _sinks.pop(arn, None)


def create_link(
    _logical_id: str, properties: dict[str, Any], _stack_name: str
) -> tuple[str, dict[str, Any]]:
    """Link this account to a sink. Raises ValueError where the sink does not allow it."""
    link = requested_link(properties)
    arn = f"arn:aws:oam:{get_region()}:{link.account}:link/{new_uuid()}"
    _links[arn] = link
    return arn, {"Arn": arn, "Label": link.account}


def update_link(arn: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Share other kinds of telemetry. Raises ValueError where the sink does not allow it."""
    _links[arn] = requested_link(properties)
    return {"Arn": arn, "Label": _links[arn].account}


def delete_link(arn: str, _properties: dict[str, Any]) -> None:
    """Stop sharing."""
    _links.pop(arn, None)


def requested_link(properties: dict[str, Any]) -> Link:
    """The link that the properties describe, allowed by its sink. Raises ValueError."""
    account, sink_arn = get_account_id(), properties["SinkIdentifier"]
    types = tuple(properties["ResourceTypes"])
    sink = _sinks.get(sink_arn)
    context = EvalContext(
        principal_arn=f"arn:aws:iam::{account}:root",
        principal_type="Root",
        principal_account=account,
        action="oam:CreateLink",
        resource_arn=sink_arn,
        region=get_region(),
        service_context={"oam:resourcetypes": list(types)},
    )
    # A sink that is not there is answered like one that refuses.
    allowed = sink and evaluate_resource_policy(sink.policy, context).decision == "Allow"
    if not allowed:
        raise ValueError(
            f"User: arn:aws:iam::{account}:root is not authorized to perform: oam:CreateLink "
            f"on resource: {sink_arn}"
        )
    return Link(account, sink_arn, types, shared_namespaces(properties))


def shared_namespaces(properties: dict[str, Any]) -> frozenset[str] | None:
    """The metric namespaces of a link's filter, None where it has none. Raises ValueError."""
    configuration = properties.get("LinkConfiguration") or {}
    text = (configuration.get("MetricConfiguration") or {}).get("Filter")
    if text is None:
        return None
    listed = re.fullmatch(r"\s*Namespace\s+IN\s*\((.*)\)\s*", text)
    names = re.findall(r"'([^']*)'", listed[1]) if listed else []
    if not names:
        raise ValueError(f"The sandbox reads a filter `Namespace IN ('…', '…')` only, not: {text}")
    return frozenset(names)
