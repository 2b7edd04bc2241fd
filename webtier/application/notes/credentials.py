"""The database's user and password, as RDS keeps them in Secrets Manager.

RDS replaces the password every seven days by default. Amazon RDS user guide, "Password management
with Amazon RDS and AWS Secrets Manager". Connections that are open stay open; the next one has to
sign in with the new password, so a refused one is the moment to read the secret again.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Credentials = dict[str, Any]


class SecretError(Exception):
    """The secret cannot be read, or holds no user and password."""


class ManagedSecret:
    """The credentials in a secret, kept until somebody says that they no longer hold.

    `read` takes the secret's ARN and returns its text.
    """

    def __init__(self, arn: str, read: Callable[[str], str]) -> None:
        self._arn = arn
        self._read = read
        self._lock = threading.Lock()
        self._known: Credentials | None = None

    def current(self) -> Credentials:
        """`user` and `password`, as last read. Raises SecretError."""
        with self._lock:
            if self._known is None:
                self._known = self._fetch()
            return self._known

    def renewed(self, refused: Mapping[str, str]) -> Credentials | None:
        """What holds instead of the refused credentials; None where the secret still says them.

        Raises SecretError.
        """
        with self._lock:
            if self._known is None or self._known == refused:
                self._known = self._fetch()
            return self._known if self._known != refused else None

    def _fetch(self) -> Credentials:
        try:
            secret = json.loads(self._read(self._arn))
            return {"user": str(secret["username"]), "password": str(secret["password"])}
        except (ValueError, KeyError, TypeError):
            # Without the cause: its message would quote the secret.
            raise SecretError(f"{self._arn} holds no user name and password in JSON") from None


def read_secret(arn: str) -> str:
    """The text of a secret in Secrets Manager. Raises SecretError."""
    # Imported here: it takes a fifth of a second, which a developer's own database does without.
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    # The ARN names the region: arn:aws:secretsmanager:<region>:<account>:secret:<name>.
    client = boto3.client(
        "secretsmanager",
        region_name=arn.split(":")[3],
        config=Config(
            connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2}
        ),
    )
    try:
        answer: dict[str, Any] = client.get_secret_value(SecretId=arn)
    except (BotoCoreError, ClientError) as error:
        raise SecretError(f"{arn} cannot be read: {error}") from error
    return str(answer["SecretString"])
