"""What must hold, and whether it does: promises.toml, and the measures it speaks of."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webtier.drill.drills import DRILLS
from webtier.drill.fleet import Version
from webtier.drill.run import EVENT, EVENT_SENT
from webtier.drill.scaling import allowance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from webtier.drill.run import Run

FILE = Path(__file__).with_name("promises.toml")
SLOW_SECONDS = 1.0
"""A minute counts as slow when the 95th percentile of its response time is longer."""

_FITS = 1.01


class PromiseError(ValueError):
    """The file of promises is wrong; the message is one line and names the promise."""


@dataclass(frozen=True)
class Promise:
    """One promise: `limit` is the most that a measure may be, or the least where `least`."""

    name: str
    drill: str
    measure: str
    limit: float
    least: bool
    says: str

    @property
    def text(self) -> str:
        """The promise in words."""
        return self.says.format(limit=f"{self.limit:g}")

    def measured(self, runs: Iterable[Run]) -> float:
        """The measure in the worst of the runs."""
        values = [MEASURES[self.measure](run) for run in runs]
        return min(values) if self.least else max(values)

    def holds(self, value: float) -> bool:
        """Whether a value keeps the promise."""
        return value >= self.limit if self.least else value <= self.limit


def load(path: Path = FILE) -> tuple[Promise, ...]:
    """The promises of a file. Raises PromiseError, OSError."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PromiseError(f"{path}: {error}") from error
    return tuple(_promise(name, entry) for name, entry in entries.items())


def _promise(name: str, entry: Any) -> Promise:
    limits = {"at_most", "at_least"}
    if not isinstance(entry, dict) or set(entry) - limits != {"drill", "measure", "says"}:
        raise PromiseError(f"{name}: give drill, measure, says, and at_most or at_least")
    given = limits & set(entry)
    if len(given) != 1:
        raise PromiseError(f"{name}: give either at_most or at_least")
    limit = entry[given.pop()]
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        raise PromiseError(f"{name}: the limit {limit!r} is no number")
    if entry["drill"] not in DRILLS:
        raise PromiseError(f"{name}: drill {entry['drill']!r} is none of {', '.join(DRILLS)}")
    if entry["measure"] not in MEASURES:
        known = ", ".join(MEASURES)
        raise PromiseError(f"{name}: measure {entry['measure']!r} is none of {known}")
    return Promise(
        name=name,
        drill=entry["drill"],
        measure=entry["measure"],
        limit=float(limit),
        least="at_least" in entry,
        says=str(entry["says"]),
    )


def first_alarm(run: Run) -> float:
    """When an alarm first told somebody of it, in seconds of the run; infinite for never.

    RDS's events do not count: they say what RDS does, and it may do nothing.
    """
    return _first_told(run, _begin(run), {"OK", EVENT_SENT})


def _first_told(run: Run, begin: float, without: set[str]) -> float:
    seconds = (
        change.second
        for change in run.changes
        if change.heard
        and change.state not in without
        and change.second >= begin
        and change.alarm not in run.usual
    )
    return min(seconds, default=math.inf)


def _begin(run: Run) -> float:
    """When requests first failed, or else when it happened."""
    failing = (minute.number for minute in run.minutes if minute.failing)
    return max(float(EVENT), next(failing, 0) * 60.0)


def _alarms(run: Run) -> float:
    return sum(change.state not in ("OK", EVENT_SENT) for change in run.changes)


def _error_minutes(run: Run) -> float:
    return sum(minute.failing for minute in run.minutes)


def _minutes_to_alarm(run: Run) -> float:
    """From the first minute with errors; 0 where there was none to tell of."""
    if not any(minute.failing for minute in run.minutes):
        return 0.0
    return (first_alarm(run) - _begin(run)) / 60


def _minutes_until_told(run: Run) -> float:
    """From when it happened, whether requests failed or not, until an alarm or RDS's event."""
    return (_first_told(run, float(EVENT), {"OK"}) - EVENT) / 60


