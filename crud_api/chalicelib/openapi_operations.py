"""What the document says of each operation beyond its route: parameters, bodies and answers.

The key is the name of the route's function in `app.py`. A unit test holds the two together: a route
without an entry here, or an entry without a route, is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from problem_details import ProblemType, type_of_status

from . import problems, requests
from .idempotency import KEEP_SECONDS, MAX_KEY
from .openapi_schemas import ENTITY_TAGS, ID_PATTERN, Schema

UNAUTHORIZED = type_of_status(401)
FORBIDDEN = type_of_status(403)
NOT_FOUND = type_of_status(404)
METHOD_NOT_ALLOWED = type_of_status(405)
TOO_MANY_REQUESTS = type_of_status(429)
INTERNAL_SERVER_ERROR = type_of_status(500)
GATEWAY_TIMEOUT = type_of_status(504)
REQUEST_TOO_LARGE = ProblemType("request-too-large", "The request is too large", 413)

COMMON = (
    UNAUTHORIZED,
    FORBIDDEN,
    REQUEST_TOO_LARGE,
    TOO_MANY_REQUESTS,
    INTERNAL_SERVER_ERROR,
    GATEWAY_TIMEOUT,
)
"""What every request may get, from API Gateway or where something unexpected fails."""


@dataclass(frozen=True)
class Answer:
    """A response that is no problem: the model in its body, if any, and the names of its headers.

    `media_type` is None where there is no body.
    """

    description: str
    media_type: str | None = None
    model: str | None = None
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One operation. `body` maps the media types that are read to the name of the model.

    `parameters` are names in `parameters()`. `links` maps the name of a link to the function it
    leads to, which takes the path parameter `item_id` from the answer.
    """

    answers: Mapping[int, Answer]
    parameters: tuple[str, ...] = ()
    body: Mapping[str, str] | None = None
    problems: tuple[ProblemType, ...] = ()
    links: tuple[str, ...] = ()


_ITEM_HEADERS = ("ETag", "Cache-Control")
_STORAGE = (problems.STORAGE_UNAVAILABLE, problems.NOT_ACCEPTABLE)
_BODY = (problems.MALFORMED_JSON, problems.INVALID_ITEM, problems.UNSUPPORTED_MEDIA_TYPE)
_CONTENT = {requests.JSON: "ItemContent"}
_CREATED = Answer("Created.", requests.JSON, "Item", ("Location", *_ITEM_HEADERS))
_STORED = Answer("The item as it is stored now.", requests.JSON, "Item", _ITEM_HEADERS)
_LINKS = ("get_item", "put_item", "patch_item", "delete_item")

OPERATIONS: Mapping[str, Operation] = {
    "create_item": Operation(
        answers={
            201: replace(_CREATED, headers=(*_CREATED.headers, "Idempotency-Replayed")),
        },
        parameters=("Idempotency-Key",),
        body=_CONTENT,
        problems=(
            *_BODY,
            problems.INVALID_IDEMPOTENCY_KEY,
            problems.REQUEST_IN_PROGRESS,
            problems.IDEMPOTENCY_KEY_REUSED,
            problems.ITEM_TOO_LARGE,
            *_STORAGE,
        ),
        links=_LINKS,
    ),
    "write_items": Operation(
        answers={
            200: Answer(
                "What became of each operation, in their order.",
                requests.JSON,
                "BatchResults",
                ("Cache-Control",),
            )
        },
        parameters=("atomic",),
        body={requests.JSON: "Batch"},
        problems=(
            problems.MALFORMED_JSON,
            problems.INVALID_BATCH,
            problems.INVALID_QUERY,
            problems.INVALID_IDEMPOTENCY_KEY,
            problems.UNSUPPORTED_MEDIA_TYPE,
            problems.EDIT_CONFLICT,
            problems.BATCH_NOT_DONE,
            problems.BATCH_TOO_LARGE,
            *_STORAGE,
        ),
    ),
    "list_items": Operation(
        answers={200: Answer("A page of the list.", requests.JSON, "ItemPage", ("Cache-Control",))},
        parameters=("limit", "cursor", "tag"),
        problems=(problems.INVALID_QUERY, *_STORAGE),
    ),
    "get_item": Operation(
        answers={
            200: Answer("The item.", requests.JSON, "Item", _ITEM_HEADERS),
            304: Answer("It has one of the ETags in If-None-Match.", headers=_ITEM_HEADERS),
        },
        parameters=("item_id", "If-None-Match"),
        problems=(problems.INVALID_PRECONDITION, problems.ITEM_NOT_FOUND, *_STORAGE),
    ),
    "put_item": Operation(
        answers={200: _STORED, 201: _CREATED},
        parameters=("item_id", "If-Match to replace", "If-None-Match to create"),
        body=_CONTENT,
        problems=(
            *_BODY,
            problems.INVALID_PRECONDITION,
            problems.EDIT_CONFLICT,
            problems.PRECONDITION_FAILED,
            problems.PRECONDITION_REQUIRED,
            problems.ITEM_TOO_LARGE,
            *_STORAGE,
        ),
    ),
    "patch_item": Operation(
        answers={200: _STORED},
        parameters=("item_id", "If-Match"),
        body={requests.MERGE_PATCH: "ItemPatch", requests.JSON: "ItemPatch"},
        problems=(
            *_BODY,
            problems.INVALID_PRECONDITION,
            problems.ITEM_NOT_FOUND,
            problems.EDIT_CONFLICT,
            problems.PRECONDITION_FAILED,
            problems.PRECONDITION_REQUIRED,
            problems.ITEM_TOO_LARGE,
            *_STORAGE,
        ),
    ),
    "delete_item": Operation(
        answers={204: Answer("It is gone.", headers=("Cache-Control",))},
        parameters=("item_id", "If-Match to delete"),
        problems=(
            problems.INVALID_PRECONDITION,
            problems.ITEM_NOT_FOUND,
            problems.EDIT_CONFLICT,
            problems.PRECONDITION_FAILED,
            problems.STORAGE_UNAVAILABLE,
        ),
    ),
    "get_openapi": Operation(
        answers={
            200: Answer("This document.", "application/json", headers=("ETag", "Cache-Control")),
            304: Answer("It has one of the ETags in If-None-Match.", headers=("ETag",)),
        },
        parameters=("If-None-Match",),
        problems=(problems.INVALID_PRECONDITION,),
    ),
    "get_reference": Operation(
        answers={
            200: Answer("This document to read.", "text/html", headers=("ETag", "Cache-Control")),
            304: Answer("It has one of the ETags in If-None-Match.", headers=("ETag",)),
        },
        parameters=("If-None-Match",),
        problems=(problems.INVALID_PRECONDITION,),
    ),
}


