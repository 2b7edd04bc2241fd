"""What no policy of this project does, beyond what parliament and the other checkers look for.

A principal `*` is let in by nothing but a condition, no action is a wildcard, and a service is let
in for this account, or for one of its resources, alone: "The confused deputy problem", AWS IAM user
guide, https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SOURCES = ("aws:sourceaccount", "aws:sourcearn", "kms:encryptioncontext:aws:logs:arn")
"""Condition keys that say for whom a service acts."""

WITHOUT_SOURCE = {
    ("apigateway.amazonaws.com", "sts:AssumeRole"): "API Gateway documents no source for the role "
    "of its logs (Amazon API Gateway developer guide, Set up CloudWatch logging for REST APIs)",
    ("ec2.amazonaws.com", "sts:AssumeRole"): "EC2 sends no source; an instance profile is passed "
    "within its account only (AWS IAM user guide, The confused deputy problem)",
    ("events.amazonaws.com", "sns:Publish"): "EventBridge sends SNS no source (Amazon EventBridge "
    "user guide, Using resource-based policies)",
    ("events.amazonaws.com", "kms:Decrypt"): "nor KMS, for an encrypted topic (Amazon SNS "
    "developer guide, Managing Amazon SNS encryption keys and costs)",
    ("events.amazonaws.com", "kms:GenerateDataKey"): "as kms:Decrypt",
}
"""Services that send none of these, each with the document that says so."""

WIRE = ("AWS::S3::Bucket", "AWS::SNS::Topic", "AWS::SQS::Queue")
"""Resources that refuse what does not come over TLS."""


def faults(document: Mapping[str, Any], *, filters: bool = False) -> Iterator[str]:
    """Yield what is wrong with a policy document, whatever it is attached to.

    `filters` says that it lets nobody in: the policy of a VPC endpoint takes rights away.
    """
    for place, statement in enumerate(listed(document["Statement"])):
        name = statement.get("Sid") or f"statement {place}"
        if statement["Effect"] != "Allow":
            continue
        actions = listed(statement.get("Action", []))
        if not actions:
            yield f"{name} allows by NotAction"
        principal = statement.get("Principal")
        owner = isinstance(principal, dict) and str(principal.get("AWS", "")).endswith(":root")
        for action in actions:
            # A key's policy gives its account the key: without that only the policy itself rules.
            if "*" in action and not (action == "kms:*" and owner):
                service, _, pattern = action.partition(":")
                if pattern in ("", "*") or service == "*":
                    yield f"{name} allows every action: {action}"
        condition = {
            key.lower() for block in statement.get("Condition", {}).values() for key in block
        }
        if principal in ("*", {"AWS": "*"}) and not condition and not filters:
            yield f"{name} lets everybody in"
        for service in listed(principal.get("Service", [])) if isinstance(principal, dict) else ():
            for action in actions:
                known = (str(service), action) in WITHOUT_SOURCE
                if not known and not condition & set(SOURCES):
                    yield f"{name} lets {service} in for any account: {action}"


def open_to_plain_http(template: Mapping[str, Any]) -> Iterator[str]:
    """Yield the logical ids of buckets, topics and queues that no policy closes to plain HTTP."""
    closed = set()
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        document = properties.get("PolicyDocument")
        if not str(resource.get("Type")).endswith("Policy") or not isinstance(document, dict):
            continue
        for statement in listed(document["Statement"]):
            if statement["Effect"] == "Deny" and statement.get("Condition") == {
                "Bool": {"aws:SecureTransport": "false"}
            }:
                for attached in (
                    *listed(properties.get("Bucket", [])),
                    *properties.get("Queues", []),
                    *properties.get("Topics", []),
                ):
                    closed.add(attached["Ref"])
    for name, resource in template["Resources"].items():
        if resource.get("Type") in WIRE and name not in closed:
            yield name


def unbound_permissions(template: Mapping[str, Any]) -> Iterator[str]:
    """Yield the logical ids of permissions to invoke a function that name no source."""
    for name, resource in template["Resources"].items():
        if resource.get("Type") == "AWS::Lambda::Permission":
            properties = resource["Properties"]
            if not {"SourceArn", "SourceAccount"} & properties.keys():
                yield name


def listed(value: Any) -> list[Any]:
    """The value as a list."""
    return value if isinstance(value, list) else [value]
