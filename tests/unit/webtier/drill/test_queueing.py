"""The queue at an instance, against the sums that define it."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webtier.drill.queueing import queue


def summed(rate: float, servers: int, service_rate: float, places: int) -> tuple[float, float]:
    """The same by adding up every state, in logarithms."""
    logs, weight = [0.0], 0.0
    for number in range(1, places + 1):
        weight += math.log(rate / (service_rate * min(number, servers)))
        logs.append(weight)
    top = max(logs)
    states = [math.exp(one - top) for one in logs]
    total = sum(states)
    blocked = states[-1] / total
    waiting = sum(max(0, at - servers) * one for at, one in enumerate(states)) / total
    return blocked, waiting / (rate * (1 - blocked))


@given(
    st.floats(0.01, 3),
    st.integers(1, 16),
    st.floats(1, 200),
    st.integers(0, 400),
)
@example(0.99999, 1, 1.0, 199)
@example(1.0, 1, 1.0, 400)
@example(1.000001, 2, 50.0, 400)
def test_it_is_what_the_states_add_up_to(load, servers, service_rate, room) -> None:
    rate = load * servers * service_rate
    found = queue(rate, servers, service_rate, servers + room)
    blocked, wait = summed(rate, servers, service_rate, servers + room)
    assert found.blocked == pytest.approx(blocked, rel=1e-5, abs=1e-12)
    assert found.wait == pytest.approx(wait, rel=1e-5, abs=1e-9)


def test_known_values() -> None:
    # M/M/1 with 80 % load: a wait of load / (rate of service - rate of requests).
    assert queue(80, 1, 100, 2000).wait == pytest.approx(0.8 / 20)
    # Erlang's loss formula: two servers, no room, load 1: (1/2) / (1 + 1 + 1/2).
    assert queue(50, 2, 50, 2).blocked == pytest.approx(0.2)
    assert queue(0, 2, 50, 10) == queue(-1, 2, 50, 10)


def test_what_is_too_much_is_turned_away() -> None:
    # Three times what can be served: one in three is.
    assert queue(300, 2, 50, 1002).blocked == pytest.approx(2 / 3)


@given(st.floats(0.1, 500), st.floats(0.1, 500))
def test_more_requests_never_wait_less(one, other) -> None:
    low, high = sorted((one, other))
    assert queue(low, 2, 50, 200).wait <= queue(high, 2, 50, 200).wait + 1e-6
    assert queue(low, 2, 50, 200).blocked <= queue(high, 2, 50, 200).blocked + 1e-9
