"""Which instances answer behind the load balancer.

The application lets no other origin read its answers, so the page cannot ask by itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUESTS = 8
TIMEOUT = 5.0  # seconds


@dataclass(frozen=True)
class Answer:
    """One answer of the application's `/health`; `instance` and `zone` are None without it."""

    status: int
    instance: str | None
    zone: str | None
    milliseconds: float


def ask(url: str) -> Iterator[Answer]:
    """Ask the load balancer some times, each on a connection of its own, as many clients would."""
    for _ in range(REQUESTS):
        begun = time.monotonic()
        try:
            response = httpx.get(f"{url}/health", timeout=TIMEOUT)
            status, body = response.status_code, response.json() if response.is_success else {}
        except (httpx.HTTPError, ValueError):
            status, body = 0, {}
        took = (time.monotonic() - begun) * 1000
        yield Answer(status, body.get("instance"), body.get("zone"), took)
