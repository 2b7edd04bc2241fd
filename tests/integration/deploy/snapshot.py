"""All that an account has, as one text: equal before and after what changes nothing."""

from __future__ import annotations

import json
from typing import Any

import boto3


def snapshot(account: str | None = None) -> str:
    """Return what the account has, by default that of the default credentials."""
    session = boto3.Session(aws_access_key_id=account) if account else boto3.Session()
    content = {
        name: look(session)
        for name, look in {
            "stacks": _stacks,
            "functions": _functions,
            "roles": _roles,
            "apis": _apis,
            "buckets": _buckets,
            "tables": lambda session: session.client("dynamodb").list_tables()["TableNames"],
            "queues": lambda session: session.client("sqs").list_queues().get("QueueUrls", []),
            "log groups": lambda session: session.client("logs").describe_log_groups()["logGroups"],
        }.items()
    }
    return json.dumps(content, default=str, sort_keys=True, indent=1)


def _stacks(session: boto3.Session) -> list[Any]:
    client = session.client("cloudformation")
    return [
        (
            stack,
            client.list_change_sets(StackName=stack["StackId"])["Summaries"],
            client.describe_stack_events(StackName=stack["StackId"])["StackEvents"],
            client.get_template(StackName=stack["StackId"])["TemplateBody"],
        )
        for stack in client.describe_stacks()["Stacks"]
    ]


def _functions(session: boto3.Session) -> list[Any]:
    client = session.client("lambda")
    return [
        client.get_function_configuration(FunctionName=function["FunctionName"]) | _NO_RESPONSE
        for function in client.list_functions()["Functions"]
    ]


def _roles(session: boto3.Session) -> list[Any]:
    client = session.client("iam")
    return [
        (
            role,
            [
                client.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
                for name in client.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
            ],
        )
        for role in client.list_roles()["Roles"]
    ]


def _apis(session: boto3.Session) -> list[Any]:
    client = session.client("apigateway")
    return [
        (
            api,
            client.get_resources(restApiId=api["id"], limit=500)["items"],
            client.get_stages(restApiId=api["id"])["item"],
            client.get_deployments(restApiId=api["id"])["items"],
        )
        for api in client.get_rest_apis()["items"]
    ]


def _buckets(session: boto3.Session) -> list[Any]:
    client = session.client("s3")
    return [
        (
            bucket["Name"],
            client.list_object_versions(Bucket=bucket["Name"]) | _NO_RESPONSE,
            client.get_bucket_notification_configuration(Bucket=bucket["Name"]) | _NO_RESPONSE,
        )
        for bucket in client.list_buckets()["Buckets"]
    ]


# What is of the answer and not of the account.
_NO_RESPONSE: dict[str, Any] = {"ResponseMetadata": None}
