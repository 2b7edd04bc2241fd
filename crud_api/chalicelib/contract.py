"""The contract as the API serves it: the OpenAPI document, and the same as a page to read."""

import hashlib
import json

from chalice.app import Request, Response

from . import openapi, openapi_page, requests
from .openapi import Routes
from .preconditions import entity_tag


def openapi_response(routes: Routes, request: Request) -> Response:
    """Return the OpenAPI document."""
    body = json.dumps(openapi.document(routes), separators=(",", ":"))
    return _conditional(request, body, {"Content-Type": requests.JSON})


def page_response(routes: Routes, request: Request) -> Response:
    """Return the reference page; its policy lets it load nothing and run nothing."""
    return _conditional(
        request,
        openapi_page.page(openapi.document(routes)),
        {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": openapi_page.CONTENT_SECURITY_POLICY,
            "X-Content-Type-Options": "nosniff",
        },
    )


def _conditional(request: Request, body: str, headers: dict[str, str | list[str]]) -> Response:
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    cache: dict[str, str | list[str]] = {
        "Cache-Control": "private, no-cache",
        "ETag": entity_tag(digest),
    }
    if_none_match = requests.precondition(request, "If-None-Match")
    if if_none_match is not None and if_none_match.matches_weakly(digest):
        return Response("", cache, 304)
    return Response(body, headers | cache)
