"""When each alarm goes off, from `thresholds.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = Path(__file__).with_name("thresholds.toml")

Severity = Literal["critical", "warning"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

# Amazon CloudWatch API reference, PutMetricAlarm: periods × period must not exceed a day.
LONGEST = 1440


class ThresholdError(ValueError):
    """A number cannot be used. The message is one line and names the key."""


@dataclass(frozen=True)
class Threshold:
    """`datapoints` of the last `periods` data points are at or above `threshold`."""

    threshold: float
    datapoints: int
    periods: int
    severity: Severity


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of every condition, and those of single subjects."""

    conditions: Mapping[str, Threshold]
    subjects: Mapping[tuple[str, str], Threshold]

    def of(self, condition: str, subject: str) -> Threshold:
        """Return the threshold of a condition for `SERVICE/SUBJECT`.

        Raises ThresholdError: the condition has none.
        """
        found = self.subjects.get((condition, subject)) or self.conditions.get(condition)
        if found is None:
            raise ThresholdError(f"{PATH.name}: the condition {condition} has no table")
        return found

    def changed(self, condition: str, **members: Any) -> Thresholds:
        """Return a copy in which a condition has other numbers, to try them."""
        table = replace(self.conditions[condition], **members)
        return replace(self, conditions={**self.conditions, condition: table})


def load(path: Path = PATH) -> Thresholds:
    """Read the file. Raises ThresholdError: it cannot be read, or a key or value is wrong."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ThresholdError(f"{path}: {error}") from None
    conditions: dict[str, Threshold] = {}
    subjects: dict[tuple[str, str], Threshold] = {}
    for condition, table in tables.items():
        if not isinstance(table, dict):
            raise ThresholdError(f"{path.name}: {condition} is no table")
        own = {key: value for key, value in table.items() if not isinstance(value, dict)}
        conditions[condition] = _threshold(path.name, condition, own)
        for subject, override in table.items():
            if isinstance(override, dict):
                where = f'{condition}."{subject}"'
                if subject.count("/") != 1:
                    raise ThresholdError(f"{path.name}: {where}: name it SERVICE/SUBJECT")
                subjects[condition, subject] = _threshold(path.name, where, own | override)
    return Thresholds(conditions, subjects)


def _threshold(file: str, where: str, table: Mapping[str, Any]) -> Threshold:
    members = ("threshold", "datapoints", "periods", "severity")
    for key in table:
        if key not in members:
            known = ", ".join(members)
            raise ThresholdError(f"{file}: {where}.{key} is no setting (they are {known})")
    for key in members:
        if key not in table:
            raise ThresholdError(f"{file}: {where}.{key} is missing")
    number = table["threshold"]
    if isinstance(number, bool) or not isinstance(number, int | float) or number <= 0:
        raise ThresholdError(f"{file}: {where}.threshold must be a number above 0, not {number!r}")
    periods, datapoints = table["periods"], table["datapoints"]
    for key, value, highest in (
        ("periods", periods, LONGEST),
        ("datapoints", datapoints, periods),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
            raise ThresholdError(
                f"{file}: {where}.{key} must be a whole number from 1 to {highest}, not {value!r}"
            )
    if table["severity"] not in SEVERITIES:
        known = " or ".join(SEVERITIES)
        raise ThresholdError(f"{file}: {where}.severity must be {known}, not {table['severity']!r}")
    return Threshold(number, datapoints, periods, table["severity"])
