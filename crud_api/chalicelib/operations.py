"""The use cases: one function an operation of the API. Each raises `Problem` where it cannot be."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from problem_details import Problem

from . import clock, items, problems, revisions
from .idempotency import Intent
from .items import Content, InvalidItemError, Item
from .merge_patch import merge_patch
from .outcomes import ConditionFailedError, ItemTooLargeError, KeyUsedError, Write
from .pages import Page
from .preconditions import EntityTags
from .retries import UnavailableError
from .revisions import Revision
from .strict_json import Json
from .table import ItemTable

Changed = TypeVar("Changed")

TRIES = 5
"""How often a change is made again because another came between its read and its write."""


@contextmanager
def storage_problems() -> Iterator[None]:
    """Turn what the table raises for every operation alike into problems."""
    try:
        yield
    except ItemTooLargeError as error:
        raise problems.too_large(error) from error
    except UnavailableError as error:
        raise problems.unavailable(unsure=error.unsure) from error


@storage_problems()
def create_item(
    table: ItemTable, document: Json, intent: Intent | None = None
) -> tuple[Item, bool]:
    """Store a new item under an ID made here, or return the one the same intent has created.

    Returns the item as it was created, and whether a request before this one did it.
    """
    content = content_of(document)
    item = new_item(new_id(), content)
    replay = None if intent is None else intent.replay(item, item.revision.created)
    try:
        table.create(item, replay)
    except UnavailableError as error:
        if replay is not None and 0 in error.conflicts:
            raise problems.in_progress() from error
        raise
    except KeyUsedError as error:
        used = error.replay
        if intent is None or used.request != intent.request:
            raise Problem(
                problems.IDEMPOTENCY_KEY_REUSED,
                "This Idempotency-Key came with another body; send a new key with a new request.",
            ) from error
        revision = revisions.revision_of(used.revision)
        created = Item(used.item_id, content, revision, clock.text_of(revision.created))
        # The key is ours where an attempt of this request stored it and its answer was lost.
        return created, used.item_id != item.id
    return item, False


@storage_problems()
def get_item(table: ItemTable, item_id: str) -> Item:
    """Return the item."""
    item = table.get(item_id) if items.is_id(item_id) else None
    if item is None:
        raise problems.not_found(item_id)
    return item


@storage_problems()
def list_items(table: ItemTable, after: str | None, limit: int, tag: str | None) -> Page:
    """Return a page of the list, newest first (see `ItemTable.page`)."""
    return table.page(after, limit, tag)


@storage_problems()
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
        raise Problem(problems.INVALID_ITEM, f"An ID {items.ID_RULE}.")
    if if_match is None and if_none_match is None:
        raise _precondition_required("replace the item, or If-None-Match: * to create it")
    if if_match is not None and if_none_match is not None:
        raise Problem(
            problems.INVALID_PRECONDITION,
            "If-Match and If-None-Match exclude each other: an item is replaced or created.",
        )
    content = content_of(document)
    if if_match is not None:
        return replace_item(table, item_id, content, if_match), False
    if if_none_match is None or not if_none_match.any_tag:
        raise Problem(problems.INVALID_PRECONDITION, "For PUT the value of If-None-Match is *.")
    return create_under(table, item_id, content), True


@storage_problems()
def create_under(table: ItemTable, item_id: str, content: Content) -> Item:
    """Store a new item under the ID a client has chosen."""
    item = new_item(item_id, content)
    try:
        table.create(item, None)
    except ConditionFailedError as error:
        raise problems.exists(item_id, error.current) from error
    return item


@storage_problems()
def replace_item(table: ItemTable, item_id: str, content: Content, if_match: EntityTags) -> Item:
    """Replace the content of an item that meets `if_match`."""

    def write(expected: Revision) -> Item:
        item = next_item(item_id, content, expected)
        table.write(Write(item_id, item, expected))
        return item

    def write_any() -> Item:
        table.check_size(new_item(item_id, content))
        return table.update(item_id, None, items.changes_to(content))

    # RFC 9110, section 13.1.1: without a current representation If-Match does not hold.
    return _change(
        table,
        item_id,
        if_match,
        write_any if if_match.any_tag else _for_single(if_match, write),
        lambda current: write(current.revision),
        problems.missing(item_id),
    )


@storage_problems()
def patch_item(table: ItemTable, item_id: str, patch: Json, if_match: EntityTags | None) -> Item:
    """Apply a JSON Merge Patch (RFC 7396) to the item.

    This is one request, unless the answer needs to be known to write it: where the tags become
    others, or the patch of the attributes is a long one. Then the item is read or, where the
    condition of the first request failed, known by that, and written as a whole on the condition
    that its revision is still that one.
    """
    if if_match is None:
        raise _precondition_required("patch the item")
    faults = items.patch_faults(patch)
    if faults or not isinstance(patch, dict):
        raise problems.of_faults(problems.INVALID_ITEM, faults)
    if not items.is_id(item_id):
        raise problems.not_found(item_id)
    changes = items.changes_of_patch(patch)
    expected = if_match.single()

    def update() -> Item:
        return table.update(item_id, expected, changes)

    def write(current: Item) -> Item:
        content = content_of(merge_patch(items.document_of_content(current.content), patch))
        item = next_item(item_id, content, current.revision)
        table.write(Write(item_id, item, current.revision))
        return item

    known = if_match.any_tag or (
        expected is not None and (changes.tags is None or expected.rows.stands_for(changes.tags))
    )
    return _change(
        table,
        item_id,
        if_match,
        update if known and table.takes(changes) else None,
        write,
        problems.not_found(item_id),
    )


@storage_problems()
def delete_item(table: ItemTable, item_id: str, if_match: EntityTags | None) -> None:
    """Delete the item, where its revision meets `if_match` if one is given."""
    if not items.is_id(item_id):
        raise problems.not_found(item_id)
    if if_match is None or if_match.any_tag:
        if not table.delete_any(item_id):
            raise problems.not_found(item_id)
        return

    def write(expected: Revision) -> None:
        table.write(Write(item_id, None, expected))

    _change(
        table,
        item_id,
        if_match,
        _for_single(if_match, write),
        lambda current: write(current.revision),
        problems.not_found(item_id),
    )


def content_of(document: Json) -> Content:
    """Return the content that a document describes."""
    try:
        return items.content_of(document)
    except InvalidItemError as error:
        raise problems.of_faults(problems.INVALID_ITEM, error.faults) from error


def new_id() -> str:
    """Return an ID no item has."""
    return str(uuid.uuid4())


def new_item(item_id: str, content: Content) -> Item:
    """Return an item that is created now."""
    now = clock.now()
    return Item(item_id, content, Revision.first(now, content.tags), clock.text_of(now))


def next_item(item_id: str, content: Content, expected: Revision) -> Item:
    """Return what takes the place of the revision `expected` now.

    Its time is that of its creation at least, also where the clocks of two machines differ.
    """
    now = max(clock.now(), expected.created)
    return Item(item_id, content, expected.next(content.tags), clock.text_of(now))


def _for_single(
    if_match: EntityTags, write: Callable[[Revision], Changed]
) -> Callable[[], Changed] | None:
    """Return the write of the one revision that `if_match` names, None where it names several."""
    expected = if_match.single()
    return None if expected is None else partial(write, expected)


def _change(
    table: ItemTable,
    item_id: str,
    if_match: EntityTags,
    first: Callable[[], Changed] | None,
    again: Callable[[Item], Changed],
    missing: Problem,
) -> Changed:
    """Carry out a write on a condition of its own.

    `first` needs not know the item; where there is no such write, the item is read. `again` writes
    the revision that is known since.
    """
    write = first
    for _ in range(TRIES):
        if write is None:
            current = table.get(item_id)
        else:
            try:
                return write()
            except ConditionFailedError as error:
                current = error.current
        if current is None:
            raise missing
        if not if_match.matches_strongly(current.revision.text):
            raise problems.stale(item_id, current)
        write = partial(again, current)
    raise problems.edit_conflict()


def _precondition_required(purpose: str) -> Problem:
    return Problem(
        problems.PRECONDITION_REQUIRED, f"Send If-Match with the ETag of the item to {purpose}."
    )
