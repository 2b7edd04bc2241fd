"""Draws a simulation: the values of the alarms that went off, their thresholds and their states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from monitoring.simulation import Result

_ALARM, _VALUE = "#c0392b", "#2c3e50"


def write(path: Path, result: Result, title: str, alarms: Sequence[str] = ()) -> None:
    """Write the drawing; the suffix of the path is its format. The same data, the same bytes.

    `alarms` are the metric alarms to draw, by default those that changed their state.
    """
    changed = dict.fromkeys(change.alarm for change in result.changes)
    names = [name for name in alarms or changed if name in result.values]
    names = names or list(result.values)[:1]
    with mpl.rc_context({"svg.hashsalt": "monitoring", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 0.6 + 1.6 * len(names)), layout="constrained")
        figure.suptitle(title, fontsize=10)
        rows = figure.subplots(len(names), 1, sharex=True, squeeze=False)
        for name, (axes,) in zip(names, rows, strict=True):
            values = [float("nan") if value is None else value for value in result.values[name]]
            axes.plot(range(len(values)), values, color=_VALUE, linewidth=1)
            axes.axhline(result.thresholds[name], color=_ALARM, linewidth=0.8, linestyle="--")
            for start, end in _in_alarm(result, name, len(values)):
                axes.axvspan(start, end, color=_ALARM, alpha=0.15, linewidth=0)
            axes.set_title(name.split("/", 1)[-1], fontsize=8, loc="left")
            axes.tick_params(labelsize=7)
            axes.set_ylim(bottom=0)
        rows[-1][0].set_xlabel("minutes", fontsize=8)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


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