_IDEMPOTENCY_KEY: Schema = {
    "anyOf": [
        {"type": "string", "pattern": f"^[!#-~]([ -~]{{0,{MAX_KEY - 2}}}[!-~])?$"},
        {"type": "string", "pattern": rf'^"([ !#-\[\]-~]|\\["\\]){{1,{MAX_KEY}}}"$'},
    ]
}
"""Bare text, or a quoted string (RFC 9651, section 3.3.3)."""


def parameters() -> dict[str, dict[str, Any]]:
    """Return the parameters of all operations, each by the name an `Operation` calls it."""
    return {
        "item_id": {
            "name": "item_id",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": ID_PATTERN},
        },
        "limit": _query(
            "limit",
            "Most items the page may hold.",
            {
                "type": "integer",
                "minimum": 1,
                "maximum": requests.MAX_LIMIT,
                "default": requests.DEFAULT_LIMIT,
            },
        ),
        "cursor": _query(
            "cursor",
            "`next` of the page before, as it was given. Anything else is an error.",
            {"type": "string", "minLength": 1},
        ),
        "tag": _query(
            "tag",
            "Only items with this tag.",
            {"type": "string", "minLength": 1},
        ),
        "atomic": _query(
            "atomic",
            "All operations or none. Without it each is done for itself.",
            {"type": "boolean", "default": False},
        ),
        "Idempotency-Key": _header(
            "Idempotency-Key",
            "Text of the client's choice, new for each item. Sent again with the same body it "
            f"gives the first answer again, for {KEEP_SECONDS // 3600} hours.",
            _IDEMPOTENCY_KEY,
        ),
        "If-Match": _header("If-Match", "ETags of the item, or *.", ENTITY_TAGS, required=True),
        "If-Match to replace": _header(
            "If-Match", "ETags the item may have, or *: replaces it.", ENTITY_TAGS
        ),
        "If-Match to delete": _header("If-Match", "ETags the item may have, or *.", ENTITY_TAGS),
        "If-None-Match": _header(
            "If-None-Match", "ETags for which 304 will do as the answer, or *.", ENTITY_TAGS
        ),
        "If-None-Match to create": _header(
            "If-None-Match",
            "Creates the item. PUT takes this or If-Match, one of the two.",
            {"type": "string", "const": "*"},
        ),
    }


def headers() -> dict[str, dict[str, Any]]:
    """Return the response headers by name."""
    text = {"type": "string"}
    return {
        "ETag": {
            "description": "The entity tag of what is answered (RFC 9110, section 8.8.3).",
            "required": True,
            "schema": {"type": "string", "pattern": '^"[!#-~]+"$'},
        },
        "Location": {
            "description": "The path of the item that was created.",
            "required": True,
            "schema": {"type": "string", "format": "uri-reference"},
        },
        "Cache-Control": {"required": True, "schema": text},
        "Idempotency-Replayed": {
            "description": "true where this is the answer of the first request with the key.",
            "schema": {"const": "true"},
        },
        "Retry-After": {
            "description": "Seconds to wait.",
            "required": True,
            "schema": {"type": "integer", "minimum": 1},
        },
    }


def _query(name: str, description: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _header(
    name: str, description: str, schema: Schema, *, required: bool = False
) -> dict[str, Any]:
    parameter = {"name": name, "in": "header", "description": description, "schema": schema}
    return parameter | {"required": True} if required else parameter
