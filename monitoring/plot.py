"""Draws a simulation: what alarms measure, where they go off, and when they are in ALARM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from monitoring.simulation import Result

_ALARM, _VALUE, _QUIET = "#c0392b", "#2c3e50", "#7f8c8d"


def write(
    path: Path,
    result: Result,
    title: str,
    alarms: Sequence[str] = (),
    *,
    situation: tuple[float, float] | None = None,
) -> None:
    """Write the drawing; the suffix of the path is its format. The same data, the same bytes.

    `alarms` are the metric alarms to draw, by default those that changed their state. `situation`
    is when what is drawn begins and ends, in minutes of the data: it begins at minute 0 then.
    """
    changed = dict.fromkeys(change.alarm for change in result.changes)
    names = [name for name in alarms or changed if name in result.values]
    names = names or list(result.values)[:1]
    zero = situation[0] if situation else 0.0
    with mpl.rc_context({"svg.hashsalt": "monitoring", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 0.8 + 1.5 * len(names)), layout="constrained")
        figure.suptitle(title, fontsize=11, fontweight="bold")
        rows = figure.subplots(len(names), 1, sharex=True, squeeze=False)
        for name, (axes,) in zip(names, rows, strict=True):
            _draw(axes, result, name, zero)
            if situation:
                for moment in situation:
                    axes.axvline(moment - zero, color=_QUIET, linewidth=0.8, linestyle=":")
        rows[-1][0].set_xlabel("minutes", fontsize=8)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw(axes: Axes, result: Result, name: str, zero: float) -> None:
    """One alarm: its values as points of a minute, its threshold, and its time in ALARM."""
    # A period's value is there when the period is over.
    minutes = [number + 1 - zero for number in range(len(result.values[name]))]
    values = [float("nan") if value is None else value for value in result.values[name]]
    threshold = result.thresholds[name]
    axes.plot(minutes, values, color=_VALUE, linewidth=1.2)
    axes.axhline(threshold, color=_ALARM, linewidth=0.8, linestyle="--")
    highest = max([threshold, *(value for value in values if value == value)]) * 1.2
    axes.set_ylim(-0.06 * highest, highest)
    axes.set_xlim(minutes[0], minutes[-1])
    axes.text(
        minutes[0] + 0.5,
        threshold,
        f"goes off at {threshold:g}",
        color=_ALARM,
        fontsize=7,
        va="bottom",
    )
    for start, end in _in_alarm(result, name, len(values)):
        axes.axvspan(start - zero, end - zero, color=_ALARM, alpha=0.15, linewidth=0)
        axes.text(
            start - zero + 0.5, highest, "ALARM", color=_ALARM, fontsize=7, va="top", weight="bold"
        )
    axes.set_title(name.split("/", 1)[-1], fontsize=8, loc="left")
    axes.set_ylabel(result.units.get(name, ""), fontsize=7)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def _in_alarm(result: Result, name: str, length: int) -> Iterator[tuple[float, float]]:
    began = None
    for change in result.changes:
        if change.alarm != name:
            continue
        minute = (change.time - result.start) / result.period
        if change.new == "ALARM":
            began = minute
        elif began is not None:
            yield began, minute
            began = None
    if began is not None:
        yield began, float(length)
