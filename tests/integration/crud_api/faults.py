"""What can go wrong between the app and DynamoDB, put in the way of a botocore client."""

import json
import random
from collections.abc import Callable
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session


class _Raw:
    """The body of an answer, as botocore reads it."""

    def __init__(self, body):
        self.body = body

    def stream(self, *arguments, **options):
        yield self.body


def answer(request, status, code, **members) -> AWSResponse:
    """An error answer of DynamoDB."""
    error = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **members}
    headers = {"content-type": "application/x-amz-json-1.0"}
    return AWSResponse(request.url, status, headers, _Raw(json.dumps(error).encode()))


def cancelled(request, *reasons) -> AWSResponse:
    """A cancelled transaction with the codes of its reasons."""
    codes = [{"Code": code} for code in reasons]
    return answer(request, 400, "TransactionCanceledException", CancellationReasons=codes)


def deliver(request) -> Any:
    """Send the request and return the answer."""
    return URLLib3Session().send(request)


def lose(request) -> AWSResponse:
    """Send the request, and let botocore see a failure in place of the answer."""
    deliver(request)
    return answer(request, 500, "InternalServerError")


def operation(request) -> str:
    """The name of the operation of a request, such as PutItem."""
    target = request.headers["X-Amz-Target"]
    return (target.decode() if isinstance(target, bytes) else target).split(".")[1]


class Chaos:
    """Lets a share of the requests fail: refused, failed, or carried out and the answer lost."""

    def __init__(self, generator: random.Random, share: float) -> None:
        self.generator = generator
        self.share = share
        self.injected = 0

    def __call__(self, request, **_) -> AWSResponse | None:
        if self.generator.random() >= self.share:
            return None
        self.injected += 1
        kinds: list[Callable[[Any], AWSResponse]] = [
            lambda request: answer(request, 400, "ThrottlingException"),
            lambda request: answer(request, 500, "InternalServerError"),
            lose,
        ]
        if operation(request) == "TransactWriteItems":
            count = len(json.loads(request.body)["TransactItems"])
            reasons = ["TransactionConflict", *["None"] * (count - 1)]
            kinds.append(lambda request: cancelled(request, *reasons))
        else:
            kinds.append(lambda request: answer(request, 400, "TransactionConflictException"))
        return self.generator.choice(kinds)(request)
