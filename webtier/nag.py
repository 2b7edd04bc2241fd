"""Exceptions to rules of cdk-nag and checks of checkov, kept beside the resource they excuse."""

from __future__ import annotations

from typing import Any


def exception(*rules: tuple[str, str]) -> dict[str, Any]:
    """The resource metadata that excuses it from rules, each given as (rule id, reason).

    A finding within a rule is named as cdk-nag prints it: `AwsSolutions-IAM5[Resource::*]`.
    """
    return {
        "cdk_nag": {"rules_to_suppress": [{"id": rule, "reason": reason} for rule, reason in rules]}
    }


def checkov_exception(*checks: tuple[str, str]) -> dict[str, Any]:
    """The resource metadata that excuses it from checks, each given as (check id, reason)."""
    return {"checkov": {"skip": [{"id": check, "comment": reason} for check, reason in checks]}}
