"""Holds a response against the OpenAPI document: its status, headers and body are described."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jsonschema import Draft202012Validator, FormatChecker

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[3] / "crud_api" / "openapi.json").read_text(),
    parse_float=Decimal,
)


class UndescribedError(AssertionError):
    """The document does not describe this response."""


def assert_described(
    method: str, path: str, status: int, headers: Mapping[str, str], body: str | bytes
) -> None:
    """Raise UndescribedError where the document says otherwise.

    `path` is the request's, with or without a query and the stage of the API in front. A request
    that the document has no operation for must have been refused with 404 or 405.
    """
    operation = _operation(method, path)
    fields = {name.lower(): value for name, value in headers.items()}
    text = body.decode() if isinstance(body, bytes) else body
    if operation is None:
        if status not in (403, 404, 405) or (status == 405 and "allow" not in fields):
            raise UndescribedError(f"{method} {path} is in no operation and got {status}")
        _assert_valid({"$ref": "#/components/schemas/Problem"}, json.loads(text), method, path)
        return
    if str(status) not in operation["responses"]:
        raise UndescribedError(f"{method} {path}: {status} is not described: {text[:500]}")
    response = _resolve(operation["responses"][str(status)])
    for name, reference in response.get("headers", {}).items():
        header = _resolve(reference)
        if name.lower() in fields:
            value: Any = fields[name.lower()]
            if header["schema"].get("type") == "integer":
                value = int(value)
            _assert_valid(header["schema"], value, method, f"{path} {name}")
        elif header.get("required"):
            raise UndescribedError(f"{method} {path}: {status} has no {name}")
    content = response.get("content")
    if content is None:
        if text:
            raise UndescribedError(f"{method} {path}: {status} has a body: {text[:500]}")
        return
    media_type = fields.get("content-type", "").partition(";")[0]
    if media_type not in content:
        raise UndescribedError(f"{method} {path}: {status} has the media type {media_type!r}")
    if schema := content[media_type].get("schema"):
        # As floats 9.99…e125 and the limit above it would be the same.
        _assert_valid(schema, json.loads(text, parse_float=Decimal), method, path)


def _operation(method: str, path: str) -> dict[str, Any] | None:
    name = unquote(urlsplit(path).path)
    for template, methods in DOCUMENT["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        if re.fullmatch(f"(.*/api)?{pattern}", name) and method.lower() in methods:
            found: dict[str, Any] = methods[method.lower()]
            return found
    return None


def _resolve(value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = DOCUMENT
    for name in value["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def _assert_valid(schema: dict[str, Any], value: object, method: str, path: str) -> None:
    whole = {**schema, "components": DOCUMENT["components"]}
    validator = Draft202012Validator(whole, format_checker=FormatChecker())
    faults = [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]
    if faults:
        raise UndescribedError(f"{method} {path}: {'; '.join(faults[:5])}")
