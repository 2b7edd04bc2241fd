"""A resource's metadata: why it is there, what it is for, and which advice it does not take.

The reasons are under the key com.aws.cloudformation.Context ("Metadata attribute", AWS
CloudFormation Template Reference; rule I4010 of cfn-lint asks for it), the exceptions in the forms
that cdk-nag, checkov and `tests/parliament` read.
"""

from __future__ import annotations

from typing import Any

SQS_KEY = (
    "CKV_AWS_27",
    "encrypted with a key of SQS: names of alarms are no secret worth a key of their own",
)
"""Why queues are encrypted by SQS itself: checkov knows keys of KMS alone."""

_KEY = "com.aws.cloudformation.Context"


def architecture(summary: str) -> dict[str, Any]:
    """Return a template's metadata: what it builds and how data flows through it."""
    return {_KEY: {"arch": summary}}


def why(reason: str) -> dict[str, dict[str, str]]:
    """Return a resource's metadata: what it is for."""
    return {_KEY: {"why": reason}}


def unlike_cdk_nag(*rules: tuple[str, str]) -> dict[str, Any]:
    """Return the metadata that excuses a resource from rules of cdk-nag: (rule id, reason).

    A template's own names rules of the packs beside AwsSolutions, without their packs.
    """
    return {
        "cdk_nag": {"rules_to_suppress": [{"id": rule, "reason": reason} for rule, reason in rules]}
    }


def unlike_parliament(*issues: tuple[str, str]) -> dict[str, Any]:
    """Return the metadata that excuses a resource's policies from (issue of parliament, reason)."""
    return {"parliament": {"ignore": [{"id": issue, "reason": reason} for issue, reason in issues]}}


def unlike_checkov(*checks: tuple[str, str]) -> dict[str, Any]:
    """Return the metadata that excuses a resource from checks of checkov: (check id, reason)."""
    return {"checkov": {"skip": [{"id": check, "comment": reason} for check, reason in checks]}}
