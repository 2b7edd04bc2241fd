"""Image ids: 32 lower-case hexadecimal digits that sort newest first.

The first 12 digits are 2^48 - 1 minus the upload's time in milliseconds since 1970 (UTC), the other
20 are random. S3 lists keys in ascending order only, so the newest image is the first one listed.
"""

from __future__ import annotations

import re
import secrets
import time
from datetime import UTC, datetime

PATTERN = re.compile(r"[0-9a-f]{32}")

_LATEST = 2**48 - 1
# The last millisecond that RFC 3339 can write, of the year 9999.
_LAST_DATE = 253_402_300_799_999
_TIME_DIGITS = 12


def new_id() -> str:
    """Return an id for an image uploaded now."""
    milliseconds = time.time_ns() // 1_000_000
    return f"{_LATEST - milliseconds:0{_TIME_DIGITS}x}{secrets.token_hex(10)}"


def is_id(text: str) -> bool:
    """Tell whether `text` is formed as an image id, and has a date."""
    return PATTERN.fullmatch(text) is not None and _milliseconds(text) <= _LAST_DATE


def created_at(image_id: str) -> str:
    """Return when the image was uploaded: RFC 3339, UTC, in milliseconds."""
    seconds, rest = divmod(_milliseconds(image_id), 1000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(image_id: str) -> int:
    return _LATEST - int(image_id[:_TIME_DIGITS], 16)
