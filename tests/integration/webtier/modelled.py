"""What the drills' model says of a template's targets, to be held against targets that are there.

Times are not compared: a boot takes as long as the machine lets it, and the sandbox's health checks
are faster than AWS's. The order of what a load balancer sees is the same.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from webtier.drill import reading
from webtier.drill.assumptions import Assumptions
from webtier.drill.deployment import Deployment
from webtier.drill.fleet import Fleet, Health

State = tuple[int, int]
"""How many targets are healthy, and how many unhealthy."""

_STRIKE, _END = 60, 1800


def path(body: Mapping[str, Any], strike: Callable[[Fleet], Deployment | None]) -> list[State]:
    """The states that the targets of a template go through once it strikes, in their order."""
    fleet = Fleet(reading.read(body, reading.stand_ins(body)), Assumptions(), lambda _what: None)
    seen: list[State] = []
    deployment = None
    for second in range(_END):
        fleet.now = float(second)
        fleet.step()
        _add(seen, _state(fleet))
        if second == _STRIKE:
            deployment = strike(fleet)
        if deployment is not None:
            deployment.step()
            _add(seen, _state(fleet))
    return seen


def _state(fleet: Fleet) -> State:
    found = [one.health for one in fleet.registered()]
    return found.count(Health.HEALTHY), found.count(Health.UNHEALTHY)


def _add(seen: list[State], state: State) -> None:
    if seen[-1:] != [state]:
        seen.append(state)


@contextlib.contextmanager
def watched(targets: Callable[[], Mapping[str, str]]) -> Iterator[list[State]]:
    """The states that real targets go through while the body runs, in their order."""
    seen: list[State] = []
    stop = threading.Event()

    def watch() -> None:
        last = False
        while not last:
            # One more look after the end, so that what it ends in is seen.
            last = stop.is_set()
            found = list(targets().values())
            _add(seen, (found.count("healthy"), found.count("unhealthy")))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(60)


def is_on_the_way(seen: Sequence[State], way: Sequence[State]) -> bool:
    """Whether all that was seen comes in the way in that order: looking may miss what is short."""
    ahead = iter(way)
    return all(state in ahead for state in seen)
