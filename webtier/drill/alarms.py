"""What the template's alarms make of a run's data, and whom they tell.

How CloudWatch evaluates is `monitoring.semantics`. Every alarm is OK at first and is evaluated at
the end of each of its periods, once there are as many as it looks at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitoring.semantics import alarm_states, composite_rules, queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitoring.semantics.metric_math import Series
    from webtier.drill.metrics import Metrics
    from webtier.drill.tier import Alarm


@dataclass(frozen=True)
class Change:
    """An alarm's change of state at a second of the run; `heard`: it reaches somebody."""

    second: float
    alarm: str
    state: str
    heard: bool


@dataclass(frozen=True)
class Evaluation:
    """All changes in their order, and the alarms on metrics that the drills have no data of."""

    changes: tuple[Change, ...]
    not_modelled: tuple[str, ...]


def evaluate(alarms: Sequence[Alarm], metrics: Metrics, minutes: int, delay: float) -> Evaluation:
    """Evaluate the alarms over so many minutes of data, each `delay` seconds after its period.

    Raises MetricMathError, AlarmRuleError: an expression that is not supported.
    """
    changes: list[Change] = []
    left: list[str] = []
    single = [alarm for alarm in alarms if not alarm.composite]
    for alarm in single:
        if _modelled(alarm.properties, metrics):
            changes += _changes(alarm, metrics, minutes, delay)
        else:
            left.append(alarm.resource)
    changes.sort(key=lambda change: (change.second, change.alarm))
    for alarm in alarms:
        if alarm.composite:
            changes += _composite(alarm, changes, {one.resource: one.name for one in single})
    changes.sort(key=lambda change: (change.second, change.alarm))
    return Evaluation(tuple(changes), tuple(left))


def _used(properties: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The metrics that an alarm looks at."""
    if "Metrics" not in properties:
        return [properties] if "MetricName" in properties else []
    return [
        query["MetricStat"]["Metric"] for query in properties["Metrics"] if "MetricStat" in query
    ]


def _modelled(properties: Mapping[str, Any], metrics: Metrics) -> bool:
    used = _used(properties)
    fixed = alarm_states.supported(properties["ComparisonOperator"]) and "Threshold" in properties
    return (
        bool(used)
        and fixed
        and all((one["Namespace"], one["MetricName"]) in metrics.known for one in used)
    )


def _changes(alarm: Alarm, metrics: Metrics, minutes: int, delay: float) -> list[Change]:
    rule = alarm_states.rule_of(alarm.properties)
    period = max(60, queries.period_of(alarm.properties))
    step = math.ceil(period / 60)
    values = _values(alarm.properties, metrics, minutes // step, step)
    state, found = "OK", []
    for end in range(rule.periods, len(values) + 1):
        window = values[max(0, end - rule.periods - alarm_states.EXTRA_PERIODS) : end]
        new = alarm_states.next_state(rule, window, state)
        if new != state:
            state = new
            found.append(Change(end * period + delay, alarm.resource, state, not alarm.deaf))
    return found


def _values(properties: Mapping[str, Any], metrics: Metrics, length: int, step: int) -> Series:
    def series(metric: Mapping[str, Any], statistic: str) -> Series:
        pairs = ((one["Name"], str(one["Value"])) for one in metric.get("Dimensions", ()))
        key = (metric["Namespace"], metric["MetricName"], tuple(sorted(pairs)))
        by_minute = metrics.values.get(key, {})
        return tuple(
            queries.statistic(
                statistic,
                [
                    value
                    for minute in range(at * step, (at + 1) * step)
                    for value in by_minute.get(minute, ())
                ],
            )
            for at in range(length)
        )

    if "Metrics" not in properties:
        return series(properties, properties.get("ExtendedStatistic") or properties["Statistic"])
    found = queries.evaluate(
        properties["Metrics"],
        lambda query: series(query["MetricStat"]["Metric"], query["MetricStat"]["Stat"]),
        length=length,
        period=step * 60.0,
    )
    chosen = next(query for query in properties["Metrics"] if query.get("ReturnData", True))
    return found[chosen["Id"]]


def _composite(alarm: Alarm, changes: Sequence[Change], names: Mapping[str, str]) -> list[Change]:
    rule = alarm.properties["AlarmRule"]
    states = dict.fromkeys(names.values(), "OK")
    state, found = "OK", []
    for change in changes:
        states[names.get(change.alarm, change.alarm)] = change.state
        new = composite_rules.state(rule, states)
        if new != state:
            state = new
            found.append(Change(change.second, alarm.resource, state, not alarm.deaf))
    return found
