"""The console: one page in front of the embedded AWS, at `/_sandbox/` of its own port."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import environment, status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sandbox.emulator import Emulator

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Message, Receive, Send], Awaitable[None]]

PAGE = Path(__file__).with_name("console.html")
PREFIX = "/_sandbox/"


@dataclass(frozen=True)
class Alarm:
    """A CloudWatch alarm and its state."""

    account: str
    name: str
    state: str
    reason: str


def alarms(emulator: Emulator) -> list[Alarm]:
    """Every alarm of both accounts."""
    found = []
    for account in environment.ACCOUNTS.values():
        pages = status.client(emulator, "cloudwatch", account).get_paginator("describe_alarms")
        for page in pages.paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"]):
            found += [
                Alarm(
                    account, alarm["AlarmName"], alarm["StateValue"], alarm.get("StateReason", "")
                )
                for alarm in page["MetricAlarms"] + page["CompositeAlarms"]
            ]
    return found


def wrap(application: Application, emulator: Emulator) -> Application:
    """The ASGI application with the console in front of it."""

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await application(scope, receive, send)
        elif scope["path"] == PREFIX:
            await _answer(send, 200, "text/html; charset=utf-8", PAGE.read_bytes())
        elif scope["path"] == f"{PREFIX}status.json":
            # In a thread: it asks this very server.
            document = await asyncio.to_thread(_document, emulator)
            await _answer(send, 200, "application/json", json.dumps(document).encode())
        else:
            await _answer(
                send, 404, "text/plain; charset=utf-8", b"The console has no such page.\n"
            )

    return serve


def _document(emulator: Emulator) -> dict[str, Any]:
    shown = [asdict(alarm) for alarm in alarms(emulator)]
    return {**status.collect(emulator).document(), "alarms": shown}


async def _answer(send: Send, code: int, content_type: str, body: bytes) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
