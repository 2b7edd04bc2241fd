"""Messages of a failure queue go back to their function; nothing else happens to them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy import redrive

APP = "shop-dev"


class Lambda:
    """Stands at the edge, so that what would be invoked can be seen; the queue is the real one."""

    def __init__(self) -> None:
        self.invoked: list[tuple[str, Any]] = []

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> None:  # noqa: N803
        assert InvocationType == "Event"
        self.invoked.append((FunctionName, json.loads(Payload)))


@pytest.fixture
def queue(aws, unique):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=f"failures-{unique}")["QueueUrl"]
    yield sqs, url
    sqs.delete_queue(QueueUrl=url)


def record(event: Any, function: str = f"{APP}-process") -> str:
    arn = f"arn:aws:lambda:us-east-1:111111111111:function:{function}:$LATEST"
    return json.dumps({"requestContext": {"functionArn": arn}, "requestPayload": event})


def waiting(sqs: Any, url: str) -> int:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(answer["ApproximateNumberOfMessages"])


def test_every_event_goes_back_once(queue):
    sqs, url = queue
    for number in range(23):
        sqs.send_message(QueueUrl=url, MessageBody=record({"number": number}))
    lambda_, lines = Lambda(), []

    result = redrive.redrive(sqs, lambda_, url, APP, lines.append)

    assert result == redrive.Redriven(23, 0)
    assert sorted(event["number"] for _, event in lambda_.invoked) == list(range(23))
    assert {function for function, _ in lambda_.invoked} == {"shop-dev-process"}
    assert len(lines) == 23
    assert waiting(sqs, url) == 0
    assert redrive.redrive(sqs, lambda_, url, APP, lines.append) == redrive.Redriven(0, 0)


def test_what_cannot_be_read_stays_and_is_named(queue):
    sqs, url = queue
    for body in ("no record", "{}", "[]", record({}, "shop-developers"), record({}, "bank-dev")):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    sqs.send_message(QueueUrl=url, MessageBody=record({"number": 1}, APP))
    lambda_, lines = Lambda(), []

    result = redrive.redrive(sqs, lambda_, url, APP, lines.append)

    assert result == redrive.Redriven(1, 5)
    assert lambda_.invoked == [(APP, {"number": 1})]
    assert sum("stays" in line for line in lines) == 5
    # At once to be seen again, by whoever mends it.
    assert waiting(sqs, url) == 5


def test_an_event_that_fails_again_meanwhile_waits_for_the_next_time(queue, monkeypatch):
    sqs, url = queue
    sqs.send_message(QueueUrl=url, MessageBody=record({"number": 1}))
    now = redrive.time.time
    # As if it had been sent later than the run began.
    monkeypatch.setattr(redrive.time, "time", lambda: now() - 60)
    lambda_ = Lambda()

    assert redrive.redrive(sqs, lambda_, url, APP, lambda _line: None) == redrive.Redriven(0, 0)

    assert lambda_.invoked == []
    assert waiting(sqs, url) == 1


def test_a_message_is_kept_where_lambda_refuses_its_event(queue):
    sqs, url = queue
    sqs.send_message(QueueUrl=url, MessageBody=record({"number": 1}))

    class Refusing:
        def invoke(self, **_arguments: Any) -> None:
            raise RuntimeError("throttled")

    with pytest.raises(RuntimeError):
        redrive.redrive(sqs, Refusing(), url, APP, lambda _line: None)

    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert int(counted["ApproximateNumberOfMessagesNotVisible"]) == 1
