"""S3 event notifications: the records of an event, as plain values.

Structure: Amazon S3 User Guide, "Event message structure". One event can hold several records, S3
sends an `s3:TestEvent` without any when a notification is configured, and keys are encoded as in a
form ("+" for a space).
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

logger = logging.getLogger("image_api.notifications")

_HANDLED = ("ObjectCreated:", "ObjectRemoved:")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{1,64}")


@dataclass(frozen=True)
class ObjectChange:
    """An object was created or removed: its bucket, and its key decoded.

    `sequencer` orders the events of one key; "" where the record has none.
    """

    bucket: str
    key: str
    sequencer: str


class Notification:
    """An event as `process` gets it: the `changes` it tells of, and until when there is time.

    Chalice makes it of the event and Lambda's context. `ends_at` is when Lambda ends the invocation
    at the latest, in seconds since 1970.
    """

    def __init__(self, event: object, context: Any) -> None:
        self.changes = object_changes(event)
        self.ends_at = ends_at(context)


def ends_at(context: Any) -> float:
    """Return when Lambda ends the invocation with this context, in seconds since 1970."""
    remaining: int = context.get_remaining_time_in_millis()
    return time.time() + remaining / 1000


def object_changes(event: object) -> tuple[ObjectChange, ...]:
    """Return the changes an event tells of, in its order.

    Test events, other events and records that cannot be read give nothing and are logged: they
    would read no better the second time.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        logger.info("nothing to do: the event has no records")
        return ()
    found = (_object_change(record) for record in records)
    return tuple(change for change in found if change is not None)


def is_older(sequencer: str, than: str) -> bool:
    """Tell whether an event came before another one of the same key.

    Sequencers are hexadecimal and may differ in length. AWS compares them padded with zeros on the
    right (https://repost.aws/knowledge-center/s3-duplicate-sqs-messages), where others read them as
    numbers. Taking an event for older than it is would lose a change, the opposite costs a look at
    the bucket: so it counts as older only where both agree.
    """
    if not sequencer or not than:
        return False
    width = max(len(sequencer), len(than))
    a, b = sequencer.upper(), than.upper()
    return a.ljust(width, "0") < b.ljust(width, "0") and a.rjust(width, "0") < b.rjust(width, "0")


def _object_change(record: Any) -> ObjectChange | None:
    try:
        name = record["eventName"].removeprefix("s3:")
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"], errors="strict")
        sequencer = record["s3"]["object"].get("sequencer")
    except (AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
        logger.warning("record passed over, it cannot be read: %r", error)
        return None
    if not name.startswith(_HANDLED):
        logger.info("record passed over, it is not about an object written or removed: %s", name)
        return None
    known = isinstance(sequencer, str) and _HEXADECIMAL.fullmatch(sequencer)
    return ObjectChange(bucket, key, sequencer if known else "")
