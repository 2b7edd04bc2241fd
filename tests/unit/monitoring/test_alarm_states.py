"""The tables of "Configuring how CloudWatch alarms treat missing data", and what surrounds them."""

from __future__ import annotations

import pytest

from monitoring.semantics.alarm_states import Rule, next_state, supported

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
VALUES = {"0": 0.0, "X": 9.0, "-": None}
CURRENT = "the state before"


def state(points, datapoints, missing, periods=3):
    rule = Rule("GreaterThanThreshold", 5, periods, datapoints, missing)
    return next_state(rule, [VALUES[point] for point in points], CURRENT)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ("0-X-X", ("OK", "OK", "OK", "OK")),
        ("0----", ("OK", "OK", "OK", "OK")),
        ("-----", ("INSUFFICIENT_DATA", CURRENT, "ALARM", "OK")),
        ("0XX-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("--X--", ("ALARM", CURRENT, "ALARM", "OK")),
    ],
)
def test_three_out_of_three(points, expected):
    assert tuple(state(points, 3, missing) for missing in TREATMENTS) == expected


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ("0-X-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("00X0X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("0-X--", ("OK", "OK", "ALARM", "OK")),
        ("----0", ("OK", "OK", "ALARM", "OK")),
        ("---X-", ("ALARM", CURRENT, "ALARM", "OK")),
    ],
)
def test_two_out_of_three(points, expected):
    assert tuple(state(points, 2, missing) for missing in TREATMENTS) == expected


def test_one_recent_point_does_not_alarm_before_its_time():
    assert state("----X", 3, "missing") == CURRENT


def test_old_points_do_not_count_once_there_are_enough_new_ones():
    assert state("XX000", 2, "notBreaching") == "OK"


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanThreshold", {6}),
        ("GreaterThanOrEqualToThreshold", {5, 6}),
        ("LessThanThreshold", {4}),
        ("LessThanOrEqualToThreshold", {4, 5}),
    ],
)
def test_comparisons(comparison, breaching):
    rule = Rule(comparison, 5, 1, 1, "missing")
    assert {value for value in (4, 5, 6) if rule.breaches(value)} == breaching


def test_anomaly_detection_is_not_supported():
    assert not supported("GreaterThanUpperThreshold")
