"""What the console tells of who answers behind a load balancer."""

from __future__ import annotations

import http.server
import itertools
import json
import threading
from typing import TYPE_CHECKING

import pytest

from sandbox.console import webtier

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGETS = (("i-1", "us-east-1a"), ("i-2", "us-east-1b"))


@pytest.fixture
def balancer() -> Iterator[str]:
    """A server that answers as two instances in turn, and every fourth time as a bad gateway."""
    numbers = itertools.count(1)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = next(numbers)
            instance, zone = TARGETS[number % 2]
            self.send_response(502 if number % 4 == 0 or self.path != "/health" else 200)
            self.end_headers()
            self.wfile.write(json.dumps({"instance": instance, "zone": zone}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_each_answer_names_its_instance_and_a_failure_names_none(balancer: str) -> None:
    answers = list(webtier.ask(balancer))
    assert len(answers) == webtier.REQUESTS
    assert {(one.instance, one.zone) for one in answers if one.status == 200} == set(TARGETS)
    assert [one.instance for one in answers if one.status == 502] == [None, None]


def test_no_answer_is_told_as_such() -> None:
    answers = list(webtier.ask("http://127.0.0.1:9"))
    assert {(one.status, one.instance) for one in answers} == {(0, None)}
