"""The bucket that keeps the load balancer's access logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from troposphere import GetAtt, Ref, Sub, s3

from . import policies
from .exemptions import exempt

if TYPE_CHECKING:
    from troposphere import AWSObject

PREFIX = "alb"
_NO_LOG_OF_LOGS = "A log bucket that logs its own accesses would never come to rest."
_EXEMPTIONS = exempt(
    ("AwsSolutions-S1", _NO_LOG_OF_LOGS),
    ("CKV_AWS_18", _NO_LOG_OF_LOGS),
    ("S3BucketLoggingEnabled", _NO_LOG_OF_LOGS),
    (
        "S3BucketDefaultLockEnabled",
        "Logs expire. Who may not delete them before is the account's to say, as for its trails.",
    ),
    (
        "S3BucketReplicationEnabled",
        "A copy in a second region doubles the cost of logs that nothing here depends on.",
    ),
    (
        "S3DefaultEncryptionKMS",
        (
            "Elastic Load Balancing writes to buckets with SSE-S3 alone (User Guide for "
            "Application Load Balancers, Enable access logs)."
        ),
    ),
)


@dataclass(frozen=True)
class AccessLogs:
    """The bucket, and the policy that must stand before a load balancer can write to it."""

    bucket: s3.Bucket
    policy: s3.BucketPolicy

    @property
    def resources(self) -> tuple[AWSObject, ...]:
        """All resources."""
        return self.bucket, self.policy


def build(retention_days: int) -> AccessLogs:
    """A private, versioned bucket whose logs expire after so many days.

    Elastic Load Balancing writes to buckets with SSE-S3 encryption only, and as the service
    principal below ("Enable access logs for your Application Load Balancer").
    """
    bucket = s3.Bucket(
        "AccessLogs",
        BucketEncryption=s3.BucketEncryption(
            ServerSideEncryptionConfiguration=[
                s3.ServerSideEncryptionRule(
                    ServerSideEncryptionByDefault=s3.ServerSideEncryptionByDefault(
                        SSEAlgorithm="AES256"
                    )
                )
            ]
        ),
        PublicAccessBlockConfiguration=s3.PublicAccessBlockConfiguration(
            BlockPublicAcls=True,
            BlockPublicPolicy=True,
            IgnorePublicAcls=True,
            RestrictPublicBuckets=True,
        ),
        OwnershipControls=s3.OwnershipControls(
            Rules=[s3.OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]
        ),
        VersioningConfiguration=s3.VersioningConfiguration(Status="Enabled"),
        LifecycleConfiguration=s3.LifecycleConfiguration(
            Rules=[
                s3.LifecycleRule(
                    Id="expire",
                    Status="Enabled",
                    ExpirationInDays=retention_days,
                    NoncurrentVersionExpiration=s3.NoncurrentVersionExpiration(NoncurrentDays=30),
                    AbortIncompleteMultipartUpload=s3.AbortIncompleteMultipartUpload(
                        DaysAfterInitiation=7
                    ),
                )
            ]
        ),
        DeletionPolicy="Retain",
        UpdateReplacePolicy="Retain",
        Metadata=_EXEMPTIONS,
    )
    policy = s3.BucketPolicy(
        "AccessLogsPolicy",
        Bucket=Ref(bucket),
        PolicyDocument=policies.document(
            policies.tls_only("s3:*", [GetAtt(bucket, "Arn"), Sub(f"${{{bucket.title}.Arn}}/*")]),
            {
                "Sid": "LoadBalancerLogs",
                "Effect": "Allow",
                "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": Sub(f"${{{bucket.title}.Arn}}/{PREFIX}/AWSLogs/${{AWS::AccountId}}/*"),
                "Condition": {
                    "ArnLike": {
                        "aws:SourceArn": Sub(
                            "arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}"
                            ":${AWS::AccountId}:loadbalancer/app/*"
                        )
                    }
                },
            },
        ),
    )
    return AccessLogs(bucket, policy)
