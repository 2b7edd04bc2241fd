"""A function per operation: what `chalice package` gets to merge into its template.

Chalice packages one function for all routes. `merge_template` adds one for each operation of
`FUNCTIONS`, from the same code, with a role that allows its DynamoDB actions on its table and index
and nothing else, and leads the operation's route to it. Chalice's own function keeps the rest (the
contract, and what no route takes) and loses every right to the table.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

APP_NAME = "crud_api"
PART = "crud_api"
TAGS = {"Project": "aws-architectures", "Part": PART}

Template = dict[str, Any]


@dataclass(frozen=True)
class Function:
    """The function of one operation.

    `path` and `method` are its route, `table` and `index` the DynamoDB actions it calls on them.
    `memory` is in MB. `concurrency` is the number of instances kept for it, which is also the most
    it can have; None takes what the account has left.
    """

    path: str
    method: str
    table: tuple[str, ...] = ()
    index: tuple[str, ...] = ()
    signs_cursors: bool = False
    memory: int = 512
    concurrency: int | None = None


_REPLACE = ("DeleteItem", "GetItem", "PutItem")
"""An item that changes has other rows for its tags: they come and go in the same transaction, which
needs the permissions of the actions in it. The item is read where If-Match lists several ETags."""

FUNCTIONS: Mapping[str, Function] = {
    "create_item": Function("/items", "post", table=("PutItem",)),
    "list_items": Function(
        "/items", "get", table=("BatchGetItem",), index=("Query",), signs_cursors=True
    ),
    "get_item": Function("/items/{item_id}", "get", table=("GetItem",)),
    "put_item": Function("/items/{item_id}", "put", table=_REPLACE),
    "patch_item": Function("/items/{item_id}", "patch", table=(*_REPLACE, "UpdateItem")),
    # The key of an item stays a while, so a delete is an update. Without If-Match the rows of the
    # tags go after the item, in requests of their own.
    "delete_item": Function(
        "/items/{item_id}",
        "delete",
        table=("BatchWriteItem", "DeleteItem", "GetItem", "UpdateItem"),
    ),
    "write_items": Function(
        "/items:batch", "post", table=("BatchGetItem", "BatchWriteItem", *_REPLACE, "UpdateItem")
    ),
}


@dataclass(frozen=True)
class Stage:
    """What the template takes from the stage.

    `config` is the stage's configuration as Chalice resolves it: the keys of config.json with those
    of the stage over them. `outputs` are those of the stack `crud-api-STAGE`. `responses` are the
    gateway responses; `rate_limit` and `burst_limit` throttle each route of the stage. `usage_plan`
    has the properties Throttle and Quota of AWS::ApiGateway::UsagePlan.
    """

    name: str
    config: Mapping[str, Any]
    outputs: Mapping[str, str]
    log_retention_days: int
    responses: Mapping[str, Mapping[str, Any]]
    access_log_format: str
    rate_limit: float | None = None
    burst_limit: int | None = None
    usage_plan: Mapping[str, Any] | None = None


def merge_template(stage: Stage) -> Template:
    """Return the template for `chalice package --merge-template`."""
    resources: Template = {
        "RestAPI": _api(stage),
        "APIHandler": {"Properties": {"FunctionName": f"{APP_NAME}-{stage.name}"}},
        "ApiHandlerRole": {
            "Properties": {
                "AssumeRolePolicyDocument": _TRUST,
                "Policies": [
                    {
                        "PolicyName": "ApiHandlerRolePolicy",
                        "PolicyDocument": _policy([_log(stage.outputs["LogGroupArn"]), _TRACE]),
                    }
                ],
            }
        },
    }
    for name, function in FUNCTIONS.items():
        resources |= _function(name, function, stage)
    if stage.usage_plan is not None:
        resources["UsagePlan"] = {
            "Type": "AWS::ApiGateway::UsagePlan",
            # The logical ID that the SAM transform gives the stage "api" of RestAPI.
            "DependsOn": "RestAPIapiStage",
            "Properties": {
                "UsagePlanName": f"crud-api-{stage.name}",
                "ApiStages": [{"ApiId": {"Ref": "RestAPI"}, "Stage": "api"}],
                "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()],
                **stage.usage_plan,
            },
        }
    return {
        "Description": "Items API: a function for each operation, and the API that leads to them",
        "Globals": {"Function": _globals(stage)},
        "Resources": resources,
    }


def logical_id(name: str) -> str:
    """Return the logical ID of an operation's function."""
    return "".join(word.capitalize() for word in name.split("_"))


