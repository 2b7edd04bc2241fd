"""The state of a CloudWatch alarm after a window of data points: plain values in and out.

Sources, Amazon CloudWatch user guide: "Using Amazon CloudWatch alarms", section "Evaluating an
alarm", and "Configuring how CloudWatch alarms treat missing data",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# CloudWatch looks back further than the evaluation periods, to find older data for missing points.
# How far is not documented; its own examples look back two periods more.
EXTRA_PERIODS = 2

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True)
class Rule:
    """When an alarm goes off: `datapoints` of the last `periods` are beyond `threshold`.

    `missing` is what TreatMissingData says: missing, ignore, breaching or notBreaching.
    """

    comparison: str
    threshold: float
    periods: int
    datapoints: int
    missing: str

    def breaches(self, value: float) -> bool:
        """Whether one data point is beyond the threshold."""
        return _OPERATORS[self.comparison](value, self.threshold)


def supported(comparison: str) -> bool:
    """Whether this is a comparison with a fixed threshold, not one of anomaly detection."""
    return comparison in _OPERATORS


def rule_of(alarm: Mapping[str, Any]) -> Rule:
    """When an alarm goes off, from its properties or as DescribeAlarms gives it."""
    periods = int(alarm["EvaluationPeriods"])
    return Rule(
        comparison=alarm["ComparisonOperator"],
        threshold=float(alarm["Threshold"]),
        periods=periods,
        datapoints=int(alarm.get("DatapointsToAlarm") or periods),
        missing=alarm.get("TreatMissingData") or "missing",
    )


def reason(rule: Rule, values: Sequence[float | None], state: str) -> str:
    """The reason of a change to that state after the evaluation range `values`."""
    known = recent(rule, values)
    if not known:
        return (
            f"Threshold Crossed: no datapoints were received for {rule.periods} periods, "
            f"and {rule.periods} missing datapoints were treated as [{rule.missing}]."
        )
    breaching = sum(rule.breaches(value) for value in known)
    return (
        f"Threshold Crossed: {breaching} out of the last {rule.periods} datapoints {known} "
        f"{'were' if state == 'ALARM' else 'were not'} {rule.comparison} {rule.threshold} "
        f"(minimum {rule.datapoints} datapoints for OK -> ALARM transition)."
    )


def recent(rule: Rule, values: Sequence[float | None]) -> list[float]:
    """The last data points there are, as many as count, rounded to be read."""
    return [round(value, 4) for value in values if value is not None][-rule.periods :]


def next_state(rule: Rule, values: Sequence[float | None], current: str) -> str:
    """The state after the evaluation range `values`, oldest first, None for missing data.

    Real data always comes first, however old within the range. Only where it is less than
    `rule.periods` points does the treatment of missing data count.
    """
    breaches = [None if value is None else rule.breaches(value) for value in values]
    known = [breach for breach in breaches if breach is not None]
    if len(known) >= rule.periods:
        return _alarm_if(sum(known[-rule.periods :]) >= rule.datapoints)
    if rule.missing == "breaching":
        return _alarm_if(sum(known) + rule.periods - len(known) >= rule.datapoints)
    if rule.missing == "notBreaching":
        return _alarm_if(sum(known) >= rule.datapoints)
    if not known:
        return current if rule.missing == "ignore" else "INSUFFICIENT_DATA"
    if sum(known) >= rule.datapoints:
        return "ALARM"
    if all(known):
        # Every point there is breaches: an alarm once the oldest is as old as it would have to be.
        age = len(breaches) - breaches.index(True)
        return "ALARM" if age >= rule.datapoints and rule.missing == "missing" else current
    return "OK"


def _alarm_if(breaching: bool) -> str:
    return "ALARM" if breaching else "OK"
