"""A worker (see `benchmarks.worker`): one handler of the items API, called again and again.

With `--once` it is a cold start instead: it calls the handler once and ends.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks.crud_events import CONTENT, Context, event

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 100
"""GETs, and as many POSTs, in a piece of work."""

ITEM_ID = "4f9c2c9e-4d7c-4bb5-8b6a-6a9c1de3f001"


def main() -> None:
    """Work once for each line of standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("handler", help="MODULE:NAME")
    parser.add_argument("--path", action="append", default=[])
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args()
    sys.path[:0] = options.path
    module, name = options.handler.split(":")
    handler = getattr(importlib.import_module(module), name)
    if options.once:
        _expect(handler, "GET", ITEM_ID, None, 200)
        return
    for _line in sys.stdin:
        before = time.process_time()
        for _ in range(CALLS):
            _expect(handler, "GET", ITEM_ID, None, 200)
            _expect(handler, "POST", None, CONTENT, 201)
        print(json.dumps({"cpu": time.process_time() - before}), flush=True)


def _expect(
    handler: Callable[[dict[str, Any], object], dict[str, Any]],
    method: str,
    item_id: str | None,
    body: object,
    status: int,
) -> None:
    answer = handler(event(method, item_id, body), Context())
    if answer["statusCode"] != status or json.loads(answer["body"])["name"] != CONTENT["name"]:
        raise SystemExit(f"{method} was answered with {answer}")


if __name__ == "__main__":
    main()