def _globals(stage: Stage) -> Template:
    config = stage.config
    return {
        # Chalice takes it from the interpreter that packages, too.
        "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "Handler": "app.app",
        "CodeUri": "./deployment.zip",
        "Timeout": config["lambda_timeout"],
        "Tracing": "Active" if config.get("xray") else "PassThrough",
        "Architectures": [config.get("lambda_architecture", "x86_64")],
        "Environment": {"Variables": dict(config["environment_variables"])},
        "Tags": TAGS,
    }


def _function(name: str, function: Function, stage: Stage) -> Template:
    title = logical_id(name)
    full_name = f"{APP_NAME}-{stage.name}-{name}"
    properties: Template = {
        "FunctionName": full_name,
        "MemorySize": function.memory,
        "Role": {"Fn::GetAtt": [f"{title}Role", "Arn"]},
    }
    if function.concurrency is not None:
        properties["ReservedConcurrentExecutions"] = function.concurrency
    return {
        title: {
            "Type": "AWS::Serverless::Function",
            # The log group first: Lambda would make one that keeps the log for ever.
            "DependsOn": f"{title}Log",
            "Properties": properties,
        },
        f"{title}Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": _TRUST,
                "Policies": [
                    {
                        "PolicyName": name,
                        "PolicyDocument": _policy(_statements(title, function, stage)),
                    }
                ],
                "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()],
            },
        },
        f"{title}Log": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": f"/aws/lambda/{full_name}",
                "RetentionInDays": stage.log_retention_days,
                "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()],
            },
        },
        f"{title}Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": title},
                "Action": "lambda:InvokeFunction",
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {"Fn::Sub": _source_arn(function)},
            },
        },
    }


def _source_arn(function: Function) -> str:
    path = "/".join("*" if part.startswith("{") else part for part in function.path.split("/"))
    return (
        "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${RestAPI}/*/"
        f"{function.method.upper()}{path}"
    )


def _statements(title: str, function: Function, stage: Stage) -> list[Template]:
    statements = []
    for sid, actions, resource in (
        ("Table", function.table, stage.outputs["TableArn"]),
        ("Index", function.index, stage.outputs["IndexArn"]),
    ):
        if actions:
            statements.append(_allow(sid, [f"dynamodb:{name}" for name in actions], resource))
    if function.signs_cursors:
        statements.append(
            _allow(
                "SignCursors", ["secretsmanager:GetSecretValue"], stage.outputs["CursorSecretArn"]
            )
        )
    return [*statements, _log({"Fn::GetAtt": [f"{title}Log", "Arn"]}), _TRACE]


def _allow(sid: str, actions: list[str], resource: object) -> Template:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


def _log(arn: object) -> Template:
    # The attribute Arn of a log group ends in ":*" already, the output LogGroupArn does not.
    resource = f"{arn}:*" if isinstance(arn, str) else arn
    return _allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], resource)


# These actions know no resources ("Actions defined by AWS X-Ray").
_TRACE = _allow("Trace", ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*")


def _policy(statements: list[Template]) -> Template:
    return {"Version": "2012-10-17", "Statement": statements}


# Lambda takes the roles on for functions of this account alone ("The confused deputy problem", AWS
# IAM User Guide).
_TRUST = _policy(
    [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        }
    ]
)


def _api(stage: Stage) -> Template:
    settings: Template = {"ResourcePath": "/*", "HttpMethod": "*", "MetricsEnabled": True}
    if stage.rate_limit is not None:
        settings["ThrottlingRateLimit"] = stage.rate_limit
    if stage.burst_limit is not None:
        settings["ThrottlingBurstLimit"] = stage.burst_limit
    paths: dict[str, Template] = {}
    for name, function in FUNCTIONS.items():
        uri = (
            "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
            f"${{{logical_id(name)}.Arn}}/invocations"
        )
        paths.setdefault(function.path, {})[function.method] = {
            "x-amazon-apigateway-integration": {"uri": {"Fn::Sub": uri}}
        }
    return {
        "Properties": {
            "Name": APP_NAME,
            "Tags": TAGS,
            "TracingEnabled": bool(stage.config.get("xray")),
            "MethodSettings": [settings],
            "AccessLogSetting": {
                "DestinationArn": stage.outputs["AccessLogArn"],
                "Format": stage.access_log_format,
            },
            "DefinitionBody": {
                "paths": paths,
                "x-amazon-apigateway-gateway-responses": dict(stage.responses),
            },
        }
    }
