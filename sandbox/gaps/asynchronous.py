"""Asynchronous invocation: retries, destinations and dead-letter queues.

AWS: a function error is tried again twice by default, a throttled event for as long as its age
allows without using up a retry. What fails in the end goes to the OnFailure destination as an
invocation record and to the dead-letter queue as the event itself with the attributes RequestID,
ErrorCode and ErrorMessage; a success goes to OnSuccess. Sources, AWS Lambda developer guide: "How
Lambda handles errors and retries with asynchronous invocation",
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html, and "Capturing
records of Lambda asynchronous invocations",
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html.

MiniStack 1.5.33: a throttle uses up a retry; OnFailure replaces the dead-letter queue and both get
the same record, which always says three attempts; OnSuccess and EventBridge are ignored.

The filler: the whole of it, to queues; topics, buses and functions as destinations are left out.
AWS waits one minute before the first retry and two before the second;
here `RETRY_DELAY` seconds and twice that, so that a failure is seen while one watches.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from ministack.core.concurrency import esm_wake, spawn_background
from ministack.core.responses import new_uuid, request_scope
from ministack.services import cloudwatch, lambda_svc, sqs

from sandbox.gaps import permissions

RETRY_DELAY = 1.0
THROTTLE_DELAY = 1.0
DEFAULT_RETRIES = 2
DEFAULT_EVENT_AGE = 6 * 3600


def install() -> None:
    """Take over what every asynchronous source calls."""
    lambda_svc.invoke_async_with_retry = invoke


def invoke(function: dict[str, Any], event: object) -> None:
    """Queue an event for a function and return."""
    spawn_background(process, function, event, thread_name="sandbox-asynchronous-invocation")


def process(function: dict[str, Any], event: object) -> None:
    """Invoke until success or the end of the retries, then deliver the record."""
    config = function.get("config") or function
    account, region = lambda_svc._account_region_from_function_config(config)
    with request_scope(account, region):
        settings = (
            function.get("event_invoke_config")
            or (function.get("event_invoke_configs") or {}).get("$LATEST")
            or {}
        )
        count(config, "AsyncEventsReceived")
        result, attempts, condition = attempt(function, event, settings)
        failed = bool(result.get("error"))
        if failed:
            count(config, "AsyncEventsDropped")
        destinations = settings.get("DestinationConfig") or {}
        chosen = destinations.get("OnFailure" if failed else "OnSuccess") or {}
        if chosen.get("Destination") and may_deliver(config, chosen["Destination"]):
            record = invocation_record(config, event, result, attempts, condition)
            send_message(chosen["Destination"], json.dumps(record))
        queue = (config.get("DeadLetterConfig") or {}).get("TargetArn")
        if failed and queue and may_deliver(config, queue):
            send_message(queue, json.dumps(event), error_attributes(result))


def count(config: dict[str, Any], metric: str) -> None:
    """Add one to a metric of the function."""
    dimensions = {"FunctionName": config["FunctionName"]}
    cloudwatch.record_metric("AWS/Lambda", metric, 1, "Count", dimensions)


def may_deliver(config: dict[str, Any], arn: str) -> bool:
    """Whether that is a queue to which the function's role lets Lambda send."""
    if permissions.role_allows(config["Role"], "sqs:SendMessage", arn):
        return True
    lambda_svc.logger.warning("role %s may not send to %s", config["Role"], arn)
    count(config, "DestinationDeliveryFailures")
    return False


def attempt(
    function: dict[str, Any], event: object, settings: dict[str, Any]
) -> tuple[dict[str, Any], int, str]:
    """Invoke with retries: the last result, how often the function ran, and the condition."""
    retries = settings.get("MaximumRetryAttempts")
    retries = DEFAULT_RETRIES if retries is None else int(retries)
    age = int(settings.get("MaximumEventAgeInSeconds") or DEFAULT_EVENT_AGE)
    started, attempts = time.monotonic(), 0
    arn = (function.get("config") or function)["FunctionArn"]
    while True:
        # Code, concurrency and settings may have changed since the last attempt.
        current, config, _ = lambda_svc._get_func_record_for_ref(arn)
        if current is not None:
            function = lambda_svc._execution_record_for_config(current, config)
        result: dict[str, Any] = lambda_svc._execute_function(function, event)
        if not result.get("error"):
            return result, attempts + 1, "Success"
        if result.get("throttle"):
            delay = THROTTLE_DELAY
        else:
            attempts += 1
            if attempts > retries:
                return result, attempts, "RetriesExhausted"
            delay = RETRY_DELAY * attempts
        if time.monotonic() + delay - started > age:
            return result, attempts, "EventAgeExceeded"
        time.sleep(delay)


def invocation_record(
    config: dict[str, Any], event: object, result: dict[str, Any], attempts: int, condition: str
) -> dict[str, Any]:
    """The document that a destination receives."""
    failed = bool(result.get("error"))
    error = {"functionError": "Unhandled"} if failed else {}
    return {
        "version": "1.0",
        "timestamp": lambda_svc._now_iso(),
        "requestContext": {
            "requestId": new_uuid(),
            "functionArn": config["FunctionArn"] + ":$LATEST",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", **error},
        "responsePayload": result.get("body"),
    }


def error_attributes(result: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The attributes that a dead-letter queue gets with the event."""
    body = result.get("body")
    text = str(body.get("errorMessage", "")) if isinstance(body, dict) else ""
    return {
        "RequestID": {"DataType": "String", "StringValue": new_uuid()},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": text[:1024] or "error"},
    }


def send_message(
    queue_arn: str, body: str, attributes: dict[str, dict[str, str]] | None = None
) -> bool:
    """Put a message into a queue, as a service does; whether the queue exists."""
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        lambda_svc.logger.warning("queue %s does not exist", queue_arn)
        return False
    now = time.time()
    queue["messages"].append(
        {
            "id": new_uuid(),
            "body": body,
            "md5_body": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
            "md5_attrs": sqs._md5_msg_attrs(attributes) if attributes else "",
            "receipt_handle": None,
            "sent_at": now,
            "visible_at": now + sqs.queue_delay(queue),
            "receive_count": 0,
            "first_receive_at": None,
            "message_attributes": attributes or {},
            "sys": {"SenderId": "AIDAIT2UOQQY3AUEKVGXU", "SentTimestamp": str(int(now * 1000))},
            "group_id": None,
            "dedup_id": None,
            "dedup_cache_key": None,
            "seq": None,
        }
    )
    esm_wake.set()
    return True
