"""The time, and the form it has in items: whole microseconds since 1970, and RFC 3339 in UTC."""

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> int:
    """Return the current time in microseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1_000


def text_of(microseconds: int) -> str:
    """Return a time as RFC 3339 with microseconds; such texts sort as the times do."""
    return (_EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def microseconds_of(text: str) -> int:
    """Return the time that `text_of` wrote; ValueError where it did not."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
