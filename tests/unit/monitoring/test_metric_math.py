from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.semantics.metric_math import MetricMathError, evaluate, names

numbers = st.one_of(st.none(), st.floats(-1e6, 1e6))
series = st.lists(numbers, min_size=3, max_size=3).map(tuple)


def compute(expression, period=60, **given_series):
    return evaluate(expression, given_series, length=3, period=period)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + b", (11, 22, None)),
        ("b - a * 2", (8, 16, None)),
        ("b / a", (10, 10, None)),
        ("2 ^ a", (2, 4, None)),
        ("-a", (-1, -2, None)),
        ("a / 0", (None, None, None)),
        ("(a - 2) ^ 0.5", (None, 0, None)),
        ("a >= 2", (0, 1, None)),
        ("a != 1", (0, 1, None)),
        ("a > 1 && b > 1", (0, 1, None)),
        ("a > 1 OR b > 1", (1, 1, None)),
        ("IF(a > 1, b)", (None, 20, None)),
        ("IF(a > 1, b, 0)", (0, 20, None)),
        ("FILL(a, 0)", (1, 2, 0)),
        ("FILL(a, REPEAT)", (1, 2, 2)),
        ("FILL(a, b)", (1, 2, 30)),
        ("SUM([a, b])", (11, 22, 30)),
        ("AVG([a, b])", (5.5, 11, 30)),
        ("MAX([a, 2, b])", (10, 20, 30)),
        ("MIN([a, b])", (1, 2, 30)),
        ("b / MAX(b)", (1 / 3, 2 / 3, 1)),
        ("SUM(a) + 0 * b", (3, 3, 3)),
        ("a / PERIOD(a)", (1 / 60, 2 / 60, None)),
        ("7", (7, 7, 7)),
        ("IF(FILL(a, 0) >= 2, 100 * a / b, 0)", (0, 10, 0)),
    ],
)
def test_expressions(expression, expected):
    assert compute(expression, a=(1.0, 2.0, None), b=(10.0, 20.0, 30.0)) == pytest.approx(expected)


def test_a_statistic_of_nothing_is_nothing():
    assert compute("SUM(a)", a=(None, None, None)) == (None, None, None)
    assert compute("SUM([a, a])", a=(None, None, None)) == (None, None, None)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "no metric math expression"),
        ("a +", "no metric math expression"),
        ("a b", "no metric math expression"),
        ("other", "no query with the id 'other'"),
        ("RATE(a)", "RATE with 1 arguments is not supported"),
        ("IF(a)", "IF with 1 arguments is not supported"),
        ("[a, a]", "several time series"),
        ("[a, a] + 1", "an array where one series is needed"),
        ("a < 1 < 2", "not supported"),
        ("a % 2", "not supported"),
        ("True", "not supported"),
        ("'text'", "not supported"),
        ("a.real", "not supported"),
        ("a[0]", "not supported"),
        ("(lambda: 1)()", "not supported"),
        ("__import__('os')", "__import__ with 1 arguments is not supported"),
        ("[x for x in a]", "not supported"),
    ],
)
def test_what_is_no_metric_math_is_refused(expression, message):
    with pytest.raises(MetricMathError, match=message):
        compute(expression, a=(1.0, 2.0, 3.0))


def test_names_are_the_queries_an_expression_needs():
    assert names("IF(FILL(errors, REPEAT) > 3, 100 * errors / requests, 0)") == {
        "errors",
        "requests",
    }


@given(series, series)
def test_a_missing_value_stays_missing_in_arithmetic(a, b):
    for sign in "+-*/":
        result = compute(f"a {sign} b", a=a, b=b)
        for left, right, value in zip(a, b, result, strict=True):
            assert value is None or (left is not None and right is not None)


@given(series)
def test_filled_with_a_number_nothing_is_missing(a):
    filled = compute("FILL(a, 0)", a=a)
    assert filled == tuple(0 if value is None else value for value in a)


@given(st.text(alphabet="aAND()[]^|&<>=!+-*/., 01FILRPT\"'_", max_size=30))
def test_any_text_gives_a_series_or_is_refused(text):
    try:
        result = compute(text, a=(1.0, None, 2.0))
    except MetricMathError:
        return
    assert len(result) == 3
