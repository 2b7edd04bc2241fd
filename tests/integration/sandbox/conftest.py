"""Functions of one file, as an account's owner would create them."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

ASSUMED_BY_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


class CreateFunction(Protocol):
    """Creates a function and returns its ARN; `allowed` are the statements of its role."""

    def __call__(
        self, source: str, *, allowed: list[dict[str, Any]] | None = None, **settings: Any
    ) -> str: ...


@pytest.fixture
def create_function(aws, unique) -> Iterator[CreateFunction]:
    iam, client = aws.client("iam"), aws.client("lambda")
    created: list[str] = []

    def create(source: str, *, allowed=None, **settings) -> str:
        name = f"test-{unique}-{len(created)}"
        role = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps(ASSUMED_BY_LAMBDA)
        )
        document = {"Version": "2012-10-17", "Statement": allowed or []}
        if allowed:
            iam.put_role_policy(
                RoleName=name, PolicyName="own", PolicyDocument=json.dumps(document)
            )
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("app.py", source)
        function = client.create_function(
            FunctionName=name,
            Role=role["Role"]["Arn"],
            Runtime="python3.11",
            Handler="app.handler",
            Code={"ZipFile": package.getvalue()},
            **settings,
        )
        created.append(name)
        return function["FunctionArn"]

    yield create
    for name in created:
        client.delete_function(FunctionName=name)


@pytest.fixture
def create_queue(aws, unique) -> Callable[..., tuple[str, str]]:
    """Creates a queue and returns its URL and ARN; `service` may send to it."""
    count = 0

    def create(service: str | None = None, account: str = "111111111111") -> tuple[str, str]:
        nonlocal count
        count += 1
        client = aws.client("sqs", account)
        url = client.create_queue(QueueName=f"test-{unique}-{count}")["QueueUrl"]
        attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn = attributes["Attributes"]["QueueArn"]
        if service:
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return url, arn

    return create


@pytest.fixture
def receive(aws) -> Callable[..., dict[str, Any]]:
    """Waits for one message, returns it and takes it out of the queue."""

    def receive_one(url: str, account: str = "111111111111", seconds: int = 10) -> dict[str, Any]:
        client = aws.client("sqs", account)
        messages = client.receive_message(
            QueueUrl=url, WaitTimeSeconds=seconds, MessageAttributeNames=["All"]
        ).get("Messages", [])
        assert messages, f"nothing arrived in {url}"
        client.delete_message(QueueUrl=url, ReceiptHandle=messages[0]["ReceiptHandle"])
        return messages[0]

    return receive_one


@pytest.fixture
def metric_sum(aws) -> Callable[..., float]:
    """The sum of a metric's data points of the last hour."""

    def total(namespace: str, name: str, **dimensions: str) -> float:
        now = time.time()
        points = aws.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - 3600,
            EndTime=now + 60,
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(point["Sum"] for point in points)

    return total


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Waits until a condition holds."""

    def wait(condition: Callable[[], bool], seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not become true"
            time.sleep(0.05)

    return wait
