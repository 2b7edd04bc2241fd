"""The CloudFormation template of what the items API owns: table, cursor key and log group.

`python crud_api/resources.py` writes it; `python -m deploy crud_api --stage STAGE` creates the
stack `crud-api-STAGE` from it and records what Chalice needs to know.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from troposphere import (
    Equals,
    GetAtt,
    If,
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
from troposphere.apigateway import Account
from troposphere.dynamodb import (
    AttributeDefinition,
    GlobalSecondaryIndex,
    KeySchema,
    PointInTimeRecoverySpecification,
    Projection,
    SSESpecification,
    Table,
    TimeToLiveSpecification,
)
from troposphere.iam import Role
from troposphere.logs import LogGroup
from troposphere.secretsmanager import GenerateSecretString, Secret

# The same values as in chalicelib (records.py, table.py), which is no package outside Lambda; a
# unit test holds them together.
KEY = "id"
LIST = "list"
POSITION = "position"
EXPIRES = "expires"
INDEX_NAME = "newest"

CURSOR_SECRET = "${AWS::StackName}-cursor-key"  # noqa: S105 - its name

TAGS = Tags(Project="aws-architectures", Part="crud_api")

_LOG_KEY = ("CKV_AWS_158", "Encrypted with a key of CloudWatch Logs: it has no content of items")
# Rules of cdk-nag's packs beside AwsSolutions, named without their packs.
_ON_PURPOSE = [
    {"id": rule, "reason": reason}
    for rule, reason in (
        (
            "CloudWatchLogGroupEncrypted",
            "Encrypted with a key of CloudWatch Logs: they have no content of items",
        ),
        (
            "DynamoDBInBackupPlan",
            "Restorable to each second of 35 days; a plan of AWS Backup is the account's",
        ),
        (
            "SecretsManagerRotationEnabled",
            (
                "The key signs places in a list and protects no data; docs/crud_api.md has the "
                "command that rotates it"
            ),
        ),
        (
            "SecretsManagerUsingKMSKey",
            "Encrypted with AWS's key for secrets: it protects no data",
        ),
    )
]


def template() -> Template:
    """Return the template of the stack `crud-api-STAGE`."""
    result = Template(
        Description="Items API: table, cursor key and log group",
        Metadata={"cdk_nag": {"rules_to_suppress": _ON_PURPOSE}},
    )
    result.set_version()
    protection = result.add_parameter(
        Parameter(
            "DeletionProtection",
            Type="String",
            AllowedValues=["true", "false"],
            Default="true",
            Description="Refuse to delete the table, also outside CloudFormation",
        )
    )
    retention = result.add_parameter(
        Parameter(
            "LogRetentionDays",
            Type="Number",
            AllowedValues=[7, 14, 30, 90, 180, 365],
            Default=30,
            Description="Days the function's log is kept",
        )
    )
    result.add_condition("IsProtected", Equals(Ref(protection), "true"))
    table = result.add_resource(_table())
    log_group = result.add_resource(
        LogGroup(
            "ApiHandlerLog",
            Metadata=_unlike_checkov(*_LOG_KEY),
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            # Lambda would create it on the first call, and keep the log for ever. Chalice names the
            # function after the stage, which is what follows "crud-api-" in the name of the stack.
            LogGroupName=Join(
                "", ["/aws/lambda/crud_api-", Select(1, Split("crud-api-", Ref("AWS::StackName")))]
            ),
            RetentionInDays=Ref(retention),
            Tags=TAGS,
        )
    )
    result.add_resource(
        Secret(
            "CursorKey",
            # A new one costs clients a list begun anew, nothing more.
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            Metadata={
                "com.aws.cloudformation.Context": {
                    "why": "Signs cursors: a client can pass on no place in a list but those it got"
                },
                "cdk_nag": {
                    "rules_to_suppress": [
                        {
                            "id": "AwsSolutions-SMG4",
                            "reason": "The key signs places in a list and protects no data; "
                            "docs/crud_api.md has the command that rotates it",
                        }
                    ]
                },
                **_unlike_checkov(
                    "CKV_AWS_149", "Encrypted with AWS's key for secrets: it protects no data"
                ),
            },
            Name=Sub(CURSOR_SECRET),
            Description="Signs the cursors of the items API",
            GenerateSecretString=GenerateSecretString(PasswordLength=64, ExcludePunctuation=True),
            Tags=TAGS,
        )
    )
    access_log = result.add_resource(
        LogGroup(
            "AccessLog",
            Metadata=_unlike_checkov(*_LOG_KEY),
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            LogGroupName=Sub("/aws/apigateway/${AWS::StackName}"),
            RetentionInDays=Ref(retention),
            Tags=TAGS,
        )
    )
    _add_gateway_log_role(result)
    for name, value in {
        "TableName": Ref(table),
        "TableArn": GetAtt(table, "Arn"),
        "IndexArn": Sub(f"${{{table.title}.Arn}}/index/{INDEX_NAME}"),
        # The name, which stays; Ref would give the ARN, which has a random end.
        "CursorSecretName": Sub(CURSOR_SECRET),
        "CursorSecretArn": Sub(
            "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
            f"{CURSOR_SECRET}-??????"
        ),
        "AccessLogArn": Sub(
            "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:"
            f"${{{access_log.title}}}"
        ),
        "LogGroupArn": Sub(
            "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:"
            f"${{{log_group.title}}}"
        ),
    }.items():
        result.add_output(Output(name, Value=value))
    return result


def environment(outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables the stage takes from the outputs of its stack."""
    return {
        "CURSOR_SECRET": outputs["CursorSecretName"],
        "ITEMS_TABLE": outputs["TableName"],
    }


