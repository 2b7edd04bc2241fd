"""A process that fills a table with items and tells what each page of their lists costs.

The table is that of the app's template, in the engine of the embedded AWS, which is called in this
process: items are put where it keeps them, because a million over HTTP would take half an hour. The
requests of the app come to it whole. What a page costs is counted by DynamoDB's rule ("Read
consistency and capacity", half a unit for each 4 KB of a query, a unit for each 4 KB of an item).
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from ministack.services import dynamodb as engine

from crud_api import resources
from crud_api.chalicelib import clients, records
from crud_api.chalicelib.items import Content, Item, position_of
from crud_api.chalicelib.revisions import Revision, TagRows
from crud_api.chalicelib.table import ItemTable

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "items"
SHARDS = 4
LIMIT = 20
BEGINNING = 1_767_225_600_000_000
EVERY_MICROSECONDS = 1_000
UNIT_BYTES = 4 * 1_024
RARE = 3
"""So many of the items have the tag `rare`, at the old end of the list; all have the tag `all`."""


class _Body:
    """The body of an answer, as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: object, **__: object) -> Any:
        """Yield all of it."""
        yield self._content


class Engine:
    """Answers the requests of a botocore client, and counts what they read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.entries = 0
        self.units = 0.0

    def reset(self) -> None:
        """Begin to count anew."""
        self.requests.clear()
        self.entries, self.units = 0, 0.0

    def __call__(self, request: Any, **_: object) -> AWSResponse:
        """Answer a request before it is sent."""
        target = request.headers["X-Amz-Target"]
        target = target.decode() if isinstance(target, bytes) else target
        with self._lock:
            answer = asyncio.run(
                engine.handle_request("POST", "/", {"x-amz-target": target}, request.body, {})
            )
            status, headers, body = answer
            self._count(target.partition(".")[2], json.loads(body))
        return AWSResponse(request.url, status, headers, _Body(body))

    def _count(self, operation: str, answer: Mapping[str, Any]) -> None:
        self.requests[operation] += 1
        if operation == "Query":
            self.entries += answer["ScannedCount"]
            read = sum(map(records.stored_bytes, answer["Items"]))
            self.units += max(1, -(-read // UNIT_BYTES)) / 2
        else:
            sizes = [records.stored_bytes(row) for row in answer["Responses"][NAME]]
            self.units += sum(-(-size // UNIT_BYTES) for size in sizes)


def fill(table: dict[str, Any], count: int) -> None:
    """Store new items, the oldest first, each with the row of its tags."""
    shared: dict[str, Any] = {}
    for number in range(count):
        tags = ("all", "rare") if number < RARE else ("all",)
        created = BEGINNING + number * EVERY_MICROSECONDS
        rows = TagRows(len(tags), secrets.token_bytes(6), b"\0" * 8)
        item = Item(
            secrets.token_hex(16),
            Content("Kettle", "Boils 1.7 litres.", tags),
            Revision(created, 1, secrets.token_bytes(8), rows),
            "2026-01-01T00:00:00.000000Z",
        )
        for row in (records.record_of_item(item, SHARDS), *records.records_of_tags(item, SHARDS)):
            # Equal values are kept once: a million items have to fit in memory.
            small = {
                name: shared.setdefault(f"{name} {value}", value)
                if name not in ("id", "nonce", "rows", "position")
                else value
                for name, value in row.items()
            }
            # Into the engine itself: a million requests would take hours.
            engine._set_item(table, row["id"]["S"], "__no_sort__", small)  # noqa: SLF001


def pages(count: int) -> dict[str, dict[str, float]]:
    """Return what a page costs, by which list and where in it, in a table of so many items."""
    definition = resources.template().to_dict()["Resources"]["Items"]["Properties"]
    keys = ("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema")
    created = engine._create_table({"TableName": NAME, **{key: definition[key] for key in keys}})  # noqa: SLF001
    if created[0] != 200:
        raise RuntimeError(created[2])
    fill(engine._tables[NAME], count)  # noqa: SLF001
    client, counter = clients.dynamodb(10), Engine()
    client.meta.events.register("before-send.dynamodb", counter)
    table = ItemTable(client, NAME, SHARDS)
    middle = position_of("", BEGINNING + count // 2 * EVERY_MICROSECONDS)
    costs = {}
    for label, after, tag, length in (
        ("the first page", None, None, LIMIT),
        ("a page in the middle", middle, None, LIMIT),
        ("a page in the middle, of a tag all have", middle, "all", LIMIT),
        ("the only page of a rare tag", None, "rare", RARE),
    ):
        counter.reset()
        page = table.page(after, LIMIT, tag)
        if len(page.items) != length:
            raise RuntimeError(f"{label}: {len(page.items)} of {length} items")
        costs[label] = {
            "requests": float(counter.requests.total()),
            "entries": float(counter.entries),
            "units": counter.units,
        }
        print(f"crud_list: {count:,} items: {label}: {costs[label]}", file=sys.stderr, flush=True)
    return costs


if __name__ == "__main__":
    os.environ.update(
        AWS_ACCESS_KEY_ID="benchmark",
        AWS_SECRET_ACCESS_KEY="benchmark",
        AWS_DEFAULT_REGION="us-east-1",
    )
    print(json.dumps(pages(int(sys.argv[1]))))
