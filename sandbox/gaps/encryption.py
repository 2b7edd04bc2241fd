"""Who may use what is encrypted with a customer managed key: whoever may use the key, too.

AWS: who publishes to a topic needs kms:Decrypt and kms:GenerateDataKey on its key, who reads or
writes a table kms:Decrypt on its key, and the role of a function kms:Decrypt on the key of its
environment. The service makes the request in the caller's name, so that `kms:ViaService` names it
and the encryption context says for which resource. Sources: Amazon SNS developer guide, "Managing
Amazon SNS encryption keys and costs",
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html; Amazon DynamoDB developer guide,
"DynamoDB encryption at rest: usage notes",
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html; AWS
Lambda developer guide, "Securing Lambda environment variables",
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html.

MiniStack 1.5.33: asks nothing of the key, and CloudFormation drops the key of a topic, table or
function.

The filler: the key of what a stack creates, and the question: for topics and tables after IAM has
allowed the request itself, for functions when an execution environment starts. The policies of key
and caller decide as they do in KMS. A key that an update sets is left out.
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.arn import parse_arn
from ministack.core.responses import request_scope
from ministack.services import dynamodb, kms, lambda_svc, sns
from ministack.services.cloudformation import provisioners

from sandbox.gaps import permissions

_enforce = iam_evaluator.enforce
_create = {
    name: provisioners._RESOURCE_HANDLERS[name]["create"]
    for name in ("AWS::DynamoDB::Table", "AWS::Lambda::Function", "AWS::SNS::Topic")
}


def install() -> None:
    """Take over the decision on a request, and the creation of what has a key."""
    iam_evaluator.enforce = enforce
    for name, create in (
        ("AWS::DynamoDB::Table", create_table),
        ("AWS::Lambda::Function", create_function),
        ("AWS::SNS::Topic", create_topic),
    ):
        provisioners._RESOURCE_HANDLERS[name]["create"] = create


def create_table(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
    """A table with its key."""
    created = _create["AWS::DynamoDB::Table"](logical_id, properties, stack_name)
    dynamodb._tables[created[0]]["SSEDescription"] = dynamodb._sse_description_from_spec(
        properties.get("SSESpecification")
    )
    return created


def create_function(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
    """A function with the key of its environment."""
    created = _create["AWS::Lambda::Function"](logical_id, properties, stack_name)
    function = lambda_svc._functions[created[0]]
    function["config"]["KMSKeyArn"] = properties.get("KmsKeyArn", "")
    return created


def create_topic(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
    """A topic with its key."""
    created = _create["AWS::SNS::Topic"](logical_id, properties, stack_name)
    if properties.get("KmsMasterKeyId"):
        attributes = sns._topics[created[0]]["attributes"]
        attributes["KmsMasterKeyId"] = properties["KmsMasterKeyId"]
    return created


def enforce(
    access_key_id: str,
    iam_action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: dict[str, Any] | None = None,
) -> Any:
    """Why a request is refused, None where it is not: by itself, or for the key."""
    denied = _enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
    if denied is not None or service not in ("sns", "dynamodb"):
        return denied
    for action, key, context in key_requests(iam_action, resource_arn):
        denied = _enforce(access_key_id, action, "kms", region, key, context)
        if denied is not None:
            return denied
    return None


def key_requests(action: str, resource_arn: str) -> list[tuple[str, str, dict[str, str]]]:
    """What the service asks of KMS in the caller's name: action, key's ARN and condition keys."""
    if not resource_arn.startswith("arn:"):
        return []
    arn = parse_arn(resource_arn)
    actions: tuple[str, ...] = ("kms:Decrypt",)
    context = {"kms:ViaService": f"{arn.service}.{arn.region}.amazonaws.com"}
    if action == "sns:Publish":
        topic = sns._topic_by_arn_any_scope(resource_arn)
        key = key_arn((topic or {}).get("attributes", {}).get("KmsMasterKeyId"), arn)
        context["kms:EncryptionContext:aws:sns:topicArn"] = resource_arn
        actions = ("kms:Decrypt", "kms:GenerateDataKey")
    elif arn.service == "dynamodb" and arn.resource.startswith("table/"):
        name = arn.resource.split("/")[1]
        table = dynamodb._tables.get_scoped(arn.account_id, arn.region, name)
        key = key_arn(((table or {}).get("SSEDescription") or {}).get("KMSMasterKeyArn"), arn)
        context["kms:EncryptionContext:aws:dynamodb:tableName"] = name
        context["kms:EncryptionContext:aws:dynamodb:subscriberId"] = arn.account_id
    else:
        return []
    return [(action, key, context) for action in actions] if key else []


def key_arn(key_id: str | None, of: Any) -> str | None:
    """The ARN of a customer managed key; None for one that AWS manages, and asks nobody for."""
    if not key_id:
        return None
    with request_scope(of.account_id, of.region):
        key = kms._resolve_key(key_id)
    return str(key["Arn"]) if key else None


def may_decrypt_environment(config: dict[str, Any]) -> bool:
    """Whether the role of a function may decrypt the function's environment."""
    key = key_arn(config.get("KMSKeyArn"), parse_arn(config["FunctionArn"]))
    if key is None or not (config.get("Environment") or {}).get("Variables"):
        return True
    arn = parse_arn(config["FunctionArn"])
    return permissions.role_allows(
        config["Role"],
        "kms:Decrypt",
        key,
        {
            "kms:ViaService": f"lambda.{arn.region}.amazonaws.com",
            "kms:EncryptionContext:aws:lambda:FunctionArn": config["FunctionArn"],
        },
    )
