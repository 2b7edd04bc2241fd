"""`redrive`: once a function has recovered, the events it failed on are sent to it again.

It goes by batches, and looks whether the last one came back before it sends the next: events that
fail again are no failure of the function, and stay for people. A message is deleted after Lambda
has accepted its event; between the two a crash makes one event arrive twice, never none. Lambda
delivers events twice as well ("Asynchronous invocation", AWS Lambda developer guide).
"""

from __future__ import annotations

import json
from typing import Any

from .outcome import Outcome


class Redrive:
    """The action on the failure queue of one function.

    `functions` and `queues` are boto3's lambda and sqs clients of the workload account; `batch` is
    how many events are sent before it looks again.
    """

    def __init__(
        self, functions: Any, queues: Any, *, function: str, queue: str, batch: int
    ) -> None:
        self._functions = functions
        self._queues = queues
        self._function = function
        self._queue = queue
        self._batch = batch

    @property
    def _name(self) -> str:
        return self._function.rsplit(":", 1)[-1]

    def prepare(self) -> dict[str, str] | None:
        """Return how many events wait; None where none does."""
        waiting = self._waiting()
        return {"left": str(waiting), "sent": "0"} if waiting else None

    def perform(self, remembered: dict[str, str]) -> Outcome:
        """Send a batch."""
        sent = 0
        while sent < self._batch:
            received = self._queues.receive_message(
                QueueUrl=self._queue,
                MaxNumberOfMessages=min(10, self._batch - sent),
                WaitTimeSeconds=0,
            ).get("Messages", [])
            if not received:
                break
            for message in received:
                self._functions.invoke(
                    FunctionName=self._function,
                    InvocationType="Event",
                    Payload=json.dumps(event_of(message["Body"])),
                )
                self._queues.delete_message(
                    QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"]
                )
                sent += 1
        total = int(remembered["sent"]) + sent
        left = max(0, int(remembered["left"]) - sent)
        return Outcome(
            f"{self._name}: {sent} failed events sent again, {left} left",
            remembered={"left": str(left), "sent": str(total)},
            again=True,
        )

    def describe(self) -> str:
        """Return what a dry run says it would have done."""
        return f"{self._name}: {self._waiting()} failed events sent again"

    def review(self, remembered: dict[str, str], state: str) -> Outcome:
        """Stop where the function fails again or events came back, else go on."""
        waiting = self._waiting()
        if state == "ALARM" or waiting > int(remembered["left"]):
            return Outcome(
                f"{self._name}: events fail again, {waiting} stay in the failure queue", done=True
            )
        if waiting == 0:
            return Outcome(
                f"{self._name}: all {remembered['sent']} failed events are through", done=True
            )
        return self.perform(remembered)

    def finish(self, remembered: dict[str, str]) -> str:
        """Send no more."""
        return f"{self._name}: stopped after {remembered['sent']} events"

    def _waiting(self) -> int:
        attributes = self._queues.get_queue_attributes(
            QueueUrl=self._queue,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )["Attributes"]
        return sum(int(value) for value in attributes.values())


def event_of(body: str) -> Any:
    """Return the event in a message of a failure queue.

    An on-failure destination wraps it into a record ("Capturing records of Lambda asynchronous
    invocations", AWS Lambda developer guide), a dead-letter queue has the event itself.
    """
    document = json.loads(body)
    if isinstance(document, dict) and {"requestContext", "requestPayload"} <= document.keys():
        return document["requestPayload"]
    return document
