"""Two timelines are the same or they are not: each kind of difference is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.tour import timeline
from sandbox.tour.timeline import Change, Timeline, Told

SAID = Timeline(
    changes=(
        Change("rate", "OK", "ALARM", 60.0),
        Change("all", "OK", "ALARM", None),
        Change("rate", "ALARM", "OK", 120.0),
    ),
    told=(Told("all", "OK", "ALARM", "critical"), Told("all", "OK", "ALARM", None)),
    actions=frozenset({("cap", "begin"), ("cap", "finish")}),
)


def different(observed: Timeline) -> str | None:
    return timeline.missing(observed, SAID) or timeline.unexpected(observed, SAID)


def test_the_same_is_the_same() -> None:
    assert different(SAID) is None


def test_what_has_no_period_may_come_later_too() -> None:
    later = Change("all", "ALARM", "OK", None)
    assert different(replace(SAID, changes=(*SAID.changes, later))) is None
    ended = SAID.actions | {("incident", "finish")}
    assert different(replace(SAID, actions=ended)) is None


@pytest.mark.parametrize(
    "observed",
    [
        replace(SAID, changes=SAID.changes[1:]),
        replace(SAID, changes=(*SAID.changes[:2], Change("rate", "ALARM", "OK", 122.0))),
        replace(SAID, changes=(*SAID.changes, Change("other", "OK", "ALARM", 60.0))),
        replace(SAID, changes=(SAID.changes[0], SAID.changes[2])),
        replace(SAID, changes=(Change("all", "ALARM", "OK", None), *SAID.changes)),
        replace(SAID, told=SAID.told[:1]),
        replace(SAID, actions=frozenset({("cap", "begin")})),
        replace(SAID, actions=SAID.actions | {("incident", "begin")}),
    ],
)
def test_a_difference_is_told(observed: Timeline) -> None:
    assert different(observed) is not None