def policies(outputs: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the IAM policy document of each function, from the outputs of the stack.

    The actions are those the function calls, on the table and index it calls them on. Chalice adds
    no permission of its own to a policy file, so writing the log is named too; creating the log
    group is not, because the stack has done it.
    """
    return {
        "api_handler": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Items",
                    "Effect": "Allow",
                    # A transaction needs the permissions of the actions in it.
                    "Action": [
                        "dynamodb:BatchGetItem",
                        "dynamodb:BatchWriteItem",
                        "dynamodb:DeleteItem",
                        "dynamodb:GetItem",
                        "dynamodb:PutItem",
                        "dynamodb:UpdateItem",
                    ],
                    "Resource": outputs["TableArn"],
                },
                {
                    "Sid": "List",
                    "Effect": "Allow",
                    "Action": "dynamodb:Query",
                    "Resource": outputs["IndexArn"],
                },
                {
                    "Sid": "SignCursors",
                    "Effect": "Allow",
                    "Action": "secretsmanager:GetSecretValue",
                    "Resource": outputs["CursorSecretArn"],
                },
                {
                    "Sid": "Log",
                    "Effect": "Allow",
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": f"{outputs['LogGroupArn']}:*",
                },
                {
                    "Sid": "Trace",
                    "Effect": "Allow",
                    "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
                    # These actions know no resources ("Actions defined by AWS X-Ray").
                    "Resource": "*",
                },
            ],
        }
    }


def main(arguments: list[str] | None = None) -> None:
    """Write the template as `crud_api.json` and print its path."""
    parser = argparse.ArgumentParser(
        description="Write the CloudFormation template of the items API as crud_api.json."
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, default=Path("build"), help="default: build/"
    )
    directory: Path = parser.parse_args(arguments).output
    path = directory / "crud_api.json"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(template().to_json(indent=2) + "\n")
    except OSError as error:
        parser.exit(1, f"cannot write {path}: {error.strerror}\n")
    print(path)


def _why(reason: str) -> dict[str, Any]:
    """Return the metadata that says what a resource is for; cfn-lint asks for it (I4010)."""
    return {"com.aws.cloudformation.Context": {"why": reason}}


def _unlike_checkov(check: str, reason: str) -> dict[str, Any]:
    """Return the metadata that excuses a resource from a check of checkov."""
    return {"checkov": {"skip": [{"id": check, "comment": reason}]}}


def _add_gateway_log_role(result: Template) -> None:
    """Give API Gateway the role it writes logs with: one for the whole account and region.

    Without it a stage cannot have an access log ("Set up CloudWatch logging for REST APIs in API
    Gateway"). Both stay when the stack goes, because other APIs of the account may need them.
    """
    setting = result.add_parameter(
        Parameter(
            "GatewayLogRole",
            Type="String",
            AllowedValues=["create", "existing"],
            Default="create",
            Description="existing: API Gateway of this account and region has its role for logs",
        )
    )
    result.add_condition("CreatesGatewayLogRole", Equals(Ref(setting), "create"))
    role = result.add_resource(
        Role(
            "GatewayLogRoleOfAccount",
            Metadata={
                **_why("API Gateway writes access logs with it, for all APIs here"),
                "cdk_nag": {
                    "rules_to_suppress": [
                        {
                            "id": "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/"
                            "service-role/AmazonAPIGatewayPushToCloudWatchLogs]",
                            "reason": "API Gateway asks for this very policy, and it names only "
                            "the actions on logs that API Gateway calls",
                        }
                    ]
                },
            },
            Condition="CreatesGatewayLogRole",
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            AssumeRolePolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "apigateway.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            ManagedPolicyArns=[
                Sub(
                    "arn:${AWS::Partition}:iam::aws:policy/service-role/"
                    "AmazonAPIGatewayPushToCloudWatchLogs"
                )
            ],
            Tags=TAGS,
        )
    )
    result.add_resource(
        Account(
            "GatewayAccount",
            Metadata=_why("A setting of the account and region; a stage cannot log without it"),
            Condition="CreatesGatewayLogRole",
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            CloudWatchRoleArn=GetAtt(role, "Arn"),
        )
    )


def _table() -> Table:
    return Table(
        "Items",
        # What one sees in the console; cfn-lint asks for it (I4010).
        Metadata={
            "com.aws.cloudformation.Context": {
                "why": "One item a row by its id, one row more a tag; the index lists both newest "
                "first over shards, so that no partition takes every write"
            },
            **_unlike_checkov(
                "CKV_AWS_119",
                "Encrypted with AWS's key for tables, whose use CloudTrail logs: no other account "
                "reads it",
            ),
        },
        TableName=Sub("${AWS::StackName}-items"),
        DeletionPolicy="Retain",
        UpdateReplacePolicy="Retain",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            AttributeDefinition(AttributeName=KEY, AttributeType="S"),
            AttributeDefinition(AttributeName=LIST, AttributeType="S"),
            AttributeDefinition(AttributeName=POSITION, AttributeType="S"),
        ],
        KeySchema=[KeySchema(AttributeName=KEY, KeyType="HASH")],
        GlobalSecondaryIndexes=[
            GlobalSecondaryIndex(
                IndexName=INDEX_NAME,
                KeySchema=[
                    KeySchema(AttributeName=LIST, KeyType="HASH"),
                    KeySchema(AttributeName=POSITION, KeyType="RANGE"),
                ],
                # A change of an item costs the index nothing; a page reads the items themselves.
                Projection=Projection(ProjectionType="KEYS_ONLY"),
            )
        ],
        # The AWS managed key aws/dynamodb. Its use is logged in CloudTrail, unlike that of the key
        # DynamoDB owns; a customer managed key would add a monthly price and a key policy to keep
        # right, for a table that no other account reads.
        SSESpecification=SSESpecification(SSEEnabled=True, SSEType="KMS"),
        # Idempotency keys; items have no such attribute.
        TimeToLiveSpecification=TimeToLiveSpecification(AttributeName=EXPIRES, Enabled=True),
        PointInTimeRecoverySpecification=PointInTimeRecoverySpecification(
            PointInTimeRecoveryEnabled=True
        ),
        DeletionProtectionEnabled=If("IsProtected", True, False),
        Tags=TAGS,
    )


if __name__ == "__main__":
    main()
