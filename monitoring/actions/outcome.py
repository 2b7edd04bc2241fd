"""What came of an action, or of a second look at it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """`summary` is for people. `done`: the action has ended by itself.

    `remembered` replaces what the action remembers, where it is not None. `again`: look again.
    """

    summary: str
    done: bool = False
    remembered: dict[str, str] | None = None
    again: bool = False
