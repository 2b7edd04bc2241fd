"""The data points of an alarm: statistics of samples, and the queries built on them.

Sources, Amazon CloudWatch user guide: "CloudWatch statistics definitions",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html, and API
reference, MetricDataQuery. How CloudWatch interpolates a percentile is not documented; here it is
linear between the two nearest samples.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from monitoring.semantics import metric_math
from monitoring.semantics.metric_math import MetricMathError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitoring.semantics.metric_math import Series

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")


def statistic(name: str, values: Sequence[float]) -> float | None:
    """The statistic of the samples of one period; None where there are none.

    Raises MetricMathError: the statistic is none of Sum, Average, Minimum, Maximum, SampleCount
    and a percentile such as p99.
    """
    if not values:
        return None
    match name:
        case "Sum":
            return math.fsum(values)
        case "Average":
            return math.fsum(values) / len(values)
        case "Minimum":
            return min(values)
        case "Maximum":
            return max(values)
        case "SampleCount":
            return float(len(values))
    found = _PERCENTILE.fullmatch(name)
    if found is None:
        raise MetricMathError(f"the statistic {name!r} is not supported")
    ordered = sorted(values)
    at = (len(ordered) - 1) * float(found[1]) / 100
    low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
    return low + (high - low) * (at - math.floor(at))


def period_of(alarm: Mapping[str, Any]) -> int:
    """The period of an alarm in seconds; of metric math, the longest of its metrics."""
    queries = alarm.get("Metrics") or []
    periods = [(query.get("MetricStat") or query).get("Period") for query in queries]
    return max((int(period) for period in periods if period), default=alarm.get("Period") or 60)


def evaluate(
    queries: Sequence[Mapping[str, Any]],
    metric: Callable[[Mapping[str, Any]], Series],
    *,
    length: int,
    period: float,
) -> dict[str, Series]:
    """The series of every query by its id.

    Args:
        queries: MetricDataQuery structures.
        metric: gives the series, of `length` values, of a query that has a MetricStat.
        length: the number of periods.
        period: the length of a period in seconds.

    Raises MetricMathError.

    """
    values: dict[str, Series] = {}
    waiting = {}
    for query in queries:
        if query.get("Expression"):
            waiting[query["Id"]] = query["Expression"]
        else:
            values[query["Id"]] = metric(query)
    while waiting:
        ready = [name for name, text in waiting.items() if metric_math.names(text) <= set(values)]
        if not ready:
            raise MetricMathError(f"{', '.join(waiting)} refer to no query or to each other")
        for name in ready:
            values[name] = metric_math.evaluate(
                waiting.pop(name), values, length=length, period=period
            )
    return values
