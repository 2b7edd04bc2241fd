"""Runs one action for one message: decide, claim and charge, act, record, tell, look again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from .entries import Entry, step

if TYPE_CHECKING:
    from collections.abc import Callable

    from .ledger import Begun
    from .outcome import Outcome


class Action(Protocol):
    """What can be done about an alarm, and undone."""

    def prepare(self) -> dict[str, str] | None:
        """Return what must be remembered before anything is changed; None: nothing to do."""

    def perform(self, remembered: dict[str, str]) -> Outcome:
        """Do it. A crash may make it run twice: the second time changes nothing."""

    def describe(self) -> str:
        """Return what a dry run says it would have done."""

    def review(self, remembered: dict[str, str], state: str) -> Outcome:
        """Look, some time later, whether it helped; `state` is the alarm's."""

    def finish(self, remembered: dict[str, str]) -> str:
        """Undo it, or end it."""


class Memory(Protocol):
    """Where entries are kept: `ledger.Ledger`, or the simulator's."""

    def get(self, action: str, target: str) -> Entry | None:
        """Return what is remembered of an action on a target."""

    def begin(self, entry: Entry, previous: Entry | None, budget: int) -> Begun:
        """Claim the target and charge the budget, both or neither."""

    def put(self, entry: Entry) -> None:
        """Remember what an action has come to."""


@dataclass(frozen=True)
class Limits:
    """How often and how long.

    `cool_down` is the seconds between an action's end and its next beginning on the same target,
    `budget` how often it may begin in a day (UTC) on all targets together, `patience` the seconds
    until it is looked at again.
    """

    cool_down: int
    budget: int
    patience: int
    dry_run: bool


@dataclass(frozen=True)
class Run:
    """One message: the action `name` on `target`, for the alarm `alarm`, which is in `state`."""

    name: str
    target: str
    alarm: str
    state: str
    now: int


def run(
    what: Run,
    action: Action,
    memory: Memory,
    limits: Limits,
    look_again: Callable[[Entry], None],
) -> dict[str, Any] | None:
    """Answer a change of the alarm's state; return the record of what was done, None: nothing.

    `look_again` has the entry reviewed after `limits.patience` seconds.
    """
    entry = memory.get(what.name, what.target)
    match step(what.name, what.state, entry, what.now), entry:
        case "begin", _:
            return _begin(what, action, memory, limits, entry, look_again)
        case "resume", Entry():
            return _perform(what, action, memory, entry, look_again)
        case "finish", Entry():
            if entry.dry_run:
                ended = f"{what.name}: over (dry run, nothing to undo)"
            else:
                ended = action.finish(entry.remembered)
            memory.put(_resting(entry, what.now, limits))
            return _record(what, entry, "finish", ended)
        case _:
            return None


def review(
    what: Run,
    since: int,
    action: Action,
    memory: Memory,
    limits: Limits,
    look_again: Callable[[Entry], None],
) -> dict[str, Any] | None:
    """Look whether what began at `since` helped; return the record, None: it is over already."""
    entry = memory.get(what.name, what.target)
    if entry is None or entry.since != since or entry.status != "active" or entry.dry_run:
        return None
    outcome = action.review(entry.remembered, what.state)
    if outcome.done:
        ended = action.finish(entry.remembered)
        memory.put(_resting(entry, what.now, limits))
        return _record(what, entry, "stop", f"{outcome.summary}; {ended}")
    if outcome.remembered is not None:
        memory.put(replace(entry, remembered=outcome.remembered))
    if outcome.again:
        look_again(entry)
    return _record(what, entry, "review", outcome.summary)


def _begin(
    what: Run,
    action: Action,
    memory: Memory,
    limits: Limits,
    previous: Entry | None,
    look_again: Callable[[Entry], None],
) -> dict[str, Any] | None:
    remembered = action.prepare()
    if remembered is None:
        return None
    entry = Entry(
        what.name,
        what.target,
        what.alarm,
        "acting",
        since=what.now,
        dry_run=limits.dry_run,
        remembered=remembered,
    )
    begun = memory.begin(entry, previous, limits.budget)
    if begun == "taken":
        return None
    if begun == "over budget":
        # It rests as after acting, so that a storm of events tells this once.
        memory.put(_resting(entry, what.now, limits))
        told = f"{what.name}: the budget of {limits.budget} a day is spent; it is left to people"
        return _record(what, entry, "over-budget", told)
    return _perform(what, action, memory, entry, look_again)


def _perform(
    what: Run,
    action: Action,
    memory: Memory,
    entry: Entry,
    look_again: Callable[[Entry], None],
) -> dict[str, Any]:
    if entry.dry_run:
        memory.put(replace(entry, status="active"))
        return _record(what, entry, "begin", f"{action.describe()} (dry run, not done)")
    outcome = action.perform(entry.remembered)
    remembered = entry.remembered if outcome.remembered is None else outcome.remembered
    entry = replace(entry, status="active", remembered=remembered)
    # Looked at again first: were it lost, the action would never stop by itself.
    look_again(entry)
    memory.put(entry)
    return _record(what, entry, "begin", outcome.summary)


def _resting(entry: Entry, now: int, limits: Limits) -> Entry:
    return replace(entry, status="resting", until=now + limits.cool_down)


def _record(what: Run, entry: Entry, event: str, summary: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "action": what.name,
        "event": event,
        "target": what.target,
        "alarm": what.alarm,
        "state": what.state,
        "dry_run": entry.dry_run,
        "since": entry.since,
        "at": what.now,
        "remembered": entry.remembered,
    }
