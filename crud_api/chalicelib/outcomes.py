"""One change of an item, and what became of it where DynamoDB refused or did not answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import clock, records
from .items import Item
from .records import Record, Replay
from .retries import UnavailableError
from .revisions import Revision

MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
"""The items of a transaction together ("Quotas in Amazon DynamoDB")."""

CLOCK_MICROSECONDS = 5_000_000
"""How far the clocks of two functions may differ, with a wide margin."""


class ConditionFailedError(Exception):
    """The condition of a write did not hold; `current` is the stored item (None: there is none)."""

    def __init__(self, current: Item | None) -> None:
        super().__init__("the condition of the write did not hold")
        self.current = current


class ConditionsFailedError(Exception):
    """A transaction was not done; `current` has the stored item of each write that failed.

    Its keys are places in the list of writes.
    """

    def __init__(self, current: Mapping[int, Item | None]) -> None:
        super().__init__("conditions of the transaction did not hold")
        self.current = current


class KeyUsedError(Exception):
    """The idempotency key stands for something already: `replay`."""

    def __init__(self, replay: Replay) -> None:
        super().__init__("the idempotency key has been used")
        self.replay = replay


class TransactionTooLargeError(ValueError):
    """The items of a transaction are larger together than DynamoDB takes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size:,} of at most {MAX_TRANSACTION_BYTES:,} bytes")


class ItemTooLargeError(ValueError):
    """The item would be larger than DynamoDB stores."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size:,} of at most {records.MAX_BYTES:,} bytes")


@dataclass(frozen=True)
class Write:
    """One change: `item` is what to store (None: delete), `expected` what is replaced (None: new).

    The rows of the tag index that the change needs follow from the two.
    """

    item_id: str
    item: Item | None
    expected: Revision | None


def was_done(write: Write, record: Record, *, unsure: bool) -> bool:
    """Whether the stored row shows that an attempt before the one that failed did the write.

    UnavailableError: it shows neither, so nothing can be said.
    """
    current = records.item_or_none(record)
    if write.item and current and current.revision.nonce == write.item.revision.nonce:
        return True
    if not unsure:
        return False
    if write.item is None and (
        current is None or (write.expected and _is_newer(current, write.expected))
    ):
        return True
    created = write.item if write.expected is None else None
    if created and record and record[records.POSITION]["S"] == created.position:
        # Created by this very request, and changed or deleted by another since.
        return True
    raise unknown_outcome()


def is_older(time: str, begun: int) -> bool:
    """Whether a time of an item is before an attempt that began then, whoever's clock it is."""
    return time < clock.text_of(begun - CLOCK_MICROSECONDS)


def _is_newer(item: Item, revision: Revision) -> bool:
    """Whether the item was created under its ID after the one with that revision was deleted."""
    return item.revision.created != revision.created


def unknown_outcome() -> UnavailableError:
    """Return the error that a write may have been done, which nothing tells any more."""
    return UnavailableError("an attempt may have been carried out and overwritten", unsure=True)


def failed_record(error: Any) -> Record:
    """Return the row on which the condition failed, empty where there is none.

    Any other error is raised again.
    """
    if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
        raise error
    record: Record = error.response.get("Item") or {}
    return record


def raise_conditions(error: Any, writes: Sequence[Write], replay: Replay | None) -> None:
    """Raise what the reasons of a cancelled transaction say, or the error itself."""
    reasons = error.response.get("CancellationReasons")
    if error.response["Error"]["Code"] != "TransactionCanceledException" or not reasons:
        raise error
    if replay is not None:
        first, *reasons = reasons
        if first.get("Code") == "ConditionalCheckFailed":
            raise KeyUsedError(records.replay_of(first["Item"])) from error
    failed = {
        place: records.item_or_none(reason.get("Item") or {})
        for place, reason in enumerate(reasons[: len(writes)])
        if reason.get("Code") == "ConditionalCheckFailed"
    }
    if not failed:
        raise error
    raise ConditionsFailedError(failed) from error
