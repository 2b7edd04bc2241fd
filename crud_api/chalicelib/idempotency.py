"""Idempotency keys: a POST that is sent again gets the answer of the first.

"The Idempotency-Key HTTP Header Field" (IETF draft, draft-ietf-httpapi-idempotency-key-header).
What is stored is which item the request created; the rest of the answer follows from the body,
which has to be the same (docs/decisions/items-idempotency.md).
"""

import hashlib
import re
from dataclasses import dataclass

from .items import Item
from .records import Replay
from .strict_json import Json, dumps

KEEP_SECONDS = 24 * 60 * 60
"""How long a key is remembered."""

MAX_KEY = 255

_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE = re.compile(r"[\x20-\x21\x23-\x7e]+")


class InvalidKeyError(ValueError):
    """The field value is no idempotency key."""


@dataclass(frozen=True)
class Intent:
    """A request that is to be carried out once: its key, and a digest of what it asks."""

    key: str
    request: str

    @classmethod
    def of(cls, key: str, caller: str, document: Json) -> "Intent":
        """Return the intent of a request; the keys of each caller are its own."""
        scope = f"{caller}\n{key}"
        return cls(_digest(scope), _digest(dumps(document)))

    def replay(self, item: Item, now: int) -> Replay:
        """Return what to remember of an item created `now`, in microseconds since 1970."""
        expires = now // 1_000_000 + KEEP_SECONDS
        return Replay(self.key, self.request, item.id, item.revision.text, expires)


def parse_key(field_value: str) -> str:
    """Return the key of a field value, a quoted string or, as most clients send it, bare text.

    InvalidKeyError: it is neither, or has not 1 to 255 characters.
    """
    value = field_value.strip()
    if quoted := _QUOTED.fullmatch(value):
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    elif _BARE.fullmatch(value):
        key = value
    else:
        raise InvalidKeyError("must be text of printable ASCII characters")
    if not 1 <= len(key) <= MAX_KEY:
        raise InvalidKeyError(f"must have 1 to {MAX_KEY} characters")
    return key


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
