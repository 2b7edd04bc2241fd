"""Draws a drill: load, instances, response times and alarms over time, as SVG or PNG."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from webtier.drill.report import in_hours
from webtier.drill.run import EVENT_MINUTE, EVENT_SENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from webtier.drill.outcome import Outcome
    from webtier.drill.run import Run

_SERVED, _FAILED, _OFFERED, _EVENT = "#8fb8de", "#d1495b", "#1d3557", "#555555"
_ZONES = ("#2a9d8f", "#e9c46a", "#7b6d8d", "#bc6c25", "#457b9d", "#a3b18a")
_STYLE: Any = {
    "svg.hashsalt": "webtier",
    "svg.fonttype": "none",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "legend.frameon": False,
}
_FROM_MINUTE = EVENT_MINUTE - 5
_ROW_INCHES, _ALARM_INCHES = 1.5, 0.22


def write(path: Path, outcome: Outcome) -> None:
    """Write the drawing; the suffix of the path is its format. The same drill, the same bytes."""
    run = outcome.worst
    with mpl.rc_context(_STYLE):
        bars = list(_bars(run))
        figure = _disk(run, bars) if in_hours(run) else _minutes(run, bars)
        which = f": {run.label}" if len(outcome.runs) > 1 else ""
        figure.suptitle(f"{outcome.drill.title}{which}", fontsize=11)
        figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)


def _rows(ratios: list[float]) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(8, sum(ratios) + 0.7), layout="constrained")
    rows = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)
    return figure, [axes for (axes,) in rows]


def _minutes(run: Run, bars: list[tuple[str, float, float]]) -> Figure:
    names = list(dict.fromkeys(name for name, _, _ in bars))
    heights = [_ROW_INCHES] * 3 + ([0.35 + _ALARM_INCHES * len(names)] if names else [])
    figure, rows = _rows(heights)
    shown = run.minutes[_FROM_MINUTE : _last(run)]
    # Each minute is a step: it has one value, which begins with it.
    times = [minute.number - EVENT_MINUTE for minute in (*shown, shown[-1])]
    times[-1] += 1

    def steps(values: list[float]) -> list[float]:
        return [*values, values[-1]]

    load, instances, latency = rows[:3]
    served = steps([minute.served / 60 for minute in shown])
    offered = steps([minute.offered / 60 for minute in shown])
    load.fill_between(times, served, step="post", color=_SERVED, linewidth=0, label="served")
    load.fill_between(
        times, served, offered, step="post", color=_FAILED, linewidth=0, label="failed"
    )
    load.step(times, offered, where="post", color=_OFFERED, linewidth=1, label="offered")
    load.set(title="Load", ylabel="requests/s", ylim=(0, max(offered) * 1.15))

    base = [0.0] * len(times)
    for zone, colour in zip(run.minutes[0].zones, itertools.cycle(_ZONES), strict=False):
        top = [
            low + high
            for low, high in zip(
                base, steps([float(minute.zones[zone]) for minute in shown]), strict=True
            )
        ]
        instances.fill_between(
            times, base, top, step="post", color=colour, linewidth=0, label=f"serving, {zone}"
        )
        base = top
    desired = steps([float(minute.desired) for minute in shown])
    instances.step(times, desired, where="post", color=_OFFERED, linewidth=1, label="desired")
    instances.set(title="Instances", ylabel="instances", ylim=(0, max(*base, *desired) * 1.15))
    instances.yaxis.set_major_locator(MaxNLocator(integer=True))

    slow = steps([minute.slow * 1000 for minute in shown])
    mean = steps([minute.latency * 1000 for minute in shown])
    latency.step(times, slow, where="post", color=_FAILED, linewidth=1, label="95th percentile")
    latency.step(times, mean, where="post", color=_OFFERED, linewidth=1, label="mean")
    latency.set(title="Response time", ylabel="ms", ylim=(0, max(*slow, 1) * 1.15))
    if names:
        _draw_bars(rows[3], bars, names, float(times[-1]))
    for axes in rows:
        axes.axvline(0, color=_EVENT, linewidth=0.8, linestyle=":")
    for axes in rows[:3]:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1.05), fontsize=7)
    rows[-1].set_xlabel("minutes since it happened")
    rows[-1].set_xlim(times[0], times[-1])
    return figure


def _last(run: Run) -> int:
    """Until when it is worth looking: a while after the last thing that happened."""
    happened = [told.second / 60 for told in run.told]
    happened += [change.second / 60 for change in run.changes]
    return min(len(run.minutes), round(max([EVENT_MINUTE + 15, *happened])) + 5)


def _disk(run: Run, bars: list[tuple[str, float, float]]) -> Figure:
    names = list(dict.fromkeys(name for name, _, _ in bars))
    heights = [2 * _ROW_INCHES] + ([0.35 + _ALARM_INCHES * len(names)] if names else [])
    figure, rows = _rows(heights)
    every = run.minutes[::10]
    hours = [minute.number / 60 for minute in every]
    rows[0].fill_between(hours, [one.free_gib for one in every], color=_SERVED, linewidth=0)
    rows[0].set(title="Free storage", ylabel="GiB", ylim=(0, None))
    for told in run.told:
        colour = _FAILED if "full" in told.what else _EVENT
        rows[0].axvline(told.second / 3600, color=colour, linewidth=0.8, linestyle=":")
    if names:
        _draw_bars(rows[1], bars, names, hours[-1])
    rows[-1].set_xlabel("hours since the data began to grow; dotted: storage grows, or is full")
    rows[-1].set_xlim(0, hours[-1])
    return figure


def _draw_bars(
    axes: Any, bars: list[tuple[str, float, float]], names: list[str], end: float
) -> None:
    for name, start, stop in bars:
        # Nothing is so short that it cannot be seen.
        width = max(min(stop, end) - start, end / 200)
        axes.barh(names.index(name), width, left=start, height=0.6, color=_FAILED)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_title("Alarms")


def _bars(run: Run) -> Iterator[tuple[str, float, float]]:
    """Name, beginning and end of each alarm, in the units of the drawing."""
    scale, start = (3600.0, 0.0) if in_hours(run) else (60.0, float(EVENT_MINUTE))
    last = len(run.minutes) if in_hours(run) else _last(run)
    end = last * 60 / scale - start
    began: dict[str, float] = {}
    for change in run.changes:
        moment = change.second / scale - start
        if change.state == EVENT_SENT:
            yield change.alarm, moment, moment
        elif change.state == "ALARM":
            began[change.alarm] = moment
        elif change.alarm in began:
            yield change.alarm, began.pop(change.alarm), moment
    for name, moment in began.items():
        yield name, moment, end
