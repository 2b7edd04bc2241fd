"""The account's bucket: what CloudFormation fetches, by content, and the state of each stage."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from botocore.exceptions import ClientError
from troposphere import Output, Ref, Sub, Tags, Template
from troposphere.s3 import (
    AbortIncompleteMultipartUpload,
    Bucket,
    BucketEncryption,
    BucketPolicy,
    LifecycleConfiguration,
    LifecycleRule,
    NoncurrentVersionExpiration,
    OwnershipControls,
    OwnershipControlsRule,
    PublicAccessBlockConfiguration,
    ServerSideEncryptionByDefault,
    ServerSideEncryptionRule,
    VersioningConfiguration,
)

from deploy.account import Account
from deploy.template import StackTemplate

STACK = "aws-architectures-artifacts"
TAGS = {"Project": "aws-architectures", "Part": "deploy"}


def bucket_name(account: Account) -> str:
    """Return the name of the account's bucket in the region."""
    return f"{STACK}-{account.account_id}-{account.region}"


def stack_template() -> StackTemplate:
    """Return the stack of the bucket: one an account and region, for every part and stage."""
    template = Template(Description="What CloudFormation fetches, and the state of each stage")
    template.set_version()
    bucket = template.add_resource(
        Bucket(
            "Artifacts",
            # A stack that rolls back needs the file it had before.
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            BucketName=Sub("${AWS::StackName}-${AWS::AccountId}-${AWS::Region}"),
            BucketEncryption=BucketEncryption(
                ServerSideEncryptionConfiguration=[
                    ServerSideEncryptionRule(
                        ServerSideEncryptionByDefault=ServerSideEncryptionByDefault(
                            SSEAlgorithm="AES256"
                        )
                    )
                ]
            ),
            OwnershipControls=OwnershipControls(
                Rules=[OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]
            ),
            PublicAccessBlockConfiguration=PublicAccessBlockConfiguration(
                BlockPublicAcls=True,
                BlockPublicPolicy=True,
                IgnorePublicAcls=True,
                RestrictPublicBuckets=True,
            ),
            VersioningConfiguration=VersioningConfiguration(Status="Enabled"),
            LifecycleConfiguration=LifecycleConfiguration(
                Rules=[
                    LifecycleRule(
                        Id="unfinished-uploads",
                        Status="Enabled",
                        AbortIncompleteMultipartUpload=AbortIncompleteMultipartUpload(
                            DaysAfterInitiation=1
                        ),
                    ),
                    LifecycleRule(
                        Id="released-locks",
                        Status="Enabled",
                        Prefix="locks/",
                        ExpirationInDays=1,
                        NoncurrentVersionExpiration=NoncurrentVersionExpiration(NoncurrentDays=1),
                    ),
                ]
            ),
            Tags=Tags(**TAGS),
        )
    )
    template.add_resource(
        BucketPolicy(
            "ArtifactsPolicy",
            Bucket=Ref(bucket),
            PolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "TlsOnly",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [
                            Sub(f"${{{bucket.title}.Arn}}"),
                            Sub(f"${{{bucket.title}.Arn}}/*"),
                        ],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            },
        )
    )
    template.add_output(Output("BucketName", Value=Ref(bucket)))
    return StackTemplate(STACK, template.to_dict(), tags=TAGS)


def location(account: Account, file: Path) -> str:
    """Return where the file is, or will be, in the bucket: the same content at the same place."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"s3://{bucket_name(account)}/{digest}{file.suffix}"


def upload(account: Account, file: Path) -> str:
    """Upload the file unless the bucket has it, and return its location."""
    url = location(account, file)
    put(account, url.rpartition("/")[2], file.read_bytes())
    return url


def put(account: Account, key: str, content: bytes) -> str | None:
    """Put the content into the bucket unless it is there, return the version that this made.

    The key has the content's SHA-256 checksum.
    """
    bucket, client = bucket_name(account), account.client("s3")
    try:
        client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"404", "NoSuchKey", "NotFound"}:
            raise
        made = client.put_object(Bucket=bucket, Key=key, Body=content, ChecksumAlgorithm="SHA256")
        version: str = made["VersionId"]
        return version
    return None


def with_url(account: Account, template: StackTemplate) -> StackTemplate:
    """Put the template into the bucket, and return it with its URL, as CloudFormation reads it."""
    put(account, _key(template), template.body.encode())
    return _at_its_url(account, template)


@contextmanager
def temporarily(account: Account, template: StackTemplate) -> Iterator[StackTemplate]:
    """Have the template, if it is too long for a request, in the bucket for a while."""
    if template.fits_a_request:
        yield template
        return
    key = _key(template)
    version = put(account, key, template.body.encode())
    try:
        yield _at_its_url(account, template)
    finally:
        if version is not None:
            account.client("s3").delete_object(
                Bucket=bucket_name(account), Key=key, VersionId=version
            )


def _key(template: StackTemplate) -> str:
    return f"{hashlib.sha256(template.body.encode()).hexdigest()}.json"


def _at_its_url(account: Account, template: StackTemplate) -> StackTemplate:
    endpoint = account.client("s3").meta.endpoint_url
    return replace(template, url=f"{endpoint}/{bucket_name(account)}/{_key(template)}")
