"""What came of the drills, as text and as plain values for JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from webtier.drill.promises import UNITS
from webtier.drill.run import EVENT, EVENT_MINUTE, EVENT_SENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webtier.drill.outcome import Kept, Outcome
    from webtier.drill.run import Minute, Run

_HEAD: tuple[str, ...] = (
    "minute",
    "instances",
    "wanted",
    "offered/s",
    "served/s",
    "failed/s",
    "p95 ms",
    "CPU %",
)
_BEFORE = 1


def value(kept: Kept) -> str:
    """What was measured of a promise, with its unit."""
    if math.isinf(kept.measured):
        return "never"
    unit = UNITS[kept.promise.measure]
    number = f"{round(kept.measured, 1):g}"
    return f"{number} {unit.removesuffix('s') if number == '1' else unit}"


def in_hours(run: Run) -> bool:
    """Whether a run is told in hours: the disk's is, which nothing strikes at a certain minute."""
    return not run.ready


def timeline(run: Run) -> list[tuple[float, str]]:
    """What happened and which alarm said so, each with its second, counted from the event."""
    start = 0 if in_hours(run) else EVENT
    entries = [(told.second - start, told.what) for told in run.told]
    for change in run.changes:
        silent = "" if change.heard else " (nobody hears it)"
        if change.alarm in run.usual:
            silent = " (as it is after a good deployment)"
        state = "sends its event" if change.state == EVENT_SENT else f"is {change.state}"
        entries.append((change.second - start, f"{change.alarm} {state}{silent}"))
    return sorted(entries, key=lambda entry: entry[0])


def clock(run: Run, second: float) -> str:
    """A moment of a run: +3:10 in minutes, or +3:10 h."""
    if in_hours(run):
        minutes = round(second / 60)
        return f"+{minutes // 60}:{minutes % 60:02} h"
    sign = "-" if second < 0 else "+"
    whole = round(abs(second))
    return f"{sign}{whole // 60}:{whole % 60:02}"


def text(outcome: Outcome) -> list[str]:
    """A drill as lines of text: its timeline, its minutes, its promises."""
    run = outcome.worst
    which = f", the worst of {len(outcome.runs)}: {run.label}" if len(outcome.runs) > 1 else ""
    lines = [f"{outcome.drill.title}{which} ({outcome.drill.name})"]
    lines += [f"  {clock(run, second):>9}  {what}" for second, what in timeline(run)]
    if not in_hours(run):
        lines += ["", *(f"  {line}" for line in _table(run))]
    lines.append("")
    for kept in outcome.promises:
        lines.append(f"  {'✔' if kept.holds else '✘'} {kept.promise.text} [{value(kept)}]")
        if not kept.holds:
            lines.append(f"    {kept.promise.name}: {kept.reason}")
    return lines


def _table(run: Run) -> Iterator[str]:
    """The minutes, without those that are as the one before."""
    rows = [_HEAD]
    before: tuple[str, ...] = ()
    for minute in run.minutes[EVENT_MINUTE - _BEFORE :]:
        row = _row(minute)
        if row[1:] != before:
            rows.append(row)
        before = row[1:]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))


def _row(minute: Minute) -> tuple[str, ...]:
    return (
        f"{minute.number - EVENT_MINUTE:+d}",
        "+".join(str(count) for count in minute.zones.values()),
        str(minute.desired),
        f"{minute.offered / 60:.1f}",
        f"{minute.served / 60:.1f}",
        f"{minute.errors / 60:.1f}",
        f"{minute.slow * 1000:.0f}",
        f"{minute.cpu * 100:.0f}",
    )


def plain(outcome: Outcome) -> dict[str, Any]:
    """A drill as plain values; a number that is not finite is null."""
    run = outcome.worst
    return {
        "name": outcome.drill.name,
        "title": outcome.drill.title,
        "run": run.label,
        "holds": outcome.holds,
        "promises": [
            {
                "name": kept.promise.name,
                "says": kept.promise.text,
                "at_least" if kept.promise.least else "at_most": kept.promise.limit,
                "measured": kept.measured if math.isfinite(kept.measured) else None,
                "holds": kept.holds,
                "reason": kept.reason or None,
            }
            for kept in outcome.promises
        ],
        "timeline": [
            {"minute": round(second / 60, 3), "what": what} for second, what in timeline(run)
        ],
        "minutes": [] if in_hours(run) else [_minute(minute) for minute in run.minutes],
        "not_modelled": list(run.not_modelled),
    }


def _minute(minute: Minute) -> dict[str, Any]:
    return {
        "minute": minute.number - EVENT_MINUTE,
        "zones": minute.zones,
        "desired": minute.desired,
        **{
            name: round(getattr(minute, name), 3)
            for name in (
                "offered",
                "served",
                "unreachable",
                "balancer",
                "application",
                "cut",
                "latency",
                "slow",
                "cpu",
            )
        },
    }
