"""Cron expressions of five fields, as far as EC2 Auto Scaling takes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\w+))?")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True)
class Field:
    """One of the five: from `low` to `high`; `names` stand for the numbers from `low` on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def problem(self, text: str) -> str:
        """What is wrong with a field's text; empty where nothing is."""
        return next(filter(None, map(self._problem, text.split(","))), "")

    def _problem(self, part: str) -> str:
        found = _PART.fullmatch(part)
        if found is None:
            return f"{self.name} {part!r} is no value, range or step such as 1, 1-5 or */15"
        ends = [text for text in (found["first"], found["last"]) if text is not None]
        numbers = []
        for end in ends:
            if (number := self._number(end)) is None:
                return f"{self.name} {end} is not from {self.low} to {self.high}{self._or_names()}"
            numbers.append(number)
        if numbers != sorted(numbers):
            return f"{self.name} {part} goes backwards; list the values with commas"
        if found["step"] is not None and not (found["step"].isdecimal() and int(found["step"])):
            return f"{self.name} {part}: the step after / is a whole number above 0"
        return ""

    def _number(self, text: str) -> int | None:
        if text.upper() in self.names:
            return self.low + self.names.index(text.upper())
        number = int(text) if text.isdecimal() else -1
        return number if self.low <= number <= self.high else None

    def _or_names(self) -> str:
        return f" or {self.names[0]} to {self.names[-1]}" if self.names else ""


# Amazon EC2 Auto Scaling User Guide, "Scheduled scaling"; crontab(5): Sunday is 0 and 7.
FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day", 1, 31),
    Field("month", 1, 12, _MONTHS),
    Field("day of the week", 0, 7, _WEEKDAYS),
)
