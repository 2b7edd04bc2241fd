"""The pure semantics beside alarm states and metric math, which have files of their own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.semantics import composite_rules, event_patterns, input_transformers, queries
from monitoring.semantics.metric_math import MetricMathError

STATES = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA"}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('ALARM("a")', "ALARM"),
        ("ALARM(a)", "ALARM"),
        ('ALARM("b")', "OK"),
        ('OK("b") AND INSUFFICIENT_DATA("c")', "ALARM"),
        ('ALARM("b") OR ALARM("a")', "ALARM"),
        # AND binds closer than OR, NOT closest.
        ('ALARM("a") OR ALARM("b") AND ALARM("b")', "ALARM"),
        ('(ALARM("a") OR ALARM("b")) AND ALARM("b")', "OK"),
        ('ALARM("a") AND NOT ALARM("b")', "ALARM"),
        ('NOT (ALARM("a") OR ALARM("b"))', "OK"),
        ("FALSE OR TRUE", "ALARM"),
        ('ALARM("arn:aws:cloudwatch:us-east-1:1:alarm:a")', "ALARM"),
        ('ALARM("unknown")', "OK"),
    ],
)
def test_composite_rules(rule: str, expected: str) -> None:
    assert composite_rules.state(rule, STATES) == expected


@pytest.mark.parametrize(
    "rule", ["", "ALARM", 'ALARM("a") OR', 'ALARM("a"))', "MAYBE(a)", 'ALARM("a") ALARM("b")', "("]
)
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(composite_rules.AlarmRuleError, match="unexpected"):
        composite_rules.state(rule, STATES)


def test_the_children_of_a_rule() -> None:
    rule = 'NOT ALARM("a") AND (OK("b") OR ALARM("a") OR FALSE)'
    assert composite_rules.children(rule) == ("a", "b")


@pytest.mark.parametrize(
    ("suppressor", "changed", "released", "now", "expected"),
    [
        ("ALARM", 0, None, 500, "Alarm"),
        # The composite alarm waits for its suppressor, then acts.
        ("OK", 100, None, 119, "WaitPeriod"),
        ("OK", 100, None, 120, None),
        # After the suppressor it is held a little longer.
        ("OK", 0, 100, 129, "ExtensionPeriod"),
        ("OK", 0, 100, 130, None),
    ],
)
def test_suppression(suppressor, changed, released, now, expected) -> None:
    by = composite_rules.suppressed_by(
        suppressor=suppressor, changed=changed, released=released, now=now, wait=20, extension=30
    )
    assert by == expected


def test_event_patterns() -> None:
    event = {"source": "s", "detail": {"name": "a/b", "state": {"value": "OK"}}}
    matches = event_patterns.matches
    assert matches({"source": ["s", "t"], "detail": {"name": [{"prefix": "a/"}]}}, event)
    assert not matches({"source": ["t"]}, event)
    assert not matches({"other": ["s"]}, event)
    assert matches({"detail": {"state": {"held": [{"exists": False}]}}}, event)
    assert not matches({"detail": {"state": {"value": [{"exists": False}]}}}, event)
    assert matches({"detail": {"$or": [{"name": ["x"]}, {"state": {"value": ["OK"]}}]}}, event)
    assert not matches({"detail": {"$or": [{"name": ["x"]}, {"name": ["y"]}]}}, event)
    with pytest.raises(NotImplementedError, match="suffix"):
        matches({"source": [{"suffix": "s"}]}, event)


def test_an_input_transformer_quotes_outside_of_quotes_alone() -> None:
    rendered = input_transformers.render(
        {"a": "$.detail.a", "n": "$.n"},
        '{"inside": "it is <a>", "outside": <a>, "number": <n>}',
        {"detail": {"a": 'say "x"'}, "n": 3},
    )
    assert rendered == '{"inside": "it is say "x"", "outside": "say \\"x\\"", "number": 3}'


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 100))
def test_a_percentile_lies_between_the_samples(values: list[float], percent: float) -> None:
    found = queries.statistic(f"p{percent:.2f}", values) if percent < 100 else max(values)
    assert found is not None
    assert min(values) - 1e-6 <= found <= max(values) + 1e-6


def test_statistics() -> None:
    values = [1.0, 2.0, 3.0, 10.0]
    told = {name: queries.statistic(name, values) for name in ("Sum", "Average", "SampleCount")}
    assert told == {"Sum": 16, "Average": 4, "SampleCount": 4}
    assert queries.statistic("p50", values) == 2.5
    assert queries.statistic("p100", values) == 10
    assert queries.statistic("Maximum", ()) is None
    with pytest.raises(MetricMathError, match="'TM'"):
        queries.statistic("TM", values)
