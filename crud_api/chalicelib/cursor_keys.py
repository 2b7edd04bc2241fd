"""The keys that sign cursors, from AWS Secrets Manager.

One secret, two versions of it: a cursor is signed with the current one, and taken back with either,
so that a rotation interrupts no client. Functions notice a rotation by themselves
(docs/decisions/items-cursor-key.md).
"""

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import botocore.exceptions

from . import retries
from .cursors import Key
from .retries import Deadline

KEEP_SECONDS = 300.0
"""How long the keys are used before they are read again."""

ASK_AGAIN_SECONDS = 5.0
"""How soon a cursor with an unknown key makes them be read again: not on every forged cursor."""


class CursorKeys:
    """The keys of one secret. `client` makes the Secrets Manager client when it is first needed."""

    def __init__(self, client: Callable[[], Any], secret: str) -> None:
        self._make_client = client
        self._client: Any = None
        self._secret = secret
        self._lock = Lock()
        self._keys: tuple[Key, ...] = ()
        self._read_at = 0.0

    def current(self, deadline: Deadline) -> Key:
        """Return the key to sign with. UnavailableError: it cannot be read."""
        return self._fresh(KEEP_SECONDS, deadline)[0]

    def named(self, name: bytes, deadline: Deadline) -> Sequence[Key]:
        """Return the keys of that name, none where it is unknown. UnavailableError as above."""
        for seconds in (KEEP_SECONDS, ASK_AGAIN_SECONDS):
            keys = [key for key in self._fresh(seconds, deadline) if key.name == name]
            if keys:
                return keys
        return ()

    def _fresh(self, seconds: float, deadline: Deadline) -> tuple[Key, ...]:
        """Return the keys, read anew where the last reading is older than that."""
        with self._lock:
            if not self._keys or time.monotonic() - self._read_at > seconds:
                if self._client is None:
                    self._client = self._make_client()
                versions = (self._version(stage, deadline) for stage in _STAGES)
                self._keys = tuple(Key.of(text) for text in versions if text is not None)
                self._read_at = time.monotonic()
            return self._keys

    def _version(self, stage: str, deadline: Deadline) -> str | None:
        try:
            response, _ = retries.call(
                self._client,
                "get_secret_value",
                deadline,
                SecretId=self._secret,
                VersionStage=stage,
            )
        except botocore.exceptions.ClientError as error:
            missing = error.response["Error"]["Code"] == "ResourceNotFoundException"
            if missing and stage == "AWSPREVIOUS":
                return None  # never rotated
            raise
        text: str = response["SecretString"]
        return text


_STAGES = ("AWSCURRENT", "AWSPREVIOUS")
