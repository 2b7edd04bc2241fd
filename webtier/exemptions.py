"""Exemptions from the rules of checkers, kept beside the resource they exempt."""

from __future__ import annotations

from typing import Any


def exempt(*rules: tuple[str, str]) -> dict[str, Any]:
    """The resource metadata that exempts it from rules, each given as (rule id, reason).

    `AwsSolutions-…` are rules of cdk-nag, `CKV_…` of checkov, the others of parliament. A finding
    within a rule of cdk-nag is named as cdk-nag prints it: `AwsSolutions-IAM5[Resource::*]`.
    """
    of_nag, of_checkov, of_parliament = [], [], []
    for rule, reason in rules:
        if rule.startswith("AwsSolutions-"):
            of_nag.append({"id": rule, "reason": reason})
        elif rule.startswith("CKV_"):
            of_checkov.append({"id": rule, "comment": reason})
        else:
            of_parliament.append({"id": rule, "reason": reason})
    metadata = {
        "cdk_nag": {"rules_to_suppress": of_nag},
        "checkov": {"skip": of_checkov},
        "parliament": {"ignore": of_parliament},
    }
    return {checker: excuses for checker, excuses in metadata.items() if any(excuses.values())}
