"""What a service may do to a resource: the policies of resource, key and function's role.

AWS: S3, API Gateway, EventBridge and SNS invoke a function only where its resource policy says so.
CloudWatch and EventBridge publish to a topic only where its policy, and for an encrypted topic its
key's policy, says so. With the rights of a function's role Lambda delivers a record of an
asynchronous invocation, writes the function's log, and takes messages from the queue of an event
source mapping. Sources: AWS Lambda developer guide, "Viewing resource-based IAM policies in
Lambda", https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html,
"Capturing records of Lambda asynchronous invocations",
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html, "Sending Lambda
function logs to CloudWatch Logs",
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html, and "Creating and
configuring an Amazon SQS event source mapping",
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html; Amazon SNS
developer guide, "Managing Amazon SNS encryption keys and costs",
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html.

MiniStack 1.5.33: asks none of these. It does ask a queue's policy for deliveries of S3 and SNS, and
a topic's for those of S3.

The filler: `install` covers what the emulator drives; the other fillers ask the functions here. All
decisions are the emulator's IAM evaluator's. AWS refuses a mapping that its function's role cannot
read; here the messages stay in the queue.
"""

from __future__ import annotations

from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.iam_evaluator import (
    EvalContext,
    _gather_role_policies,
    evaluate,
    evaluate_resource_policy,
)
from ministack.core.responses import request_scope
from ministack.services import cloudwatch_logs, kms, lambda_svc, s3, sns

_validate_notifications = s3._validate_notification_configs
_deliver_to_lambda = sns._deliver_to_lambda
_emit_logs = lambda_svc._emit_lambda_logs
_mapping_concurrency = lambda_svc._sqs_esm_concurrency


def install() -> None:
    """Ask a function's policy where S3 and SNS invoke it, and its role for log and queue."""
    s3._validate_notification_configs = validate_notifications
    sns._deliver_to_lambda = deliver_to_lambda
    lambda_svc._emit_lambda_logs = emit_logs
    lambda_svc._sqs_esm_concurrency = mapping_concurrency


def may_invoke(function_arn: str, service: str, source_arn: str, source_account: str) -> bool:
    """Whether a service may invoke a function for that source; true where there is no function.

    A function that does not exist is reported by the one who looks for it.
    """
    arn = parse_arn(function_arn)
    with request_scope(arn.account_id, arn.region):
        function, config, _ = lambda_svc._get_func_record_for_ref(function_arn)
    if not function or not config:
        return True
    policy = function.get("policy") or {}
    context = service_context(
        "lambda:InvokeFunction", config["FunctionArn"], source_arn, source_account
    )
    allowed = bool(evaluate_resource_policy(policy, context, service=service).decision == "Allow")
    if not allowed:
        lambda_svc.logger.warning(
            "%s may not invoke %s for %s: the function's policy does not allow it",
            service,
            function_arn,
            source_arn,
        )
    return allowed


def may_publish(topic_arn: str, service: str, source_arn: str, source_account: str) -> bool:
    """Whether a service may publish to a topic and, where it is encrypted, use its key."""
    allowed: bool = sns.topic_policy_allows(topic_arn, service, source_arn, source_account)
    if not allowed:
        sns.logger.warning("%s may not publish to %s: the topic's policy", service, topic_arn)
        return False
    topic = sns._topic_by_arn_any_scope(topic_arn)
    key_id = topic["attributes"].get("KmsMasterKeyId")
    if not key_id:
        return True
    arn = parse_arn(topic_arn)
    with request_scope(arn.account_id, arn.region):
        key = kms._resolve_key(key_id)
    # The key that AWS manages for SNS is not in the store, and lets no other service in.
    usable = key is not None and all(
        evaluate_resource_policy(
            key["Policy"],
            service_context(action, key["Arn"], source_arn, source_account),
            service=service,
        ).decision
        == "Allow"
        for action in ("kms:GenerateDataKey", "kms:Decrypt")
    )
    if not usable:
        sns.logger.warning("%s may not publish to %s: the key's policy", service, topic_arn)
    return usable


