"""What the handlers of the items API are called with: events of API Gateway and a context."""

from __future__ import annotations

import json
import time
from typing import Any

CONTENT = {
    "name": "Kettle",
    "description": "Boils a litre and a half of water in three minutes.",
    "attributes": {"litres": 1.7, "colours": ["red", "steel"], "size": {"h": 24, "w": 18}},
}


class Context:
    """The context object of a Lambda function, as far as handlers read it."""

    function_name = "crud_api"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:111111111111:function:crud_api"
    aws_request_id = "3f0d3ff7-8f7c-4a4b-9a9e-8f3b1b0c2d11"

    def __init__(self) -> None:
        self._end = time.monotonic() + 28

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left, as Lambda counts it."""
        return int((self._end - time.monotonic()) * 1000)


def event(method: str, item_id: str | None, body: object = None) -> dict[str, Any]:
    """Return the event of GET /items/{item_id} or POST /items."""
    resource = "/items/{item_id}" if item_id else "/items"
    path = f"/items/{item_id}" if item_id else "/items"
    headers = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "Host": "abc.execute-api.us-east-1.amazonaws.com",
        "User-Agent": "benchmark",
        "X-Amzn-Trace-Id": "Root=1-65f0a0a0-0123456789abcdef01234567",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"item_id": item_id} if item_id else None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": "a1b2c3",
            "resourcePath": resource,
            "httpMethod": method,
            "path": f"/api{path}",
            "stage": "api",
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "apiId": "abc",
            "accountId": "111111111111",
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "benchmark", "userArn": None},
            "requestTimeEpoch": 1_700_000_000_000,
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
