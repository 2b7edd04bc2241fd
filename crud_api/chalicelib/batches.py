"""What a client sends as a batch: many writes in one request."""

from collections.abc import Iterator
from dataclasses import dataclass

from . import items
from .items import Content, InvalidItemError
from .preconditions import EntityTags, InvalidEntityTagsError, parse_entity_tags
from .strict_json import MAX_DEPTH, Fault, Json, pointer_to

MAX_OPERATIONS = 100
BATCH_DEPTH = MAX_DEPTH + 3
"""How deep a batch may be nested: an item lies three levels below it."""

MEMBERS = {
    "create": (("item",), ("op", "id", "item")),
    "replace": (("id", "if_match", "item"), ("op", "id", "if_match", "item")),
    "delete": (("id",), ("op", "id", "if_match")),
}
"""Of each operation the members it needs, besides `op`, and all it may have."""


@dataclass(frozen=True)
class Operation:
    """One write of a batch.

    `item_id` is None where the server is to make it, `content` where the item is deleted, and
    `if_match` where the item must not exist.
    """

    item_id: str | None
    content: Content | None
    if_match: EntityTags | None


class InvalidBatchError(ValueError):
    """The document is no batch; `faults` lists all that is wrong with it."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults))
        self.faults = faults


def operations_of(document: Json) -> list[Operation]:
    """Return the operations of a batch document; InvalidBatchError lists all its faults."""
    faults = list(_member_faults(document, "", ("operations",), ("operations",)))
    if not isinstance(document, dict) or "operations" not in document:
        raise InvalidBatchError(tuple(faults))
    entries = document["operations"]
    if not isinstance(entries, list):
        faults.append(Fault("/operations", "must be an array"))
        raise InvalidBatchError(tuple(faults))
    if not 1 <= len(entries) <= MAX_OPERATIONS:
        detail = f"must have 1 to {MAX_OPERATIONS} elements, not {len(entries):,}"
        faults.append(Fault("/operations", detail))
    operations = []
    seen: set[str] = set()
    for index, entry in enumerate(entries[:MAX_OPERATIONS]):
        pointer = pointer_to("/operations", index)
        operation = _operation(entry, pointer, faults)
        operations.append(operation)
        if operation.item_id is not None and operation.item_id in seen:
            faults.append(Fault(f"{pointer}/id", "is there more than once"))
        seen.add(operation.item_id or "")
    if faults:
        raise InvalidBatchError(tuple(faults))
    return operations


def faults_of(document: Json) -> tuple[Fault, ...]:
    """Return all that is wrong with a document, nothing where it is a batch."""
    try:
        operations_of(document)
    except InvalidBatchError as error:
        return error.faults
    return ()


def _operation(entry: Json, pointer: str, faults: list[Fault]) -> Operation:
    """Return an operation; what is wrong with it is added to `faults`."""
    nothing = Operation(None, None, None)
    if not isinstance(entry, dict):
        faults.append(Fault(pointer, "must be an object"))
        return nothing
    name = entry.get("op")
    if not isinstance(name, str) or name not in MEMBERS:
        detail = f"must be {', '.join(MEMBERS)}" if "op" in entry else "is required"
        faults.append(Fault(f"{pointer}/op", detail))
        return nothing
    needed, known = MEMBERS[name]
    faults.extend(_member_faults(entry, pointer, needed, known))
    item_id = entry.get("id")
    if "id" in entry and not (isinstance(item_id, str) and items.is_id(item_id)):
        faults.append(Fault(f"{pointer}/id", items.ID_RULE))
    content = None
    if "item" in entry and "item" in known:
        try:
            content = items.content_of(entry["item"])
        except InvalidItemError as error:
            faults.extend(
                Fault(f"{pointer}/item{fault.pointer}", fault.detail) for fault in error.faults
            )
    if_match = None
    if name != "create":
        if_match = _if_match(entry.get("if_match", "*"), f"{pointer}/if_match", faults)
    return Operation(item_id if isinstance(item_id, str) else None, content, if_match)


def _if_match(value: Json, pointer: str, faults: list[Fault]) -> EntityTags | None:
    try:
        if isinstance(value, str):
            return parse_entity_tags(value)
    except InvalidEntityTagsError as error:
        faults.append(Fault(pointer, str(error)))
    else:
        faults.append(Fault(pointer, "must be a string"))
    return None


def _member_faults(
    document: Json, pointer: str, needed: tuple[str, ...], known: tuple[str, ...]
) -> Iterator[Fault]:
    if not isinstance(document, dict):
        yield Fault(pointer, "must be an object")
        return
    for name in document:
        if name not in known:
            yield Fault(pointer_to(pointer, name), f"is none of {', '.join(known)}")
    for name in needed:
        if name not in document:
            yield Fault(pointer_to(pointer, name), "is required")