def role_allows(
    role_arn: str, action: str, resource_arn: str, context: dict[str, Any] | None = None
) -> bool:
    """Whether a role's own policies allow an action; `context` has the request's condition keys."""
    role = parse_arn(role_arn)
    context = EvalContext(
        principal_arn=role_arn,
        principal_type="AssumedRole",
        principal_account=role.account_id,
        action=action,
        resource_arn=resource_arn,
        region=parse_arn(resource_arn).region,
        service_context={key.lower(): value for key, value in (context or {}).items()},
    )
    policies = _gather_role_policies(role.resource.rsplit("/", 1)[-1], role.account_id)
    return bool(evaluate(context, policies).decision == "Allow")


def service_context(
    action: str, resource_arn: str, source_arn: str, source_account: str
) -> EvalContext:
    """The context of a request that a service makes for one of its resources."""
    return EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource_arn,
        region=parse_arn(resource_arn).region,
        service_context={"aws:sourcearn": source_arn, "aws:sourceaccount": source_account},
    )


def validate_notifications(
    configurations: list[dict[str, Any]],
    region: str,
    bucket: str = "",
    skip_destination_validation: bool = False,
) -> Any:
    """Refuse a bucket's notifications to a function that S3 may not invoke."""
    refused = _validate_notifications(configurations, region, bucket, skip_destination_validation)
    if refused or skip_destination_validation:
        return refused
    owner = s3._bucket_owner_account(bucket) or ""
    closed = [
        configuration["arn"]
        for configuration in configurations
        if configuration["type"] == "lambda"
        and not may_invoke(
            configuration["arn"], "s3.amazonaws.com", f"arn:aws:s3:::{bucket}", owner
        )
    ]
    if closed:
        return s3._invalid_notification_config(
            "Unable to validate the following destination configurations: " + ", ".join(closed)
        )
    return None


def deliver_to_lambda(
    endpoint: str, envelope: str, topic_arn: str, *details: object, **more: object
) -> None:
    """Deliver a notification to a subscribed function that SNS may invoke."""
    account = parse_arn(topic_arn).account_id
    if may_invoke(endpoint, "sns.amazonaws.com", topic_arn, account):
        _deliver_to_lambda(endpoint, envelope, topic_arn, *details, **more)


def emit_logs(function: dict[str, Any], *arguments: Any, **options: Any) -> None:
    """Write the log of an invocation, where the function's role lets Lambda."""
    config = function.get("config") or function
    if may_log(config):
        _emit_logs(function, *arguments, **options)


def may_log(config: dict[str, Any]) -> bool:
    """Whether the role of a function may write into its log group, and make it where it is not."""
    account, region = lambda_svc._account_region_from_function_config(config)
    name = (config.get("LoggingConfig") or {}).get("LogGroup") or (
        f"/aws/lambda/{config['FunctionName']}"
    )
    group = f"arn:aws:logs:{region}:{account}:log-group:{name}"
    with request_scope(account, region):
        exists = name in cloudwatch_logs._log_groups
    if not exists and not role_allows(config["Role"], "logs:CreateLogGroup", group):
        return False
    return all(
        role_allows(config["Role"], action, f"{group}:log-stream:all")
        for action in ("logs:CreateLogStream", "logs:PutLogEvents")
    )


def mapping_concurrency(
    mapping: dict[str, Any], function: dict[str, Any], config: dict[str, Any], queue: dict[str, Any]
) -> int:
    """How many batches of a queue may run: none where the function's role may not take them."""
    actions = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    role, source = (config or function["config"])["Role"], mapping["EventSourceArn"]
    # The emulator asks many times a second, mostly for an empty queue.
    if queue["messages"] and not all(role_allows(role, action, source) for action in actions):
        return 0
    return int(_mapping_concurrency(mapping, function, config, queue))
