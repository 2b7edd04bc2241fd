"""Which fields of a cron expression are taken, and what is said of the others."""

from __future__ import annotations

import pytest

from webtier import cron

FIELDS = {field.name: field for field in cron.FIELDS}


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("minute", ("*", "0", "59", "*/15", "0,30", "10-20/5", "5/10")),
        ("hour", ("0", "23", "7-19")),
        ("day", ("1", "31", "1-7,15,22-31/2")),
        ("month", ("1", "12", "JAN", "jan-MAR", "6,DEC")),
        ("day of the week", ("0", "7", "SUN", "MON-FRI", "mon-fri", "FRI,SAT,SUN", "5-7")),
    ],
)
def test_what_cron_takes(name: str, texts: tuple[str, ...]) -> None:
    assert {text: FIELDS[name].problem(text) for text in texts} == dict.fromkeys(texts, "")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("minute", "60", "minute 60 is not from 0 to 59"),
        ("hour", "7-24", "hour 24 is not from 0 to 23"),
        ("day", "0", "day 0 is not from 1 to 31"),
        ("day", "1,32", "day 32 is not from 1 to 31"),
        ("month", "13", "month 13 is not from 1 to 12 or JAN to DEC"),
        ("month", "MON", "month MON is not from 1 to 12 or JAN to DEC"),
        ("day of the week", "8", "day of the week 8 is not from 0 to 7 or SUN to SAT"),
        ("day of the week", "FRI-SUN", "day of the week FRI-SUN goes backwards; list the values"),
        ("hour", "19-7", "hour 19-7 goes backwards"),
        ("minute", "*/0", "minute */0: the step after / is a whole number above 0"),
        ("minute", "*/x", "minute */x: the step after / is a whole number above 0"),
        ("minute", "1-", "minute '1-' is no value, range or step such as 1, 1-5 or */15"),
        ("minute", "1,,2", "minute '' is no value, range or step"),
        ("minute", "**", "minute '**' is no value, range or step"),
    ],
)
def test_what_cron_does_not_take_is_named(name: str, text: str, problem: str) -> None:
    assert FIELDS[name].problem(text).startswith(problem)
