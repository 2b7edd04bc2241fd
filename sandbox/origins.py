"""Keeps pages of other sites away from the embedded AWS.

Its credentials are no secret and it answers CORS preflights for every origin, as many AWS services
do. So a page of any site, open in the browser of whoever runs the sandbox, could call Lambda, and
run code on this machine. Only browsers send `Origin` and `Sec-Fetch-Site`, and no page can change
them: tools are never refused. The deployed APIs are left out: whom they serve is their own setting.
Source: Fetch Metadata Request Headers, https://www.w3.org/TR/fetch-metadata/.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost")
APIS = "/_aws/execute-api/"


def refusal(path: str, query: str, headers: Mapping[str, str]) -> str | None:
    """Why a browser's request is refused; None where it is not. Header names in lower case."""
    site = headers.get("sec-fetch-site")
    host = headers.get("host", "")
    if site is not None and not _is_loopback(f"http://{host}"):
        return f"A page reached this machine by the name {host[:200]!r}."
    if path.startswith(APIS):
        return None
    origin = headers.get("origin")
    if origin is not None and not _is_loopback(origin):
        return f"Pages of {origin[:200]} may not use the sandbox, only its deployed APIs."
    # The query protocol of SQS, SNS and IAM takes GET, which pages can send without an Origin.
    if site == "cross-site" and origin is None and "action=" in query.lower():
        return "Pages of other sites may not use the sandbox, only its deployed APIs."
    return None


def wrap(application: Application) -> Application:
    """The ASGI application behind this check."""

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        reason = None
        if scope["type"] == "http":
            headers = {
                name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
            }
            reason = refusal(scope["path"], scope["query_string"].decode("latin-1"), headers)
        if reason is None:
            await application(scope, receive, send)
            return
        body = json.dumps({"title": "The sandbox refuses this", "detail": reason}).encode()
        names = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": 403, "headers": names})
        await send({"type": "http.response.body", "body": body})

    return serve


def _is_loopback(origin: str) -> bool:
    return urlsplit(origin).hostname in LOOPBACK
