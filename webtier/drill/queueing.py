"""How long a request waits at an instance, and how many are turned away: the M/M/c/K queue.

Requests come at random, `servers` work on them, and at most `places` are there at once; who finds
no place is turned away. A load that changes is taken second by second as if it had always been so
(the pointwise stationary approximation, Green and Kolesar, Management Science 37, 1991). Formulas:
Gross, Shortle, Thompson and Harris, "Fundamentals of Queueing Theory", 4th edition, section 2.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

# So near to full load, in all terms together, the closed sums lose their digits: the first two
# terms of their series around it are better.
_FLAT = 1e-3


@dataclass(frozen=True)
class Queue:
    """What becomes of a stream of requests: the share turned away, and the mean wait in seconds."""

    blocked: float
    wait: float


@lru_cache(maxsize=65536)
def queue(rate: float, servers: int, service_rate: float, places: int) -> Queue:
    """The queue of `rate` requests a second, each server serving `service_rate` of them a second.

    `places` counts those in service too and is at least `servers`.
    """
    if rate <= 0:
        return Queue(0.0, 0.0)
    load = rate / service_rate
    room = places - servers
    # The states with fewer requests than servers, relative to the state with just as many.
    below, term = 0.0, 1.0
    for waiting in range(servers, 0, -1):
        term *= waiting / load
        below += term
    ratio = load / servers
    if ratio <= 1:
        last = ratio**room
        total = below + _sum(ratio, room)
        queued = _weighted(ratio, room)
    else:
        # From the full queue downwards, so that nothing overflows.
        back = 1 / ratio
        last = 1.0
        total = below * back**room + _sum(back, room)
        queued = room * _sum(back, room) - _weighted(back, room)
    blocked = last / total
    return Queue(blocked, max(0.0, queued / total) / (rate * (1 - blocked)))


def _sum(ratio: float, terms: int) -> float:
    """The sum of ratio^j for j from 0 to `terms`."""
    if abs(ratio - 1) * terms < _FLAT:
        return (terms + 1) * (1 + (ratio - 1) * terms / 2)
    return float((1 - ratio ** (terms + 1)) / (1 - ratio))


def _weighted(ratio: float, terms: int) -> float:
    """The sum of j · ratio^j for j from 0 to `terms`."""
    if abs(ratio - 1) * terms < _FLAT:
        return terms * (terms + 1) / 2 * (1 + (ratio - 1) * (2 * terms + 1) / 3)
    power = ratio**terms
    top = ratio * (1 - (terms + 1) * power + terms * power * ratio)
    return float(top / (1 - ratio) ** 2)
