"""The console's ASGI application: the page's files and the few questions it asks."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox import origins, status
from sandbox.console import alarms, faults, guard, webtier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sandbox.emulator import Emulator

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Message, Receive, Send], Awaitable[None]]

PREFIX = "/_sandbox/"
Wished = TypeVar("Wished", str, bool)
FILES = Path(__file__).with_name("page")
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
LONGEST_BODY = 10_000


class Refused(Exception):
    """A request is not answered as it asks."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def wrap(application: Application, emulator: Emulator) -> Application:
    """The ASGI application with the console in front of it."""
    files = {
        PREFIX + ("" if path.name == "index.html" else path.name): path for path in FILES.iterdir()
    }

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await application(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        try:
            if reason := guard.refusal(method, headers):
                raise Refused(403, reason)
            if path in files:
                _only(method, "GET")
                media_type = MEDIA_TYPES[files[path].suffix]
                await _answer(send, emulator, 200, media_type, files[path].read_bytes())
            else:
                document = await _document(emulator, method, path, receive)
                await _answer(send, emulator, 200, "application/json", _json(document))
        except Refused as refused:
            body = _json({"title": "The console refuses this", "detail": str(refused)})
            await _answer(send, emulator, refused.code, "application/problem+json", body)

    return serve


async def _document(emulator: Emulator, method: str, path: str, receive: Receive) -> dict[str, Any]:
    """What the page asked for. In threads: the answers come from this very server."""
    if path == f"{PREFIX}status.json":
        _only(method, "GET")
        return await asyncio.to_thread(_status, emulator)
    if path == f"{PREFIX}watch.json":
        _only(method, "GET")
        return await asyncio.to_thread(_watch, emulator)
    if path == f"{PREFIX}webtier.json":
        _only(method, "GET")
        return await asyncio.to_thread(_webtier, emulator)
    if path not in (f"{PREFIX}faults", f"{PREFIX}redrive"):
        raise Refused(404, "The console has no such page.")
    _only(method, "POST")
    wish = _wish(await _body(receive))
    try:
        if path == f"{PREFIX}redrive":
            state = await asyncio.to_thread(
                faults.redrive, emulator, _member(wish, "function", str)
            )
        else:
            broken = _member(wish, "broken", bool)
            state = await asyncio.to_thread(
                faults.switch, emulator, _member(wish, "function", str), broken=broken
            )
    except faults.NoSuchFault as error:
        raise Refused(404, str(error)) from error
    return asdict(state)


def _status(emulator: Emulator) -> dict[str, Any]:
    shown = [asdict(alarm) for alarm in alarms.alarms(emulator)]
    return {**status.collect(emulator).document(), "alarms": shown}


def _watch(emulator: Emulator) -> dict[str, Any]:
    return {
        "alarms": [asdict(alarm) for alarm in alarms.alarms(emulator)],
        "changes": [asdict(change) for change in alarms.changes(emulator)],
        "faults": [asdict(state) for state in faults.states(emulator)],
    }


def _webtier(emulator: Emulator) -> dict[str, Any]:
    url = status.collect(emulator).webtier
    if url is None:
        raise Refused(404, "The web tier is not deployed.")
    return {"url": url, "answers": [asdict(answer) for answer in webtier.ask(url)]}


def _wish(body: bytes) -> dict[str, Any]:
    try:
        wish = json.loads(body)
    except (ValueError, RecursionError):
        wish = None
    if not isinstance(wish, dict):
        raise Refused(400, "The body must be a JSON object.")
    return wish


def _member(wish: dict[str, Any], name: str, kind: type[Wished]) -> Wished:
    value = wish.get(name)
    if not isinstance(value, kind):
        raise Refused(400, f"The body needs the member {name!r}, a {kind.__name__}.")
    return value


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LONGEST_BODY:
            raise Refused(413, f"The body has more than {LONGEST_BODY:,} bytes.")
    return body


def _only(method: str, taken: str) -> None:
    if method != taken and (method, taken) != ("HEAD", "GET"):
        raise Refused(405, f"There is only {taken} here.")


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


async def _answer(
    send: Send, emulator: Emulator, code: int, content_type: str, body: bytes
) -> None:
    headers = {
        "content-type": content_type,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "content-security-policy": _policy(emulator),
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": code, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _policy(emulator: Emulator) -> str:
    """The Content-Security-Policy: this server alone, by both of its names.

    The page is at one of them and calls the APIs by the other, so that they are another origin.
    """
    port = emulator.endpoint.rsplit(":", 1)[1]
    here = " ".join(f"http://{name}:{port}" for name in origins.LOOPBACK)
    directives = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        f"img-src 'self' blob: {here}",
        f"connect-src 'self' {here}",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
    return "; ".join(directives)
