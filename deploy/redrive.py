"""Put the events of a failure queue back to the functions that failed on them.

A message is the record of an asynchronous invocation whose retries were spent. Its event is sent to
its function again and, once Lambda has taken it, the message is deleted. So no event is lost; one
may be sent twice, which the functions are made for. Source: AWS Lambda developer guide, "Capturing
records of Lambda asynchronous invocations".
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy import progress
from deploy.errors import DeployError, SettingsError
from deploy.stack import Stack
from deploy.target import Target

# Longer than it takes to put back what one call receives.
_HIDDEN_SECONDS = 60


class UnreadableMessageError(ValueError):
    """A message that is no record of an invocation of the part's functions."""


@dataclass(frozen=True)
class Redriven:
    """How many events went back, and how many messages stay because they cannot be read."""

    returned: int
    unreadable: int


def redrive_part(target: Target) -> int:
    """Put back what is in the part's failure queue, return the exit status."""
    planned = target.stacks[0]
    account = target.accounts()[planned.profile]
    progress.heading(f"failure queue of {target.part.name} at {target.stage} in {account}")
    outputs = Stack(account.client("cloudformation"), planned.template.stack).outputs()
    if outputs is None:
        raise DeployError(f"there is no stack {planned.template.stack}: deploy {target.part.name}")
    if "FailureQueueUrl" not in outputs:
        raise SettingsError(f"{target.part.name} has no failure queue")
    result = redrive(
        account.client("sqs"),
        account.client("lambda"),
        outputs["FailureQueueUrl"],
        f"{target.app_name}-{target.stage}",
        progress.line,
    )
    progress.heading(f"{result.returned} events are on their way again")
    if result.unreadable:
        raise DeployError(f"{result.unreadable} messages cannot be read and stay in the queue")
    return 0


def redrive(
    sqs: Any, lambda_: Any, queue_url: str, app: str, on_line: Callable[[str], None]
) -> Redriven:
    """Put back the messages that were in the queue at the start; `on_line` is told of each.

    `app` is what the names of the part's functions begin with: no message makes another function
    run. Messages that come in meanwhile wait for the next time, for an event that fails at once
    would otherwise go round for ever. Raises ClientError, and no message is lost by it.
    """
    # The queue's clock may differ a little from this one; what matters is that this ends.
    latest = (time.time() + 1) * 1000
    returned = unreadable = 0
    kept: dict[str, str] = {}
    while messages := _receive(sqs, queue_url):
        if all(message["MessageId"] in kept for message in messages):
            break
        for message in messages:
            handle, message_id = message["ReceiptHandle"], message["MessageId"]
            if message_id in kept:
                kept[message_id] = handle
                continue
            if int(message["Attributes"]["SentTimestamp"]) > latest:
                kept[message_id] = handle
                continue
            try:
                function, event = _record(message["Body"], app)
            except UnreadableMessageError as error:
                on_line(f"message {message_id} stays: {error}")
                kept[message_id] = handle
                unreadable += 1
                continue
            lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=event)
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=handle)
            on_line(f"message {message_id} went back to {function}")
            returned += 1
    for handle in kept.values():
        sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=0)
    return Redriven(returned, unreadable)


def _receive(sqs: Any, queue_url: str) -> list[dict[str, Any]]:
    # Waiting a second asks all of SQS's servers: without it an answer may be empty by chance.
    answer = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=1,
        VisibilityTimeout=_HIDDEN_SECONDS,
        MessageSystemAttributeNames=["SentTimestamp"],
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def _record(body: str, app: str) -> tuple[str, bytes]:
    """Return the function's name and the event in a message."""
    try:
        record = json.loads(body)
        # arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME:QUALIFIER
        function = record["requestContext"]["functionArn"].split(":")[6]
        event = record["requestPayload"]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UnreadableMessageError("it is no record of an invocation") from error
    if function != app and not function.startswith(f"{app}-"):
        raise UnreadableMessageError(f"{function} is not one of the part's functions")
    return function, json.dumps(event).encode()
