"""S3 event notifications: the records of an event, as plain values.

Structure: Amazon S3 User Guide, "Event message structure". One event can hold several records, S3
sends an `s3:TestEvent` without any when a notification is configured, and keys are encoded as in a
form ("+" for a space).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

logger = logging.getLogger("image_api.notifications")


@dataclass(frozen=True)
class ObjectCreated:
    """An object was written: its bucket, and its key decoded."""

    bucket: str
    key: str


def objects_created(event: object, _context: object = None) -> tuple[ObjectCreated, ...]:
    """Return the objects an event says were created, in its order.

    Test events, other events and records that cannot be read give nothing and are logged: they
    would read no better the second time. Lambda's context is not used: it is taken so that this
    function can stand where Chalice wants an event class.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        logger.info("nothing to do: the event has no records")
        return ()
    found = (_object_created(record) for record in records)
    return tuple(created for created in found if created is not None)


def _object_created(record: Any) -> ObjectCreated | None:
    try:
        name = record["eventName"].removeprefix("s3:")
        bucket = record["s3"]["bucket"]["name"]
        encoded = record["s3"]["object"]["key"]
        key = unquote_plus(encoded, errors="strict")
    except (AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
        logger.warning("record passed over, it cannot be read: %r", error)
        return None
    if not name.startswith("ObjectCreated:"):
        logger.info("record passed over, it is not about a new object: %s", name)
        return None
    return ObjectCreated(bucket, key)
