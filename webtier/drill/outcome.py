"""A drill and what came of it: its runs, its promises, and the reason of each broken one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from webtier.drill import promises, remedies
from webtier.drill.drills import DRILLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from webtier.drill.assumptions import Assumptions
    from webtier.drill.drills import Drill
    from webtier.drill.promises import Promise
    from webtier.drill.run import Run
    from webtier.drill.tier import Tier


@dataclass(frozen=True)
class Kept:
    """A promise and what was measured of it; `reason` is empty where it holds."""

    promise: Promise
    measured: float
    reason: str

    @property
    def holds(self) -> bool:
        """Whether it holds."""
        return not self.reason


@dataclass(frozen=True)
class Outcome:
    """What came of a drill."""

    drill: Drill
    runs: tuple[Run, ...]
    promises: tuple[Kept, ...]

    @property
    def worst(self) -> Run:
        """The run with the most errors."""
        return max(self.runs, key=lambda run: sum(minute.errors for minute in run.minutes))

    @property
    def holds(self) -> bool:
        """Whether every promise holds."""
        return all(kept.holds for kept in self.promises)


def applicable(tier: Tier) -> tuple[str, ...]:
    """The names of the drills that a tier has something to lose in."""
    return tuple(name for name, drill in DRILLS.items() if drill.applies(tier))


def outcomes(
    tier: Tier,
    assumptions: Assumptions,
    promised: Sequence[Promise],
    names: Sequence[str] = (),
) -> Iterator[Outcome]:
    """What comes of the drills of these names, or of all that apply, one after the other."""
    for name in names or applicable(tier):
        drill = DRILLS[name]
        runs = drill.runs(tier, assumptions)
        yield Outcome(
            drill,
            runs,
            tuple(
                _kept(promise, promise.measured(runs), tier, assumptions)
                for promise in promised
                if promise.drill == name
            ),
        )


def _kept(promise: promises.Promise, value: float, tier: Tier, assumptions: Assumptions) -> Kept:
    holds = promise.holds(value)
    return Kept(promise, value, "" if holds else remedies.reason(promise, tier, assumptions))
