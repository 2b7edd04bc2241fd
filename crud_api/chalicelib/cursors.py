"""Cursors: where the next page of the list begins, as text a client passes back unread."""

import base64
import re

_POSITION = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z#[A-Za-z0-9_-]{1,64}", re.ASCII)


class InvalidCursorError(ValueError):
    """The text was not made by `encode`."""


def encode(position: str) -> str:
    """Return the cursor of a position in the list (base64url without padding, RFC 4648)."""
    return base64.urlsafe_b64encode(position.encode()).rstrip(b"=").decode()


def decode(cursor: str) -> str:
    """Return the position a cursor stands for; InvalidCursorError where it stands for none."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        position = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        raise InvalidCursorError("is not a cursor this API gave") from None
    # More than one text can decode to the same bytes; only the one given out is taken back.
    if _POSITION.fullmatch(position) is None or encode(position) != cursor:
        raise InvalidCursorError("is not a cursor this API gave")
    return position
