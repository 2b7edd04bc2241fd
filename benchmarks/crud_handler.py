"""One call of the items API beside the same without a framework, on Powertools and on FastAPI.

Each handler runs in a process of its own, gets the events of API Gateway, and talks to a stub of
DynamoDB over loopback: half of the calls get an item, half create one. What counts is the processor
time of the handler's process. All share one Python and one boto3, and the peers share their
DynamoDB code with the bare handler.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.crud_events import CONTENT
from benchmarks.crud_worker import ITEM_ID
from benchmarks.ratios import Ratio, Result, alternate, ratio
from benchmarks.worker import WorkerError, started
from crud_api.chalicelib.items import Item, content_of
from crud_api.chalicelib.records import record_of_item
from crud_api.chalicelib.revisions import Revision, TagRows
from crud_api.chalicelib.strict_json import loads

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "crud_handler"
ROOT = Path(__file__).parent.parent
OURS = "app:app"
OUR_PATH = [str(ROOT / "crud_api"), str(ROOT / "crud_api" / "vendor")]
PEERS = {
    "a bare boto3 handler": ("benchmarks.crud_peers.bare:handler", 1.10),
    "Powertools' REST resolver": ("benchmarks.crud_peers.powertools:handler", 1.0),
    "FastAPI with Mangum": ("benchmarks.crud_peers.fastapi_mangum:handler", 1.0),
}


def run(rounds: int) -> Result:
    """Measure `rounds` times against each peer. Raises WorkerError."""
    ratios: dict[str, Ratio] = {}
    with stub() as endpoint:
        variables = environment(endpoint)
        for peer, (handler, goal) in PEERS.items():
            with ExitStack() as stack:
                ours = stack.enter_context(started(command(OURS, OUR_PATH), ROOT, variables))
                theirs = stack.enter_context(started(command(handler), ROOT, variables))
                measured = alternate(
                    lambda ours=ours: float(ours.work()["cpu"]),  # type: ignore[misc]
                    lambda theirs=theirs: float(theirs.work()["cpu"]),  # type: ignore[misc]
                    rounds,
                )
            ratios[f"GET and POST, CPU time over {peer}"] = ratio(*measured, goal)
    return Result(NAME, ratios)


def command(handler: str, path: list[str] | None = None, *options: str) -> list[str]:
    """Return the command of a worker that calls the handler, found also on `path`."""
    folders = [f"--path={folder}" for folder in path or ()]
    return [sys.executable, "-m", "benchmarks.crud_worker", handler, *folders, *options]


def environment(endpoint: str) -> dict[str, str]:
    """Return the environment of every handler, with DynamoDB at `endpoint`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "API_AUTH": "none",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "CURSOR_SECRET": "none",
        "ITEMS_TABLE": "items",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }


@contextmanager
def stub() -> Iterator[str]:
    """Run the stub of DynamoDB and give its endpoint."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.dynamodb_stub", json.dumps(_record())],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = process.stdout.readline().strip() if process.stdout else ""
        if not port:
            raise WorkerError("the stub of DynamoDB ended; its error is above")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def _record() -> dict[str, object]:
    """Return the stored item, with the members the bare handler keeps beside ours."""
    now = "2026-01-01T00:00:00.000000Z"
    item = Item(
        id=ITEM_ID,
        content=content_of(loads(json.dumps(CONTENT).encode())),
        revision=Revision(1_767_225_600_000_000, 1, b"01234567", TagRows()),
        updated_at=now,
    )
    return {**record_of_item(item, 4), "created_at": {"S": now}}