def _until(good: Sequence[bool], step: int) -> float:
    """Minutes from the event until it is good for the rest; infinite where it is not at the end."""
    bad = [number for number in range(EVENT // step, len(good)) if not good[number]]
    if not bad:
        return 0.0
    last = bad[-1] + 1
    return math.inf if last >= len(good) else (last * step - EVENT) / 60


def _minutes_to_capacity(run: Run) -> float:
    return _until([ready >= run.wanted for ready in run.ready], run.step)


def _minutes_to_fit(run: Run) -> float:
    allowed = allowance(run.tier, run.assumptions) * _FITS
    end = (EVENT + int(run.assumptions.spike_minutes * 60)) // run.step
    fits = [
        offered <= ready * allowed
        for offered, ready in zip(run.offered[:end], run.ready[:end], strict=True)
    ]
    return _until(fits, run.step)


def _zones_cut_off(run: Run) -> float:
    return len(run.cut_off)


def _failed_percent(run: Run) -> float:
    failed = sum(minute.errors for minute in run.minutes)
    return 100 * failed / sum(minute.offered for minute in run.minutes)


def _failed_requests(run: Run) -> float:
    return math.floor(sum(minute.errors for minute in run.minutes) + 0.5)


def _slow_minutes(run: Run) -> float:
    return sum(minute.slow > SLOW_SECONDS for minute in run.minutes)


def _instances_missing(run: Run) -> float:
    return max(0, run.wanted - min(run.ready[EVENT // run.step :]))


def _instances_replaced(run: Run) -> float:
    return len({told.what for told in run.told if " replaces " in told.what})


def _minutes_to_roll_back(run: Run) -> float:
    return _ended(run, Version.CURRENT)


def _minutes_to_deploy(run: Run) -> float:
    return _ended(run, Version.GOOD)


def _ended(run: Run, version: Version) -> float:
    """When the deployment ended with nothing but instances of a version."""
    deployment = run.deployment
    if deployment is None or not deployment.finished:
        return math.inf
    fleet = deployment.fleet
    if any(one is not version for one in (fleet.version, *(it.version for it in fleet.members))):
        return math.inf
    return (deployment.ended - EVENT) / 60


def _hours_announced(run: Run) -> float:
    """From the alarm that stays until the disk is full; 0 where none did."""
    if math.isinf(run.full):
        return math.inf
    since: dict[str, float] = {}
    for change in run.changes:
        # An event is sent once and does not say when it is over.
        if change.second > run.full or not change.heard or change.state == EVENT_SENT:
            continue
        if change.state == "OK":
            since.pop(change.alarm, None)
        else:
            since.setdefault(change.alarm, change.second)
    return (run.full - min(since.values(), default=run.full)) / 3600


def _hours_until_full(run: Run) -> float:
    return run.full / 3600


MEASURES: dict[str, Callable[[Run], float]] = {
    "alarms": _alarms,
    "error-minutes": _error_minutes,
    "failed-percent": _failed_percent,
    "failed-requests": _failed_requests,
    "hours-announced": _hours_announced,
    "hours-until-full": _hours_until_full,
    "instances-missing": _instances_missing,
    "instances-replaced": _instances_replaced,
    "minutes-to-alarm": _minutes_to_alarm,
    "minutes-to-capacity": _minutes_to_capacity,
    "minutes-to-fit": _minutes_to_fit,
    "minutes-to-deploy": _minutes_to_deploy,
    "minutes-to-roll-back": _minutes_to_roll_back,
    "minutes-until-told": _minutes_until_told,
    "slow-minutes": _slow_minutes,
    "zones-cut-off": _zones_cut_off,
}

UNITS = {
    "alarms": "alarms",
    "error-minutes": "minutes",
    "failed-percent": "%",
    "failed-requests": "requests",
    "hours-announced": "hours",
    "hours-until-full": "hours",
    "instances-missing": "instances",
    "instances-replaced": "instances",
    "minutes-to-alarm": "minutes",
    "minutes-to-capacity": "minutes",
    "minutes-to-fit": "minutes",
    "minutes-to-deploy": "minutes",
    "minutes-to-roll-back": "minutes",
    "minutes-until-told": "minutes",
    "slow-minutes": "minutes",
    "zones-cut-off": "zones",
}
"""What each measure counts."""
