"""The AWS client of the app, created while the function starts."""

from typing import Any

import boto3
from botocore.config import Config

# Three tries of at most 1 + 2 seconds and the pauses between them end well inside the 29 seconds
# API Gateway waits, also where a request needs two calls after each other (PATCH).
_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 3},
    tcp_keepalive=True,
)


def dynamodb() -> Any:
    """Return a DynamoDB client with time-outs that fit a request."""
    return boto3.client("dynamodb", config=_CONFIG)
