"""The key that encrypts what the stack keeps: the database, its secret, logs and alerts."""

from __future__ import annotations

from typing import Any

from troposphere import Sub, kms

from . import database_events, policies

# AWS KMS Developer Guide, "Key policy statements": what the account's administrators may do.
# Spelled out instead of kms:*, so that an operation AWS adds later is not granted unseen.
_ACCOUNT_ACTIONS = [
    "kms:CancelKeyDeletion",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateKeyDescription",
]


def build() -> kms.Key:
    """The key, with its policy for the account, CloudWatch Logs, and who publishes alerts."""
    return kms.Key(
        "Key",
        Description=Sub("Data at rest of ${AWS::StackName}"),
        EnableKeyRotation=True,
        PendingWindowInDays=30,
        KeyPolicy=policies.document(_account(), _grants(), _logs(), *_alerts()),
        # Snapshots and retained logs are unreadable without their key.
        DeletionPolicy="Retain",
        UpdateReplacePolicy="Retain",
    )


def _account() -> dict[str, Any]:
    return {
        "Sid": "AccountThroughIam",
        "Effect": "Allow",
        "Principal": {"AWS": Sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")},
        "Action": _ACCOUNT_ACTIONS,
        "Resource": "*",
    }


def _grants() -> dict[str, Any]:
    """Only AWS services make grants, which would outlast whoever made them otherwise.

    AWS Control Tower controls reference, CT.KMS.PR.3.
    """
    return {
        "Sid": "GrantsForServicesAlone",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "kms:CreateGrant",
        "Resource": "*",
        "Condition": {
            "BoolIfExists": {
                "kms:GrantIsForAWSResource": "false",
                "aws:PrincipalIsAWSService": "false",
            }
        },
    }


def _logs() -> dict[str, Any]:
    """Amazon CloudWatch Logs User Guide, "Encrypt log data using AWS KMS"."""
    log_groups = Sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:*")
    return {
        "Sid": "CloudWatchLogs",
        "Effect": "Allow",
        "Principal": {"Service": Sub("logs.${AWS::Region}.amazonaws.com")},
        "Action": [
            "kms:Decrypt",
            "kms:Encrypt",
            "kms:GenerateDataKey",
            "kms:GenerateDataKeyWithoutPlaintext",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        ],
        "Resource": "*",
        "Condition": {"StringLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
    }


def _alerts() -> list[dict[str, Any]]:
    """Amazon SNS Developer Guide, "Managing Amazon SNS encryption keys and costs"."""
    publishers = {
        "CloudWatchAlarms": "cloudwatch.amazonaws.com",
        "DatabaseEvents": database_events.SERVICE,
    }
    return [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
            "Condition": policies.THIS_ACCOUNT,
        }
        for sid, service in publishers.items()
    ]
