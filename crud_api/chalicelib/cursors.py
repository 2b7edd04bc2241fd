"""Cursors: where the next page of a list begins, as text a client passes back unread.

A cursor is signed (HMAC-SHA-256, RFC 2104, cut to 16 bytes as its section 5 allows), together with
the list it is a place in and the caller it was given to: it is good for nothing else.
"""

import base64
import hashlib
import hmac
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import clock

_HEAD = struct.Struct(">4s16sQ")


class InvalidCursorError(ValueError):
    """The text is no cursor of this list and caller."""


@dataclass(frozen=True)
class Key:
    """A signing key, and the name by which a cursor says that it signed it."""

    name: bytes
    secret: bytes

    @classmethod
    def of(cls, secret: str) -> "Key":
        """Return the key of a secret text."""
        digest = hashlib.sha256(b"cursor:" + secret.encode()).digest()
        return cls(hashlib.sha256(digest).digest()[:4], digest)


@dataclass(frozen=True)
class Scope:
    """What a cursor is bound to: the tag of the list (None: all items) and the caller ("": anyone).

    The length of a page is not part of it: a client may change its mind about that.
    """

    tag: str | None
    caller: str

    def signature(self, key: Key, position: str) -> bytes:
        """Return the signature of a place in this list."""
        tag = "" if self.tag is None else f"{self.tag}"
        # No ID, time or name of a caller has a line feed, and the tag comes last.
        message = "\n".join((self.caller, position, str(self.tag is not None), tag))
        return hmac.digest(key.secret, message.encode(), "sha256")[:16]


def encode(position: str, scope: Scope, key: Key) -> str:
    """Return the cursor of a position, the time and ID of `Item.position`."""
    created, _, item_id = position.partition("#")
    head = _HEAD.pack(key.name, scope.signature(key, position), clock.microseconds_of(created))
    return base64.urlsafe_b64encode(head + item_id.encode()).rstrip(b"=").decode()


def decode(cursor: str, scope: Scope, keys: Callable[[bytes], Sequence[Key]]) -> str:
    """Return the position a cursor stands for.

    `keys` gives the keys of a name. InvalidCursorError: `encode` made no such cursor for `scope`.
    """
    try:
        packed = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        name, signature, created = _HEAD.unpack(packed[: _HEAD.size])
        position = f"{clock.text_of(created)}#{packed[_HEAD.size :].decode('ascii')}"
    except (ValueError, OverflowError, struct.error):
        raise InvalidCursorError("is not a cursor this API gave") from None
    for key in keys(name):
        if hmac.compare_digest(signature, scope.signature(key, position)):
            # More than one text decodes to the same bytes; only the one given out is taken back.
            if encode(position, scope, key) == cursor:
                return position
            break
    raise InvalidCursorError("is not a cursor this API gave for this list and this caller")
