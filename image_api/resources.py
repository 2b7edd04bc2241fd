"""The data image_api owns: two buckets, as a CloudFormation template, and who may do what in them.

    python image_api/resources.py [--output DIR]

writes `image_api.json`. `python -m deploy image_api` creates the stack and records its outputs for
Chalice by `environment` and `policies`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from troposphere import (
    GetAtt,
    Join,
    Output,
    Parameter,
    Ref,
    Select,
    Split,
    Sub,
    Tags,
    Template,
)
from troposphere.logs import LogGroup
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

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = "aws-architectures"
PART = "image_api"

# Prefixes of the keys in chalicelib/keys.py, which is not importable here under its own name.
SOURCES = "images/"
RENDITIONS = "renditions/"

# How many days a deleted upload can be restored. A rendition can be made again at any time.
SOURCE_RETENTION_DAYS = 30
RENDITION_RETENTION_DAYS = 1


def template() -> Template:
    """Return the template of the stack `image-api-STAGE`: both buckets, and the functions' logs."""
    built = Template(Description="Image API: buckets of uploads and renditions, log groups")
    built.set_version()
    # I4010 asks for a design note on each resource; the comments here are those.
    built.set_metadata({"cfn-lint": {"config": {"ignore_checks": ["I4010"]}}})
    retention = built.add_parameter(
        Parameter(
            "LogRetentionDays",
            Type="Number",
            AllowedValues=[7, 14, 30, 90, 180, 365],
            Default=30,
            Description="Days the functions' logs are kept",
        )
    )
    _add_bucket(built, "Source", SOURCE_RETENTION_DAYS)
    _add_bucket(built, "Destination", RENDITION_RETENTION_DAYS)
    for name, suffix in (("ApiHandler", ""), ("Process", "-process")):
        _add_log_group(built, name, suffix, retention)
    return built


def _add_log_group(built: Template, name: str, suffix: str, retention: Parameter) -> None:
    """Add the log group of a function; Lambda would make one that keeps everything for ever."""
    log_group = built.add_resource(
        LogGroup(
            f"{name}Log",
            # Chalice names the functions after the stage, which ends the name of the stack.
            LogGroupName=Join(
                "",
                [
                    "/aws/lambda/image_api-",
                    Select(1, Split("image-api-", Ref("AWS::StackName"))),
                    suffix,
                ],
            ),
            RetentionInDays=Ref(retention),
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            Tags=Tags(Project=PROJECT, Part=PART),
        )
    )
    # The ARN as IAM wants it for log streams; GetAtt Arn ends in ":*" on AWS.
    built.add_output(
        Output(
            f"{name}LogGroupArn",
            Description=f"ARN of the log group of {name}",
            Value=Sub(
                "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:"
                f"${{{log_group.title}}}"
            ),
        )
    )


def _add_bucket(built: Template, purpose: str, retention_days: int) -> None:
    name = f"{purpose}Bucket"
    bucket = built.add_resource(
        Bucket(
            name,
            BucketName=Sub(
                f"${{AWS::StackName}}-{purpose.lower()}-${{AWS::AccountId}}-${{AWS::Region}}"
            ),
            # SSE-S3: no party reads these objects but the two functions' roles and the holders of
            # URLs they sign, so a key of its own would guard the same door twice, and cost a KMS
            # request for every upload and every view.
            BucketEncryption=BucketEncryption(
                ServerSideEncryptionConfiguration=[
                    ServerSideEncryptionRule(
                        ServerSideEncryptionByDefault=ServerSideEncryptionByDefault(
                            SSEAlgorithm="AES256"
                        )
                    )
                ]
            ),
            LifecycleConfiguration=LifecycleConfiguration(
                Rules=[
                    LifecycleRule(
                        Id="remove-noncurrent-versions",
                        Status="Enabled",
                        NoncurrentVersionExpiration=NoncurrentVersionExpiration(
                            NoncurrentDays=retention_days
                        ),
                        ExpiredObjectDeleteMarker=True,
                    ),
                    LifecycleRule(
                        Id="abort-incomplete-multipart-uploads",
                        Status="Enabled",
                        AbortIncompleteMultipartUpload=AbortIncompleteMultipartUpload(
                            DaysAfterInitiation=1
                        ),
                    ),
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
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            Tags=Tags(Project=PROJECT, Part=PART),
        )
    )
    built.add_resource(
        BucketPolicy(
            f"{name}Policy",
            Bucket=Ref(bucket),
            PolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        # Amazon S3 User Guide, "Security best practices", enforce TLS.
                        "Sid": "TlsOnly",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [GetAtt(bucket, "Arn"), Sub(f"${{{name}.Arn}}/*")],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            },
        )
    )
    built.add_output(
        Output(name, Description=f"The {purpose.lower()} bucket's name", Value=Ref(bucket))
    )
    built.add_output(
        Output(
            f"{name}Arn",
            Description=f"The {purpose.lower()} bucket's ARN",
            Value=GetAtt(bucket, "Arn"),
        )
    )


def environment(outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the functions' environment variables, from the stack's outputs."""
    return {
        "SOURCE_BUCKET": outputs["SourceBucket"],
        "DESTINATION_BUCKET": outputs["DestinationBucket"],
    }


def policies(outputs: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return each function's execution-role policy, by its name in Chalice."""
    source, destination = outputs["SourceBucketArn"], outputs["DestinationBucketArn"]
    sources, renditions = f"{source}/{SOURCES}*", f"{destination}/{RENDITIONS}*"
    return {
        "api_handler": _policy(
            outputs["ApiHandlerLogGroupArn"],
            _allow("Sources", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], sources),
            _allow("Renditions", ["s3:DeleteObject", "s3:GetObject"], renditions),
            # Without it S3 answers 403, not 404, for an object that does not exist (Amazon S3 API
            # Reference, HeadObject and GetObject). The source bucket is listed as well.
            _allow("FindObjects", ["s3:ListBucket"], [source, destination]),
        ),
        "process": _policy(
            outputs["ProcessLogGroupArn"],
            _allow("ReadSources", ["s3:GetObject"], sources),
            _allow("WriteRenditions", ["s3:DeleteObject", "s3:PutObject"], renditions),
            _allow("FindSources", ["s3:ListBucket"], source),
        ),
    }


def _policy(log_group_arn: str, *statements: dict[str, Any]) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            *statements,
            # Creating the log group is not among them, because the stack has done it.
            _allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{log_group_arn}:*"),
            # X-Ray has no resources to name (Service Authorization Reference, AWS X-Ray).
            _allow("Trace", ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*"),
        ],
    }


def _allow(sid: str, actions: list[str], resource: str | list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


def main(arguments: list[str] | None = None) -> int:
    """Write the template and print where."""
    parser = argparse.ArgumentParser(
        description="Write image_api's CloudFormation template, image_api.json."
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build"),
        metavar="DIR",
        help="the folder to write into, made where it is missing (default: build)",
    )
    directory = parser.parse_args(arguments).output
    path = directory / "image_api.json"
    text = json.dumps(template().to_dict(), indent=2, sort_keys=True) + "\n"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"Cannot write {path}: {error.strerror}. Try another --output.", file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
