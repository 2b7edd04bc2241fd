"""What each write asks of DynamoDB: its parameters, with the condition that guards it.

An item that was deleted leaves a row that has `expires` and no `nonce`. So an item is there where
`nonce` is, and a new one may take the place of nothing and of such a row.
"""

from typing import Any, TypeAlias

from . import clock, records
from .items import Changes
from .records import Record, Replay
from .revisions import Revision
from .strict_json import dumps

Parameters: TypeAlias = dict[str, Any]
"""Those of PutItem and UpdateItem, without the name of the table; in a transaction the same."""

_OF_ITEMS = (
    "attributes",
    "description",
    records.LIST,
    "name",
    records.NONCE,
    records.PATCHED,
    records.PATCHES,
    records.ROWS,
    "tags",
    "updated_at",
    "version",
)
"""What a row has only as long as the item is there."""


def creation(record: Record) -> Parameters:
    """Return how the row of an item is put where there is none.

    The row of a deleted item gives way, but not to the very item it was left by: a create that is
    sent again finds that it was done.
    """
    return {
        "Item": record,
        "ConditionExpression": "attribute_not_exists(id) OR "
        "(attribute_exists(expires) AND #position <> :position)",
        "ExpressionAttributeNames": _names(records.POSITION),
        "ExpressionAttributeValues": {":position": record[records.POSITION]},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def replacement(record: Record, expected: Revision) -> Parameters:
    """Return how the row of an item is put in the place of the revision `expected`."""
    return {"Item": record, **_guarded(*_is_revision(record[records.KEY]["S"], expected))}


def deletion(item_id: str, expected: Revision | None) -> Parameters:
    """Return how an item is deleted, whatever its revision where `expected` is None."""
    expires = clock.now() // 1_000_000 + records.KEEP_DELETED_SECONDS
    condition, names, values = _is_revision(item_id, expected)
    return {
        "Key": records.key_of(item_id),
        "UpdateExpression": f"SET #{records.EXPIRES} = :expires REMOVE "
        + ", ".join(f"#{name}" for name in _OF_ITEMS),
        **_guarded(
            condition,
            names | _names(records.EXPIRES, *_OF_ITEMS),
            {**values, ":expires": {"N": str(expires)}},
        ),
    }


def change(
    item_id: str, expected: Revision | None, changes: Changes, nonce: bytes, updated_at: str
) -> Parameters:
    """Return how a part of an item is changed, of any revision where `expected` is None.

    The tags that are set must be those the item has; where its revision is not known, that is part
    of the condition.
    """
    condition, names, values = _is_revision(item_id, expected)
    sets: Record = {
        **{name: {"S": text} for name, text in changes.texts.items()},
        records.NONCE: {"S": nonce.hex()},
        "updated_at": {"S": updated_at},
    }
    removed: tuple[str, ...] = ()
    if changes.tags is not None:
        sets["tags"] = {"L": [{"S": tag} for tag in changes.tags]}
        if expected is None:
            condition += " AND #tags = :tags"
    if changes.attributes is not None:
        sets["attributes"] = {"S": dumps(dict(changes.attributes))}
        removed = (records.PATCHES, records.PATCHED)
    assignments = [f"#{name} = :{name}" for name in sets]
    values |= {f":{name}": value for name, value in sets.items()}
    assignments.append("#version = #version + :one")
    values[":one"] = {"N": "1"}
    names |= _names(*sets, *removed, "version")
    if changes.attributes_patch is not None:
        text = dumps(dict(changes.attributes_patch))
        size = records.patch_size(text)
        condition += " AND (attribute_not_exists(#patched) OR #patched <= :room)"
        assignments += [
            "#patches = list_append(if_not_exists(#patches, :none), :patch)",
            "#patched = if_not_exists(#patched, :zero) + :size",
        ]
        names |= _names(records.PATCHES, records.PATCHED)
        values |= {
            ":none": {"L": []},
            ":patch": {"L": [{"S": text}]},
            ":room": {"N": str(records.MAX_PATCHES_BYTES - size)},
            ":size": {"N": str(size)},
            ":zero": {"N": "0"},
        }
    expression = "SET " + ", ".join(assignments)
    if removed:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in removed)
    return {
        "Key": records.key_of(item_id),
        "UpdateExpression": expression,
        **_guarded(condition, names, values),
    }


def key_creation(replay: Replay) -> Parameters:
    """Return how an idempotency key is put, unless it is there and valid."""
    return {
        "Item": records.record_of_replay(replay),
        # DynamoDB deletes expired rows some time after they have expired.
        "ConditionExpression": "attribute_not_exists(id) OR expires <= :now",
        "ExpressionAttributeValues": {":now": {"N": str(clock.now() // 1_000_000)}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _is_revision(
    item_id: str, expected: Revision | None
) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Return the condition that the item has that revision, or is there, its names and values."""
    if expected is None:
        return f"attribute_exists(#{records.NONCE})", _names(records.NONCE), {}
    attributes = records.revision_attributes(item_id, expected)
    condition = " AND ".join(f"#{name} = :expected_{name}" for name in attributes)
    if records.ROWS not in attributes:
        condition += f" AND attribute_not_exists(#{records.ROWS})"
    return (
        condition,
        _names(*attributes, records.ROWS),
        {f":expected_{name}": value for name, value in attributes.items()},
    )


def _guarded(condition: str, names: dict[str, str], values: dict[str, Any]) -> Parameters:
    parameters: Parameters = {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    # DynamoDB takes no empty map here.
    return parameters | ({"ExpressionAttributeValues": values} if values else {})


def _names(*names: str) -> dict[str, str]:
    """Return names as expressions take them: several are reserved words."""
    return {f"#{name}": name for name in names}
