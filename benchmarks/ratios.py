"""Ratios: how two measurements, taken in alternation, compare."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Ratio:
    """Ours over the peer's, one ratio a round: the median, the lowest, the highest, and the goal.

    Below 1 the project takes less than the peer. The goal is met where the median is not above it.
    """

    median: float
    low: float
    high: float
    goal: float

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.median <= self.goal


@dataclass(frozen=True)
class Result:
    """What a benchmark found: ratios by label, or the reason why there are none.

    `figures` are this machine's own: they are for reading, and compare with nothing.
    """

    name: str
    ratios: dict[str, Ratio]
    skipped: str | None = None
    figures: Mapping[str, float] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """Return the result as the members of one JSON object."""
        members: dict[str, object] = {
            "name": self.name,
            "ratios": {label: asdict(ratio) for label, ratio in self.ratios.items()},
        }
        if self.figures:
            members["figures"] = dict(self.figures)
        return members if self.skipped is None else members | {"skipped": self.skipped}


def ratio(ours: Sequence[float], peers: Sequence[float], goal: float) -> Ratio:
    """Return the ratio of two series of equal length, paired by round."""
    paired = [a / b for a, b in zip(ours, peers, strict=True)]
    return Ratio(round(median(paired), 3), round(min(paired), 3), round(max(paired), 3), goal)


def alternate(
    ours: Callable[[], float], peer: Callable[[], float], rounds: int, warm_up: int = 2
) -> tuple[list[float], list[float]]:
    """Call both in turn, `rounds` times after the warm-up, and return what they returned.

    The first of a round is the second of the next one: a machine that slows down, or a processor
    that others use, weighs on both alike.
    """
    measured: tuple[list[float], list[float]] = ([], [])
    for number in range(warm_up + rounds):
        order = (0, 1) if number % 2 else (1, 0)
        for which in order:
            value = (ours, peer)[which]()
            if number >= warm_up:
                measured[which].append(value)
    return measured
