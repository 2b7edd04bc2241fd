"""The data image_api owns, as CloudFormation templates, and who may do what with it.

    python image_api/resources.py [--output DIR]

writes `image_api.json`: two buckets and the failure queue. `python -m deploy image_api` creates
this stack, records its outputs for Chalice by `environment` and `policies`, and deploys the app.
Then it creates the stack of `image_api_operations.json`: what belongs to the functions, and can
therefore not be there before them.
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
from troposphere.awslambda import DestinationConfig, EventInvokeConfig, OnFailure
from troposphere.cloudwatch import Alarm, MetricDimension
from troposphere.iam import PolicyType, Role
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
from troposphere.sqs import Queue, QueuePolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = "aws-architectures"
PART = "image_api"

# Prefixes of the keys in chalicelib/keys.py, which is not importable here under its own name.
SOURCES = "images/"
RENDITIONS = "renditions/"
MANIFESTS = "manifests/"
# What batch jobs write into the source bucket: their manifests and reports. No upload is there.
BATCH = "batch/"

# The functions, with the ends of their names.
FUNCTIONS = {"ApiHandler": "", "Process": "-process", "Reprocess": "-reprocess"}
# Parameters of `operations`, outputs of `template` by the same names.
OPERATIONS_INPUTS = {
    "FailureQueueArn": "The failure queue's ARN",
    "SourceBucketArn": "The source bucket's ARN",
}

# How many days a deleted upload can be restored. A rendition can be made again at any time.
SOURCE_RETENTION_DAYS = 30
RENDITION_RETENTION_DAYS = 1
# How often Lambda tries an event again, and for how long: its own defaults, and its maxima.
RETRIES = 2
EVENT_AGE_SECONDS = 6 * 3600
# The longest SQS keeps a message.
FAILURE_RETENTION_DAYS = 14

# What the template does on purpose, by the rules of cdk-nag's packs beside AwsSolutions.
_ON_PURPOSE = (
    (
        "CloudWatchAlarmAction",
        "`monitoring` has an alarm of its own on these events, and tells people",
    ),
    (
        "CloudWatchLogGroupEncrypted",
        "Encrypted with a key of CloudWatch Logs: they have ids and outcomes, no content of images",
    ),
    (
        "S3BucketDefaultLockEnabled",
        "Renditions and uploads may be deleted: DELETE of an image does so at once",
    ),
    (
        "S3BucketLoggingEnabled",
        "Only the two roles reach the objects, and their functions log every image's id",
    ),
    (
        "S3BucketReplicationEnabled",
        "Renditions can be made again; who needs uploads in a second region replicates that bucket",
    ),
    (
        "S3DefaultEncryptionKMS",
        "Encrypted with a key of S3: a key of its own would guard the same door twice",
    ),
    ("SQSRedrivePolicy", "It is itself the queue of what failed"),
)


def template() -> Template:
    """Return the template of the stack `image-api-STAGE`: buckets, failure queue, log groups."""
    built = _new_template(
        "Image API: buckets of uploads and renditions, failure queue, logs", *_ON_PURPOSE
    )
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
    _add_failure_queue(built)
    for name, suffix in FUNCTIONS.items():
        _add_log_group(built, name, suffix, retention)
    return built


def operations() -> Template:
    """Return the template of `image-api-operations-STAGE`: what comes after the functions.

    Spent events of `process` go to the failure queue, and S3 Batch Operations gets a role to run
    `reprocess` with.
    """
    built = _new_template(
        "Image API: failed events, and the role of batch jobs",
        (
            "IAMNoInlinePolicy",
            (
                "The policy is for this role alone: inline, nothing else can attach it, and it "
                "goes with it"
            ),
        ),
    )
    for parameter, purpose in OPERATIONS_INPUTS.items():
        built.add_parameter(
            Parameter(parameter, Type="String", Description=f"{purpose}, an output of image-api")
        )
    built.add_resource(
        EventInvokeConfig(
            "ProcessEvents",
            FunctionName=_function_name("image-api-operations-", "-process"),
            Qualifier="$LATEST",
            MaximumRetryAttempts=RETRIES,
            MaximumEventAgeInSeconds=EVENT_AGE_SECONDS,
            DestinationConfig=DestinationConfig(
                OnFailure=OnFailure(Destination=Ref("FailureQueueArn"))
            ),
        )
    )
    _add_batch_role(built)
    return built


def _new_template(description: str, *excused: tuple[str, str]) -> Template:
    built = Template(Description=description)
    built.set_version()
    # I4010 asks for a design note on each resource; the comments here are those.
    lint = {"cfn-lint": {"config": {"ignore_checks": ["I4010"]}}}
    built.set_metadata(lint | _excuse(*excused))
    return built


def _function_name(stack: str, suffix: str) -> Join:
    """Return a function's name: Chalice ends it with the stage, which ends the stack's name too."""
    stage = Select(1, Split(stack, Ref("AWS::StackName")))
    return Join("", ["image_api-", stage, suffix])


def _add_failure_queue(built: Template) -> None:
    """Add the queue of events whose retries are spent, and the alarm that says there are some."""
    queue = built.add_resource(
        Queue(
            "FailureQueue",
            Metadata=_excuse(
                (
                    "AwsSolutions-SQS3",
                    "This is where events go when Lambda gave them up; its alarm watches it",
                )
            )
            | _excuse_checkov(
                "CKV_AWS_27",
                "Encrypted with a key of SQS: an event names an object and holds no part of it",
            ),
            QueueName=Sub("${AWS::StackName}-failures"),
            MessageRetentionPeriod=FAILURE_RETENTION_DAYS * 24 * 3600,
            SqsManagedSseEnabled=True,
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Retain",
            Tags=Tags(Project=PROJECT, Part=PART),
        )
    )
    built.add_resource(
        QueuePolicy(
            "FailureQueuePolicy",
            Queues=[Ref(queue)],
            PolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "TlsOnly",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "sqs:*",
                        "Resource": GetAtt(queue, "Arn"),
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            },
        )
    )
    built.add_resource(
        Alarm(
            "FailureAlarm",
            AlarmName=Sub("${AWS::StackName}-failures"),
            AlarmDescription="Events of image_api wait in the failure queue. When the cause is "
            "mended: python -m deploy image_api --stage STAGE --redrive",
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[MetricDimension(Name="QueueName", Value=GetAtt(queue, "QueueName"))],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            # SQS reports nothing for a queue that was not used for six hours.
            TreatMissingData="notBreaching",
            Tags=Tags(Project=PROJECT, Part=PART),
        )
    )
    for name, description, value in (
        ("FailureQueueUrl", "The failure queue's URL", Ref(queue)),
        ("FailureQueueArn", "The failure queue's ARN", GetAtt(queue, "Arn")),
    ):
        built.add_output(Output(name, Description=description, Value=value))


def _add_batch_role(built: Template) -> None:
    """Add the role of batch jobs: list uploads, invoke `reprocess`, write the report."""
    role = built.add_resource(
        Role(
            "BatchRole",
            AssumeRolePolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "batchoperations.s3.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                        # The deputy works for this account only ("The confused deputy problem",
                        # IAM User Guide).
                        "Condition": {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}},
                    }
                ],
            },
            Tags=Tags(Project=PROJECT, Part=PART),
        )
    )
    function = Join(
        "",
        [
            Sub("arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"),
            _function_name("image-api-operations-", "-reprocess"),
        ],
    )
    built.add_resource(
        PolicyType(
            "BatchPolicy",
            Metadata=_excuse(
                (
                    f"AwsSolutions-IAM5[Resource::<SourceBucketArn>/{BATCH}*]",
                    "S3 Batch Operations names the objects of its jobs itself, under this prefix",
                )
            ),
            PolicyName="batch",
            Roles=[Ref(role)],
            PolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    _allow("Reprocess", ["lambda:InvokeFunction"], function),
                    # The job's manifest is made from a listing of the uploads ("Granting
                    # permissions for Amazon S3 Batch Operations", S3 User Guide).
                    _allow("ListUploads", ["s3:PutInventoryConfiguration"], Ref("SourceBucketArn")),
                    _allow(
                        "Reports",
                        ["s3:GetObject", "s3:PutObject"],
                        Sub(f"${{SourceBucketArn}}/{BATCH}*"),
                    ),
                ],
            },
        )
    )
    built.add_output(
        Output("BatchRoleArn", Description="The role of batch jobs", Value=GetAtt(role, "Arn"))
    )


def _excuse(*rules: tuple[str, str]) -> dict[str, Any]:
    """Return the metadata that excuses a resource, or the template, from (rule of cdk-nag, reason).

    The template's names rules of the packs beside AwsSolutions, without their packs.
    """
    excuses = [{"id": rule, "reason": reason} for rule, reason in rules]
    return {"cdk_nag": {"rules_to_suppress": excuses}}


def _excuse_checkov(check: str, reason: str) -> dict[str, Any]:
    """Return the metadata that excuses a resource from a check of checkov."""
    return {"checkov": {"skip": [{"id": check, "comment": reason}]}}


def _add_log_group(built: Template, name: str, suffix: str, retention: Parameter) -> None:
    """Add the log group of a function; Lambda would make one that keeps everything for ever."""
    log_group = built.add_resource(
        LogGroup(
            f"{name}Log",
            Metadata=_excuse_checkov(
                "CKV_AWS_158",
                "Encrypted with a key of CloudWatch Logs: it has ids and durations, and no image",
            ),
            LogGroupName=Join("", ["/aws/lambda/", _function_name("image-api-", suffix)]),
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
            Metadata=_excuse(
                (
                    "AwsSolutions-S1",
                    (
                        "Only the two roles reach the objects, and their functions log every "
                        "image's id; who needs a trail of each object switches on CloudTrail "
                        "data events"
                    ),
                )
            )
            | _excuse_checkov("CKV_AWS_18", "Its functions log each id; CloudTrail can log more"),
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
    """Return the functions' environment variables, from the stack's outputs.

    Raises ValueError where the two buckets are one.
    """
    source, destination = outputs["SourceBucket"], outputs["DestinationBucket"]
    if source == destination:
        raise ValueError(
            f"the stack's outputs SourceBucket and DestinationBucket are both {source}: every "
            "rendition would be processed again, without end"
        )
    return {"SOURCE_BUCKET": source, "DESTINATION_BUCKET": destination}


def policies(outputs: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return each function's execution-role policy, by its name in Chalice."""
    source, destination = outputs["SourceBucketArn"], outputs["DestinationBucketArn"]
    sources, renditions = f"{source}/{SOURCES}*", f"{destination}/{RENDITIONS}*"
    manifests = f"{destination}/{MANIFESTS}*"
    # Without it S3 answers 403, not 404, for an object that does not exist (Amazon S3 API
    # Reference, HeadObject and GetObject). Uploads and renditions are listed as well.
    find = _allow("FindObjects", ["s3:ListBucket"], [source, destination])
    making = [
        _allow("ReadSources", ["s3:GetObject"], sources),
        _allow("WriteRenditions", ["s3:DeleteObject", "s3:PutObject"], renditions),
        # A write or a deletion that names the object it replaces needs to read it, too.
        _allow("Manifests", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], manifests),
        find,
    ]
    return {
        "api_handler": _policy(
            outputs["ApiHandlerLogGroupArn"],
            _allow("Sources", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], sources),
            _allow("Results", ["s3:DeleteObject", "s3:GetObject"], [renditions, manifests]),
            find,
        ),
        "process": _policy(
            outputs["ProcessLogGroupArn"],
            *making,
            # Lambda delivers spent events with the function's own rights.
            _allow("KeepFailures", ["sqs:SendMessage"], outputs["FailureQueueArn"]),
        ),
        "reprocess": _policy(outputs["ReprocessLogGroupArn"], *making),
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


def _allow(sid: str, actions: list[str], resource: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


def main(arguments: list[str] | None = None) -> int:
    """Write the templates and print where."""
    parser = argparse.ArgumentParser(
        description="Write image_api's CloudFormation templates: image_api.json, and "
        "image_api_operations.json, which comes after the functions."
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build"),
        metavar="DIR",
        help="the folder to write into, made where it is missing (default: build)",
    )
    directory = parser.parse_args(arguments).output
    for name, built in (("image_api", template()), ("image_api_operations", operations())):
        path = directory / f"{name}.json"
        text = json.dumps(built.to_dict(), indent=2, sort_keys=True) + "\n"
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
