"""When an action may begin, goes on, and ends: plain values in and out.

The simulator decides by these functions too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["acting", "active", "resting"]
Step = Literal["begin", "resume", "finish", "nothing", "cooling"]

TRIGGERS = {"cap": "ALARM", "incident": "ALARM", "redrive": "OK"}
"""The state of its alarm that each action answers."""


@dataclass(frozen=True)
class Entry:
    """What is remembered of an action on a target.

    `status` is "acting" from the decision until it is carried out, "active" until it is ended, then
    "resting". `since` is when it began, `until` when it may begin again, in seconds since 1970.
    `remembered` is what it needs to be ended, all of it text.
    """

    action: str
    target: str
    alarm: str
    status: Status
    since: int
    until: int = 0
    dry_run: bool = False
    remembered: dict[str, str] = field(default_factory=dict)


def step(action: str, state: str, entry: Entry | None, now: int) -> Step:
    """Return what a change of the alarm's state means.

    Args:
        action: a key of TRIGGERS.
        state: the alarm's state now. An event says only where to look: it may be late, or a copy.
        entry: what is remembered of the action on this target.
        now: seconds since 1970.

    """
    if state == TRIGGERS[action]:
        if entry is None:
            return "begin"
        if entry.status == "acting":
            return "resume"  # the one who began it was stopped halfway
        if entry.status == "active":
            return "nothing"
        return "begin" if now >= entry.until else "cooling"
    if state == "INSUFFICIENT_DATA" or entry is None or entry.status == "resting":
        return "nothing"
    return "finish"


def day(now: int) -> int:
    """The day a budget is for: days since 1970, in UTC."""
    return now // 86_400
