"""The models of the API as JSON Schema (draft 2020-12), from the limits the code checks."""

from typing import Any

from problem_details import ProblemType

from . import batches, items, strict_json

Schema = dict[str, Any]

_ENTITY_TAG = '(W/)?"[!#-~]*"'
ENTITY_TAGS: Schema = {
    "anyOf": [
        {"type": "string", "const": "*"},
        {"type": "string", "pattern": f"^{_ENTITY_TAG}( *, *{_ENTITY_TAG})*$"},
    ]
}
"""The value of If-Match and If-None-Match (RFC 9110, section 13.1)."""

_LIMIT = float(f"1e{strict_json.MAX_EXPONENT + 1}")
_SMALLEST = float(f"1e{strict_json.MIN_EXPONENT}")


def reference(name: str) -> Schema:
    """Return a reference to the model of this name in the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> dict[str, Schema]:
    """Return every model of the API by its name."""
    return {
        "Batch": _batch(),
        "BatchOperation": _batch_operation(),
        "BatchResults": _batch_results(),
        "Item": _item(),
        "ItemContent": _content(),
        "ItemPatch": _patch(),
        "ItemPage": _page(),
        "JsonValue": _json_value(),
        "Problem": _problem(),
    }


def problem_schema(kinds: list[ProblemType]) -> Schema:
    """Return the schema of a problem document of one of these types; all have one status."""
    return {
        **reference("Problem"),
        "properties": {
            "type": {"enum": sorted(kind.uri for kind in kinds)},
            "title": {"enum": sorted(kind.title for kind in kinds)},
            "status": {"const": kinds[0].status},
        },
    }


def _text(least: int, most: int, description: str) -> Schema:
    return {
        "type": "string",
        "minLength": least,
        "maxLength": most,
        "description": description,
    }


def _members() -> dict[str, Schema]:
    return {
        "name": _text(1, items.MAX_NAME, "What the item is called. Lengths are in code points."),
        "description": _text(0, items.MAX_DESCRIPTION, "Empty where it is left out."),
        "tags": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": items.MAX_TAG},
            "maxItems": items.MAX_TAGS,
            "uniqueItems": True,
            "description": "Words the list can be filtered by. Empty where they are left out.",
        },
        "attributes": {
            "type": "object",
            "additionalProperties": reference("JsonValue"),
            "description": "Any JSON object. Numbers come back as they were written. With the item "
            f"itself it is nested up to {strict_json.MAX_DEPTH} levels, the stored item has up to "
            "400 KB. Empty where it is left out.",
        },
    }


def _server_members() -> dict[str, Schema]:
    time = {"type": "string", "format": "date-time", "description": "RFC 3339, UTC, microseconds."}
    return {
        "id": {"type": "string", "pattern": ID_PATTERN, "description": "Unique in the API."},
        "version": {"type": "integer", "minimum": 1, "description": "Counts the writes from 1."},
        "created_at": time,
        "updated_at": time,
    }


ID_PATTERN = "^[A-Za-z0-9_-]{1,64}$"


def _item() -> Schema:
    server = _server_members()
    members = {"id": server.pop("id"), **_members(), **server}
    return {
        "type": "object",
        "description": "An item as it is stored.",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def _content() -> Schema:
    return {
        "type": "object",
        "description": "What a client decides about an item.",
        "properties": _members(),
        "required": ["name"],
        "additionalProperties": False,
        "examples": [
            {"name": "Kettle", "tags": ["kitchen"], "attributes": {"litres": 1.7, "steel": True}}
        ],
    }


def _patch() -> Schema:
    """Every member may be left out; null resets those that have a default."""
    members = _members()
    # A patch of `attributes` is a patch itself: null removes a member.
    optional = {
        name: {"anyOf": [schema, {"type": "null"}]}
        for name, schema in members.items()
        if name != "name"
    }
    return {
        "type": "object",
        "description": "A JSON Merge Patch (RFC 7396): members replace, null removes, objects "
        "merge, arrays are replaced as a whole.",
        "properties": {"name": members["name"], **optional},
        "additionalProperties": False,
        "examples": [{"description": "Boils.", "attributes": {"steel": None}}],
    }


def _page() -> Schema:
    return {
        "type": "object",
        "description": "Items, newest first.",
        "properties": {
            "items": {"type": "array", "items": reference("Item")},
            "next": {
                "type": ["string", "null"],
                "description": "The cursor of the next page; null at the end of the list. A page "
                "may hold fewer items than asked for although there is a next one.",
            },
        },
        "required": ["items", "next"],
        "additionalProperties": False,
    }


def _batch() -> Schema:
    return {
        "type": "object",
        "properties": {
            "operations": {
                "type": "array",
                "items": reference("BatchOperation"),
                "minItems": 1,
                "maxItems": batches.MAX_OPERATIONS,
                "description": "Each of another item.",
            }
        },
        "required": ["operations"],
        "additionalProperties": False,
        "examples": [{"operations": [{"op": "create", "item": {"name": "Kettle"}}]}],
    }


def _batch_operation() -> Schema:
    members = {
        "id": {"type": "string", "pattern": ID_PATTERN},
        "if_match": {**ENTITY_TAGS, "description": "ETags the item may have, or *."},
        "item": reference("ItemContent"),
    }
    return {
        "description": "create stores a new item, replace and delete change one.",
        "oneOf": [
            {
                "type": "object",
                "properties": {
                    "op": {"const": name},
                    **{member: members[member] for member in known if member != "op"},
                },
                "required": ["op", *needed],
                "additionalProperties": False,
            }
            for name, (needed, known) in batches.MEMBERS.items()
        ],
    }


def _batch_results() -> Schema:
    result = {
        "type": "object",
        "properties": {
            "status": {"type": "integer", "description": "As the operation alone would get."},
            "id": {"type": "string", "pattern": ID_PATTERN},
            "etag": {"type": "string", "description": "Of the item as it is stored now."},
            **{name: _server_members()[name] for name in ("version", "created_at", "updated_at")},
            "problem": reference("Problem"),
        },
        "required": ["status"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"results": {"type": "array", "items": result}},
        "required": ["results"],
        "additionalProperties": False,
    }


def _json_value() -> Schema:
    return {
        "description": "A JSON value. A number has up to "
        f"{strict_json.MAX_DIGITS} significant digits; NaN, Infinity, half a surrogate pair and a "
        "name given twice are errors.",
        "anyOf": [
            {"type": ["null", "boolean", "string"]},
            {"type": "number", "const": 0},
            {"type": "number", "minimum": _SMALLEST, "exclusiveMaximum": _LIMIT},
            {"type": "number", "exclusiveMinimum": -_LIMIT, "maximum": -_SMALLEST},
            {"type": "array", "items": reference("JsonValue")},
            {"type": "object", "additionalProperties": reference("JsonValue")},
        ],
    }


def _problem() -> Schema:
    error = {
        "type": "object",
        "properties": {
            "pointer": {"type": "string", "description": "JSON Pointer (RFC 6901) into the body."},
            "detail": {"type": "string"},
        },
        "required": ["pointer", "detail"],
    }
    return {
        "type": "object",
        "description": "A problem document (RFC 9457).",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {
                "type": "string",
                "format": "uri-reference",
                "description": "The ID of the request, under which it is in the log.",
            },
            "errors": {"type": "array", "items": error, "description": "All faults of the body."},
        },
        "required": ["type", "title", "status", "detail"],
    }
