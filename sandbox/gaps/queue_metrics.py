"""Metrics of queues.

AWS: SQS publishes how many messages a queue holds, once a minute. Source: Amazon SQS developer
guide, "Available CloudWatch metrics for Amazon SQS",
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html.

MiniStack 1.5.33: publishes none, so an alarm on a dead-letter queue never goes off.

The filler: visible, not visible and delayed messages of every queue and the age of its oldest
message, once a minute divided by the
scale of the alarm periods.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import request_scope
from ministack.services import cloudwatch, sqs

# The metric's name and the attribute of the queue that has its value.
METRICS = {
    "ApproximateNumberOfMessagesVisible": "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed": "ApproximateNumberOfMessagesDelayed",
}


def install(*, period_scale: float) -> None:
    """Start publishing."""
    publisher = threading.Thread(
        target=run, args=(60 / period_scale,), daemon=True, name="sandbox-queue-metrics"
    )
    publisher.start()


def run(interval: float) -> None:
    """Publish for ever, `interval` seconds apart."""
    while True:
        time.sleep(interval)
        for queue in sqs._queues.all_values():
            try:
                publish(queue)
            except Exception:
                # One queue that cannot be read must not silence the others.
                sqs.logger.exception("metrics of a queue")


def publish(queue: dict[str, Any]) -> None:
    """Record one data point of each metric of a queue."""
    sqs._refresh_counts(queue)
    arn = parse_arn(queue["attributes"]["QueueArn"])
    with request_scope(arn.account_id, arn.region):
        dimensions = {"QueueName": arn.resource}
        for metric, attribute in METRICS.items():
            value = int(queue["attributes"][attribute])
            cloudwatch.record_metric("AWS/SQS", metric, value, "Count", dimensions)
        sent = min((message["sent_at"] for message in list(queue["messages"])), default=None)
        age = 0 if sent is None else time.time() - sent
        cloudwatch.record_metric(
            "AWS/SQS", "ApproximateAgeOfOldestMessage", age, "Seconds", dimensions
        )
