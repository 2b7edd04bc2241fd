"""What the table holds, in the form of the low-level DynamoDB API, and back.

Three kinds of rows share the key `id`. An item is a row under its ID. Each of its tags is a row
more, under ID#generation#number, by which the index finds it. An idempotency key is a row under
#idempotency#digest, which expires. No ID has a number sign, so no two kinds meet.

Of an item that was deleted its key and position stay for a while: a create that is sent again finds
by them that it was done (docs/decisions/items-deleted-rows.md).

`attributes` is stored as JSON text. As a DynamoDB map it would lose what its numbers looked like
(1.10 becomes 1.1) and could not hold an empty name. `patches` has the merge patches that it was
changed by since, each as text: docs/decisions/items-attributes-as-text.md.
"""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from . import clock
from .items import Content, Item, position_of
from .merge_patch import merge_patch
from .revisions import Revision, TagRows
from .strict_json import dumps, loads

MAX_BYTES = 400 * 1024
"""The largest item DynamoDB stores ("Constraints in Amazon DynamoDB")."""

MAX_PATCHES_BYTES = 2_048
"""What `patches` may grow to: all of it is paid for by each write, until one rewrites the item."""

PATCH_OVERHEAD = 32
"""Counted for each patch, so that short ones do not become many to read."""

KEEP_DELETED_SECONDS = 60 * 60
"""How long the row of a deleted item stays, longer than any request is tried again."""

KEY = "id"
NONCE = "nonce"
LIST = "list"
POSITION = "position"
ROWS = "rows"
PATCHES = "patches"
PATCHED = "patched"
EXPIRES = "expires"

Record: TypeAlias = dict[str, dict[str, Any]]
"""Attribute name to attribute value, such as {"id": {"S": "4f"}}."""


@dataclass(frozen=True)
class Replay:
    """What an idempotency key stands for: the request it came with, and what that created.

    `expires` is in seconds since 1970.
    """

    key: str
    request: str
    item_id: str
    revision: str
    expires: int


def key_of(row: str) -> Record:
    """Return the key of a row."""
    return {KEY: {"S": row}}


def list_key(item_id: str, tag: str | None, shards: int) -> str:
    """Return the partition of the index that has the item in the list of all, or of a tag."""
    return list_partition(zlib.crc32(item_id.encode()) % shards, tag)


def list_partition(shard: int, tag: str | None) -> str:
    """Return one partition of the list of all items, or of those with a tag."""
    return f"{shard}" if tag is None else f"{shard}#{tag}"


def record_of_item(item: Item, shards: int) -> Record:
    """Return the row of an item."""
    return {
        KEY: {"S": item.id},
        "name": {"S": item.content.name},
        "description": {"S": item.content.description},
        "tags": {"L": [{"S": tag} for tag in item.content.tags]},
        "attributes": {"S": dumps(dict(item.content.attributes))},
        "updated_at": {"S": item.updated_at},
        LIST: {"S": list_key(item.id, None, shards)},
        **revision_attributes(item.id, item.revision),
    }


def revision_attributes(item_id: str, revision: Revision) -> Record:
    """Return the attributes that are the revision of an item, each with a value of its own."""
    attributes: Record = {
        "version": {"N": str(revision.version)},
        NONCE: {"S": revision.nonce.hex()},
        POSITION: {"S": position_of(item_id, revision.created)},
    }
    if revision.rows.count:
        attributes[ROWS] = {"S": revision.rows.packed.hex()}
    return attributes


def item_or_none(record: Mapping[str, Mapping[str, Any]]) -> Item | None:
    """Return the item a row holds, None where it was deleted or there is no row."""
    return item_of(record) if NONCE in record else None


def item_of(record: Mapping[str, Mapping[str, Any]]) -> Item:
    """Return the item a row holds. KeyError or ValueError: this app did not write it."""
    item_id = record[KEY]["S"]
    attributes = loads(record["attributes"]["S"].encode())
    for patch in record[PATCHES]["L"] if PATCHES in record else ():
        attributes = merge_patch(attributes, loads(patch["S"].encode()))
    if not isinstance(attributes, dict):
        raise ValueError(f"attributes of item {item_id} are not an object")
    created_at = record[POSITION]["S"].partition("#")[0]
    rows = bytes.fromhex(record[ROWS]["S"]) if ROWS in record else b""
    return Item(
        id=item_id,
        content=Content(
            name=record["name"]["S"],
            description=record["description"]["S"],
            tags=tuple(tag["S"] for tag in record["tags"]["L"]),
            attributes=attributes,
        ),
        revision=Revision(
            clock.microseconds_of(created_at),
            int(record["version"]["N"]),
            bytes.fromhex(record[NONCE]["S"]),
            TagRows.unpacked(rows),
        ),
        # Written by another machine, whose clock may be behind.
        updated_at=max(record["updated_at"]["S"], created_at),
    )


def tag_rows(item_id: str, rows: TagRows) -> list[str]:
    """Return the keys of the rows an item has for its tags."""
    generation = base64.urlsafe_b64encode(rows.generation).decode()
    return [f"{item_id}#{generation}#{number}" for number in range(rows.count)]


def records_of_tags(item: Item, shards: int) -> list[Record]:
    """Return the rows by which the item is found by its tags."""
    keys = tag_rows(item.id, item.revision.rows)
    return [
        {
            KEY: {"S": key},
            LIST: {"S": list_key(item.id, tag, shards)},
            POSITION: {"S": item.position},
        }
        for key, tag in zip(keys, item.content.tags, strict=True)
    ]


def record_of_replay(replay: Replay) -> Record:
    """Return the row of an idempotency key."""
    return {
        KEY: {"S": f"#idempotency#{replay.key}"},
        "request": {"S": replay.request},
        "item": {"S": replay.item_id},
        "revision": {"S": replay.revision},
        EXPIRES: {"N": str(replay.expires)},
    }


def replay_of(record: Mapping[str, Mapping[str, Any]]) -> Replay:
    """Return the idempotency key a row holds. KeyError or ValueError: this app did not write it."""
    return Replay(
        key=record[KEY]["S"].removeprefix("#idempotency#"),
        request=record["request"]["S"],
        item_id=record["item"]["S"],
        revision=record["revision"]["S"],
        expires=int(record[EXPIRES]["N"]),
    )


def patch_size(text: str) -> int:
    """Return what a patch counts towards MAX_PATCHES_BYTES."""
    return len(text.encode()) + PATCH_OVERHEAD


def stored_bytes(record: Record) -> int:
    """Return at least the bytes DynamoDB counts for the record ("Item sizes and formats").

    A number counts as the 21 bytes it may have at most.
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in record.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    match value:
        case {"S": text}:
            return len(text.encode())
        case {"L": elements}:
            return 3 + sum(1 + _value_bytes(element) for element in elements)
        case _:
            return 21
