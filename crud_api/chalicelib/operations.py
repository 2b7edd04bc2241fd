"""The use cases: one function an operation of the API. Each raises `Problem` where it cannot be."""

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from problem_details import Problem

from . import items, problems
from .items import Content, Item
from .merge_patch import merge_patch
from .pages import Page
from .preconditions import EntityTags
from .strict_json import Json
from .table import ConditionFailedError, ItemTable, ItemTooLargeError, TableUnavailableError

RETRY_AFTER_SECONDS = 2


@contextmanager
def _storage_problems() -> Iterator[None]:
    """Turn what the table raises for every operation alike into problems."""
    try:
        yield
    except ItemTooLargeError as error:
        raise Problem(problems.ITEM_TOO_LARGE, f"The item would have {error}.") from error
    except TableUnavailableError as error:
        raise Problem(
            problems.STORAGE_UNAVAILABLE,
            f"Try again in {RETRY_AFTER_SECONDS} seconds. A write may have been done all the same.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        ) from error


@_storage_problems()
def create_item(table: ItemTable, document: Json) -> Item:
    """Store a new item under an ID made here."""
    return table.create(_new_item(str(uuid.uuid4()), _content_of(document)))


@_storage_problems()
def get_item(table: ItemTable, item_id: str) -> Item:
    """Return the item."""
    item = table.get(item_id) if items.is_id(item_id) else None
    if item is None:
        raise problems.not_found(item_id)
    return item


@_storage_problems()
def list_items(table: ItemTable, after: str | None, limit: int, tag: str | None) -> Page:
    """Return a page of the list, newest first (see `ItemTable.page`)."""
    return table.page(after, limit, tag)


@_storage_problems()
def put_item(
    table: ItemTable,
    item_id: str,
    document: Json,
    if_match: EntityTags | None,
    if_none_match: EntityTags | None,
) -> tuple[Item, bool]:
    """Replace the item (`if_match`) or create it (`if_none_match` is `*`): exactly one is needed.

    Returns the item as stored and whether it was created.
    """
    if not items.is_id(item_id):
        raise Problem(
            problems.INVALID_ITEM, "An ID has 1 to 64 of the characters A-Z, a-z, 0-9, _ and -."
        )
    if if_match is None and if_none_match is None:
        raise _precondition_required("replace the item, or If-None-Match: * to create it")
    if if_match is not None and if_none_match is not None:
        raise Problem(
            problems.INVALID_PRECONDITION,
            "If-Match and If-None-Match exclude each other: an item is replaced or created.",
        )
    content = _content_of(document)
    if if_match is not None:
        return _replace(table, item_id, content, if_match), False
    if if_none_match is None or not if_none_match.any_tag:
        raise Problem(problems.INVALID_PRECONDITION, "For PUT the value of If-None-Match is *.")
    try:
        return table.create(_new_item(item_id, content)), True
    except ConditionFailedError as error:
        raise problems.precondition_failed(
            f"There is an item {item_id!r} already.",
            error.current.revision if error.current else None,
        ) from error


@_storage_problems()
def patch_item(table: ItemTable, item_id: str, patch: Json, if_match: EntityTags | None) -> Item:
    """Apply a JSON Merge Patch (RFC 7396) to the item.

    The patch needs the item it changes, so this reads it and then writes on the condition that the
    revision is the one read: an update between the two makes the write fail, and is never lost.
    """
    if if_match is None:
        raise _precondition_required("patch the item")
    faults = tuple(items.member_faults(patch))
    if faults:
        raise problems.of_faults(problems.INVALID_ITEM, faults)
    current = get_item(table, item_id)
    if not if_match.matches_strongly(current.revision):
        raise _stale(item_id, current)
    content = _content_of(merge_patch(items.document_of_content(current.content), patch))
    read = EntityTags(strong=frozenset({current.revision}))
    try:
        return table.replace(item_id, content, _new_revision(), _now(), read)
    except ConditionFailedError as error:
        if error.current is None:
            raise problems.not_found(item_id) from error
        if not if_match.any_tag:
            raise _stale(item_id, error.current) from error
        # If-Match: * still holds; it is only this attempt that came too late.
        raise Problem(
            problems.EDIT_CONFLICT, "Another write came between; send the patch again."
        ) from error


@_storage_problems()
def delete_item(table: ItemTable, item_id: str, if_match: EntityTags | None) -> None:
    """Delete the item, where its revision meets `if_match` if one is given."""
    if not items.is_id(item_id):
        raise problems.not_found(item_id)
    try:
        table.delete(item_id, if_match or EntityTags(any_tag=True))
    except ConditionFailedError as error:
        if error.current is None:
            raise problems.not_found(item_id) from error
        raise _stale(item_id, error.current) from error


def _replace(table: ItemTable, item_id: str, content: Content, if_match: EntityTags) -> Item:
    try:
        return table.replace(item_id, content, _new_revision(), _now(), if_match)
    except ConditionFailedError as error:
        if error.current is None:
            # RFC 9110, section 13.1.1: without a current representation If-Match does not hold.
            raise problems.precondition_failed(f"There is no item {item_id!r}.", None) from error
        raise _stale(item_id, error.current) from error


def _content_of(document: Json) -> Content:
    try:
        return items.content_of(document)
    except items.InvalidItemError as error:
        raise problems.of_faults(problems.INVALID_ITEM, error.faults) from error


def _new_item(item_id: str, content: Content) -> Item:
    now = _now()
    return Item(item_id, content, 1, _new_revision(), created_at=now, updated_at=now)


def _new_revision() -> str:
    return secrets.token_urlsafe(12)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _precondition_required(purpose: str) -> Problem:
    return Problem(
        problems.PRECONDITION_REQUIRED, f"Send If-Match with the ETag of the item to {purpose}."
    )


def _stale(item_id: str, current: Item) -> Problem:
    return problems.precondition_failed(
        f"Item {item_id!r} has another ETag now: it was changed at {current.updated_at}.",
        current.revision,
    )
