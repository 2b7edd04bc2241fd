"""SNS as AWS documents it: retries by the delivery policy, then the dead-letter queue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.gaps import deliveries
from tests.integration.endpoint import Endpoint, endpoint

ATONCE = {"healthyRetryPolicy": {"numRetries": 2, "minDelayTarget": 1, "maxDelayTarget": 1}}


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Endpoint]:
    with endpoint(tmp_path) as running:
        yield running


@pytest.fixture
def subscribe(aws, unique, listening, create_queue) -> Callable[..., tuple[str, str]]:
    """Subscribes the endpoint; gives the topic's ARN and the dead-letter queue's URL."""

    def make(policy: dict[str, Any] | None = None) -> tuple[str, str]:
        sns = aws.client("sns")
        topic = sns.create_topic(Name=f"test-{unique}")["TopicArn"]
        url, arn = create_queue("sns.amazonaws.com")
        attributes = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn})}
        if policy is not None:
            attributes["DeliveryPolicy"] = json.dumps(policy)
        sns.subscribe(
            TopicArn=topic, Protocol="https", Endpoint=listening.url, Attributes=attributes
        )
        assert listening.confirmed.wait(60)
        return topic, url

    return make


def until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.1)
    return found


def test_an_endpoint_that_fails_for_a_while_gets_the_message_once(
    aws, listening, subscribe
) -> None:
    topic, dead = subscribe(ATONCE)
    listening.status = lambda _: 503 if len(listening.attempts) < 3 else 200
    aws.client("sns").publish(TopicArn=topic, Message="hello")
    until(lambda: listening.taken)
    assert [one["Message"] for one in listening.taken] == ["hello"]
    assert len(listening.attempts) == 3
    assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=dead)


@pytest.mark.parametrize(
    ("status", "policy", "attempts"),
    [
        (503, ATONCE, 3),
        (429, ATONCE, 3),
        (503, None, 4),
        (403, ATONCE, 1),
        (404, None, 1),
    ],
)
def test_what_is_not_taken_is_a_dead_letter(
    aws, listening, subscribe, receive, status, policy, attempts
) -> None:
    topic, dead = subscribe(policy)
    listening.status = lambda _: status
    aws.client("sns").publish(TopicArn=topic, Message="hello")
    message = receive(dead, seconds=60)
    assert json.loads(message["Body"])["Message"] == "hello"
    assert len(listening.attempts) == attempts


def test_a_queue_that_refuses_leaves_a_dead_letter(aws, unique, create_queue, receive) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name=f"test-{unique}")["TopicArn"]
    _, closed = create_queue()
    url, dead = create_queue("sns.amazonaws.com")
    redrive = json.dumps({"deadLetterTargetArn": dead})
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=closed, Attributes={"RedrivePolicy": redrive}
    )
    sns.publish(TopicArn=topic, Message="hello")
    assert json.loads(receive(url)["Body"])["Message"] == "hello"


@pytest.mark.parametrize(
    ("document", "delays"),
    [
        ({}, [20, 20, 20]),
        (
            {
                "http": {
                    "defaultHealthyRetryPolicy": {
                        "numRetries": 3,
                        "minDelayTarget": 1,
                        "maxDelayTarget": 3,
                        "backoffFunction": "linear",
                    }
                }
            },
            [1, 2, 3],
        ),
        (
            {
                "healthyRetryPolicy": {
                    "numRetries": 7,
                    "numNoDelayRetries": 1,
                    "numMinDelayRetries": 2,
                    "numMaxDelayRetries": 1,
                    "minDelayTarget": 2,
                    "maxDelayTarget": 8,
                    "backoffFunction": "exponential",
                }
            },
            [0, 2, 2, 2, 4, 8, 8],
        ),
    ],
)
def test_the_phases_of_a_delivery_policy(document: dict[str, Any], delays: list[float]) -> None:
    assert deliveries.policy_of(document).delays() == pytest.approx(delays)
