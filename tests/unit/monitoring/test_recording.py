"""The clock of a recording whose periods pass faster than CloudWatch's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.recording import PERIOD, FastClock

MOMENTS = st.floats(min_value=1.7e9, max_value=1.9e9)


@given(start=MOMENTS, after=st.floats(min_value=0, max_value=3600))
def test_what_fell_into_one_period_falls_into_one_again(start: float, after: float) -> None:
    clock = FastClock(start, 30)
    period = math.floor((start + after - clock.base) / (PERIOD / 30))
    stretched = clock.stretched(start + after)
    first = clock.stretched(clock.base)
    assert first % PERIOD == 0
    assert math.floor((stretched - first) / PERIOD) == period


@given(start=MOMENTS, after=st.floats(min_value=0, max_value=3600))
def test_shrinking_undoes_stretching(start: float, after: float) -> None:
    clock = FastClock(start, 30)
    assert clock.shrunk(clock.stretched(start + after)) == pytest.approx(start + after, abs=1e-4)


def test_cloudwatchs_own_clock_stays() -> None:
    assert FastClock(1_800_000_007, 1).stretched(1_800_000_123) == 1_800_000_123
