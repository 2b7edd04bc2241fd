"""An item as DynamoDB attribute values, in the form of the low-level API, and back.

`attributes` is stored as JSON text. As a DynamoDB map it would lose what its numbers looked like
(1.10 becomes 1.1) and could not hold an empty name: docs/decisions/items-attributes-as-text.md.
"""

import zlib
from collections.abc import Mapping
from typing import Any, TypeAlias

from .items import Content, Item
from .pages import SHARDS
from .strict_json import dumps, loads

MAX_BYTES = 400 * 1024
"""The largest item DynamoDB stores ("Constraints in Amazon DynamoDB")."""

KEY = "id"
SHARD = "newest_shard"
POSITION = "newest_position"

Record: TypeAlias = dict[str, dict[str, Any]]
"""Attribute name to attribute value, such as {"id": {"S": "4f"}}."""


def record_of_content(content: Content) -> Record:
    """Return the attributes that hold what the client decides."""
    return {
        "name": {"S": content.name},
        "description": {"S": content.description},
        "tags": {"L": [{"S": tag} for tag in content.tags]},
        "attributes": {"S": dumps(dict(content.attributes))},
    }


def record_of_item(item: Item) -> Record:
    """Return all attributes of the item, with those of the list index."""
    return {
        KEY: {"S": item.id},
        **record_of_content(item.content),
        "version": {"N": str(item.version)},
        "revision": {"S": item.revision},
        "created_at": {"S": item.created_at},
        "updated_at": {"S": item.updated_at},
        SHARD: {"N": str(zlib.crc32(item.id.encode()) % SHARDS)},
        POSITION: {"S": item.position},
    }


def item_of(record: Mapping[str, Mapping[str, Any]]) -> Item:
    """Return the item a record holds. KeyError or ValueError: this app did not write it."""
    attributes = loads(record["attributes"]["S"].encode())
    if not isinstance(attributes, dict):
        raise ValueError(f"attributes of item {record[KEY]['S']} are not an object")
    return Item(
        id=record[KEY]["S"],
        content=Content(
            name=record["name"]["S"],
            description=record["description"]["S"],
            tags=tuple(tag["S"] for tag in record["tags"]["L"]),
            attributes=attributes,
        ),
        version=int(record["version"]["N"]),
        revision=record["revision"]["S"],
        created_at=record["created_at"]["S"],
        updated_at=record["updated_at"]["S"],
    )


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
