"""Building blocks of the policy documents in this template."""

from __future__ import annotations

from typing import Any

from troposphere import AccountId

VERSION = "2012-10-17"
THIS_ACCOUNT = {"StringEquals": {"aws:SourceAccount": AccountId}}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    """The policy document of these statements."""
    return {"Version": VERSION, "Statement": list(statements)}


def trust(service: str, condition: dict[str, Any] | None = None) -> dict[str, Any]:
    """The trust policy that lets one AWS service assume a role.

    Give `condition` where the service sends the key it names: EC2 does not send
    `aws:SourceAccount` (IAM User Guide, "The confused deputy problem").
    """
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if condition:
        statement["Condition"] = condition
    return document(statement)


def tls_only(action: str, resources: list[Any]) -> dict[str, Any]:
    """The statement that refuses an unencrypted connection.

    Security Hub controls reference, S3.5 and SNS topics' security best practices.
    """
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resources,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
