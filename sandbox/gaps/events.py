"""EventBridge targets: permission, asynchronous functions and dead-letter queues.

AWS: a rule reaches a target only where the target's resource policy lets EventBridge in. A function
is invoked asynchronously, so Lambda retries it and knows its destinations. An event that cannot be
delivered goes to the target's dead-letter queue with attributes that say why; a missing permission
is not retried. Sources, Amazon EventBridge user guide: "Using resource-based policies for Amazon
EventBridge",
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html, and "Using
dead-letter queues to process undelivered events in EventBridge",
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html.

MiniStack 1.5.33: asks no policy, runs a function once and drops its failure, and logs an event that
it cannot deliver.

The filler: the check before the emulator's own delivery, and the queue after it. Nothing fails for
a while and then succeeds here, so the retry policy of a target has nothing to do. Buses of other
accounts are left out.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id
from ministack.services import eventbridge, lambda_svc, sns, sqs

from sandbox.gaps import asynchronous, permissions

SERVICE = "events.amazonaws.com"

_invoke_target = eventbridge._invoke_target


def install() -> None:
    """Take over how a rule reaches its targets."""
    eventbridge._invoke_target = invoke_target
    eventbridge._dispatch_to_lambda = dispatch_to_lambda


def invoke_target(
    target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None
) -> None:
    """Deliver a matched event, or put it into the target's dead-letter queue."""
    problem = undeliverable(target["Arn"], rule["Arn"])
    if problem is None:
        _invoke_target(target, event, rule, view)
        return
    eventbridge.logger.warning("rule %s: %s: %s", rule["Name"], target["Arn"], problem)
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue or not sqs.queue_policy_allows(queue, SERVICE, rule["Arn"], get_account_id()):
        return
    view = view or eventbridge._pattern_event_view(event)
    code, text = problem
    values = {
        "RULE_ARN": rule["Arn"],
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": code,
        "ERROR_MESSAGE": text,
    }
    attributes = {
        name: {"DataType": "String", "StringValue": value} for name, value in values.items()
    }
    asynchronous.send_message(queue, json.dumps(view.event_with_detail()), attributes)


def undeliverable(target_arn: str, rule_arn: str) -> tuple[str, str] | None:
    """Why a target cannot be reached, as code and message; None where it can be."""
    account = get_account_id()
    service = parse_arn(target_arn).service
    if service == "lambda":
        exists = lambda_svc._get_func_record_for_ref(target_arn)[0] is not None
        allowed = exists and permissions.may_invoke(target_arn, SERVICE, rule_arn, account)
    elif service == "sqs":
        exists = sqs._queue_by_arn(target_arn) is not None
        allowed = exists and sqs.queue_policy_allows(target_arn, SERVICE, rule_arn, account)
    elif service == "sns":
        exists = sns._topic_by_arn_any_scope(target_arn) is not None
        # EventBridge gives a topic's policy and key no source to tell rules apart by.
        allowed = exists and permissions.may_publish(target_arn, SERVICE, "", "")
    else:
        return None
    if not exists:
        return "NO_RESOURCE", "The target does not exist."
    if not allowed:
        return "NO_PERMISSIONS", "EventBridge is not allowed to invoke the target."
    return None


def dispatch_to_lambda(function_arn: str, payload: str) -> None:
    """Invoke a function asynchronously."""
    function, config, _ = lambda_svc._get_func_record_for_ref(function_arn)
    asynchronous.invoke(
        lambda_svc._execution_record_for_config(function, config), json.loads(payload)
    )
