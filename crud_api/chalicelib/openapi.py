"""The OpenAPI 3.1 document of the API, from its routes, its models and its catalogue of problems.

It is built where it is asked for, and never while a function starts: `app.py` imports this module
inside the two handlers that answer with it. The document is the same at every stage.
"""

import json
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from chalice.app import RouteEntry

from problem_details import CONTENT_TYPE, ProblemType

from . import openapi_operations
from .openapi_operations import COMMON, OPERATIONS, Answer, Operation
from .openapi_schemas import problem_schema, reference, schemas

Routes = Mapping[str, Mapping[str, RouteEntry]]
"""Routes as Chalice keeps them: path to method to entry."""

VERSION = "1.0.0"
"""The version of the contract, by semantic versioning."""

_DESCRIPTION = """\
Items, stored one by one and listed newest first. No update is lost: what changes an item says which
version it means (`If-Match`). Every error is a problem document (RFC 9457)."""


def document(routes: Routes) -> dict[str, Any]:
    """Return the document. KeyError: a route has no entry in `openapi_operations.OPERATIONS`."""
    paths: dict[str, dict[str, Any]] = {}
    refusals: dict[str, dict[str, Any]] = {}
    for path, methods in routes.items():
        described = {
            method.lower(): _operation(path, entry, refusals)
            for method, entry in methods.items()
            if entry.view_name not in UNDESCRIBED
        }
        if described:
            paths[path] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Items",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # Relative to where the document is: the root of the stage.
        "servers": [{"url": "."}],
        "security": [{"sigv4": []}, {"userPool": []}, {}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "headers": openapi_operations.headers(),
            "responses": dict(sorted(refusals.items())),
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4 for the service execute-api. Every "
                    "stage asks for it but those with another API_AUTH.",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                },
                "userPool": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of an Amazon Cognito user pool, where the stage has "
                    "API_AUTH=cognito.",
                },
            },
        },
    }


UNDESCRIBED = frozenset({"refuse"})
"""The routes that catch what no other does; OpenAPI has no word for such a path."""


def text(routes: Routes) -> str:
    """Return the document as JSON for people and diffs, which is what the repository keeps."""
    return json.dumps(document(routes), indent=2) + "\n"


def _operation(path: str, entry: RouteEntry, refusals: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the operation; the problems it may answer with are added to `refusals`."""
    operation = OPERATIONS[entry.view_name]
    summary, _, description = (entry.view_function.__doc__ or "").partition("\n\n")
    result: dict[str, Any] = {
        "operationId": entry.view_name,
        "summary": summary.rstrip("."),
        "tags": ["items" if path.startswith("/items") else "contract"],
    }
    if description:
        result["description"] = " ".join(description.split())
    if operation.parameters:
        known = openapi_operations.parameters()
        result["parameters"] = [known[name] for name in operation.parameters]
    if operation.body is not None:
        content = {media: {"schema": reference(name)} for media, name in operation.body.items()}
        result["requestBody"] = {"required": True, "content": content}
    result["responses"] = _responses(operation, refusals)
    return result


def _responses(operation: Operation, refusals: dict[str, dict[str, Any]]) -> dict[str, Any]:
    responses = {
        str(status): _answer(answer, operation.links if status == 201 else ())
        for status, answer in operation.answers.items()
    }
    kinds = sorted({*operation.problems, *COMMON}, key=lambda kind: (kind.status, kind.slug))
    for status, group in groupby(kinds, key=lambda kind: kind.status):
        alike = list(group)
        name = ".".join(kind.slug for kind in alike)
        refusals[name] = _problem(alike)
        responses[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return responses


def _answer(answer: Answer, links: tuple[str, ...]) -> dict[str, Any]:
    result: dict[str, Any] = {"description": answer.description}
    if answer.headers:
        result["headers"] = _headers(answer.headers)
    if answer.media_type is not None:
        result["content"] = {
            answer.media_type: {"schema": reference(answer.model)} if answer.model else {}
        }
    if links:
        result["links"] = {
            name: {"operationId": name, "parameters": {"item_id": "$response.body#/id"}}
            for name in links
        }
    return result


def _problem(kinds: list[ProblemType]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "description": " ".join(f"{title}." for title in dict.fromkeys(k.title for k in kinds))
    }
    if kinds[0].status in (429, 503):
        result["headers"] = _headers(("Retry-After",))
    result["content"] = {CONTENT_TYPE: {"schema": problem_schema(kinds)}}
    return result


def _headers(names: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
