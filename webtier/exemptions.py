"""Exemptions from the rules of checkers, kept beside the resource they exempt."""

from __future__ import annotations

from typing import Any

_SHARED = "HIPAA.Security NIST.800.53.R4 NIST.800.53.R5 PCI.DSS.321"
# The packs of cdk-nag beside AwsSolutions that have the rule; one reason answers them all.
_PACKS = {
    "ALBHttpToHttpsRedirection": _SHARED,
    "ALBWAFEnabled": "NIST.800.53.R4 NIST.800.53.R5 PCI.DSS.321",
    "EC2IMDSv2Enabled": "HIPAA.Security NIST.800.53.R4 NIST.800.53.R5",
    "EC2RestrictedCommonPorts": _SHARED,
    "EC2RestrictedSSH": _SHARED,
    "ELBDeletionProtectionEnabled": "HIPAA.Security NIST.800.53.R4 NIST.800.53.R5",
    "ELBv2ACMCertificateRequired": "HIPAA.Security NIST.800.53.R5 PCI.DSS.321",
    "IAMNoInlinePolicy": _SHARED,
    "LambdaConcurrency": "HIPAA.Security NIST.800.53.R5",
    "LambdaDLQ": "HIPAA.Security NIST.800.53.R5 Serverless",
    "LambdaInsideVPC": _SHARED,
    "LambdaLatestVersion": "Serverless",
    "LambdaStarPermissions": "Serverless",
    "LambdaTracing": "Serverless",
    "RDSInBackupPlan": "HIPAA.Security NIST.800.53.R4 NIST.800.53.R5",
    "RDSInstanceDeletionProtectionEnabled": "HIPAA.Security NIST.800.53.R4 NIST.800.53.R5",
    "RDSMultiAZSupport": "HIPAA.Security NIST.800.53.R4 NIST.800.53.R5",
    "RDSStorageEncrypted": _SHARED,
    "S3BucketDefaultLockEnabled": "NIST.800.53.R4",
    "S3BucketLoggingEnabled": _SHARED,
    "S3BucketReplicationEnabled": _SHARED,
    "S3DefaultEncryptionKMS": "HIPAA.Security NIST.800.53.R5 PCI.DSS.321",
    "SNSRedrivePolicy": "Serverless",
    "VPCDefaultSecurityGroupClosed": _SHARED,
    "VPCNoUnrestrictedRouteToIGW": "HIPAA.Security NIST.800.53.R5 PCI.DSS.321",
}

OWN_POLICY = (
    "IAMNoInlinePolicy",
    "The policy is for this role alone: inline, nothing else can attach it, and it goes with it.",
)
"""For each role: every one here has a policy of its own."""


def exempt(*rules: tuple[str, str]) -> dict[str, Any]:
    """The resource metadata that exempts it from rules, each given as (rule id, reason).

    `AwsSolutions-…` are rules of cdk-nag, `CKV_…` of checkov, the others of parliament. A finding
    within a rule of cdk-nag is named as cdk-nag prints it: `AwsSolutions-IAM5[Resource::*]`. A rule
    of its other packs is named without the pack, and exempts in every pack that has it.
    """
    of_nag, of_checkov, of_parliament = [], [], []
    for rule, reason in rules:
        if rule.startswith("AwsSolutions-"):
            of_nag.append({"id": rule, "reason": reason})
        elif rule in _PACKS:
            of_nag += [{"id": f"{pack}-{rule}", "reason": reason} for pack in _PACKS[rule].split()]
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
