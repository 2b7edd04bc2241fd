"""The AWS clients of the app.

They are botocore's: boto3 makes the same ones, and imports its transfer manager for S3 with it,
which is a quarter of the time a function needs to start.
"""

from typing import Any

import botocore.session
from botocore.config import Config

_SESSION = botocore.session.Session()


def dynamodb(connections: int) -> Any:
    """Return a DynamoDB client for that many calls at once, created while the function starts.

    It makes one attempt: `retries` decides on another, because it knows the time that is left and
    must know whether an attempt may have been carried out.
    """
    return _SESSION.create_client("dynamodb", config=_config(max_pool_connections=connections))


def secrets_manager() -> Any:
    """Return a Secrets Manager client, created when the first page of a list is asked for."""
    return _SESSION.create_client("secretsmanager", config=_config())


def _config(**options: Any) -> Config:
    return Config(
        connect_timeout=1,
        read_timeout=3,
        retries={"mode": "standard", "total_max_attempts": 1},
        tcp_keepalive=True,
        # What is sent is built by this app and checked by the service: once is enough.
        parameter_validation=False,
        # Of the time of a call botocore spends a tenth on composing this text anew.
        user_agent="crud_api",
        **options,
    )
