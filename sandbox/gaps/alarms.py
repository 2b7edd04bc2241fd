"""CloudWatch alarms: evaluation, metric math and the event of a state change.

AWS: an alarm is evaluated once a period over exactly the metric it names, dimensions included, or
over the result of metric math, also with metrics of linked accounts. Missing data and "M out of N"
count as configured, so an alarm goes off and recovers by itself, and every change of state, a
composite alarm's too, is an event on the account's default bus. Sources: Amazon CloudWatch user
guide, "Using Amazon CloudWatch alarms",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html, and "Alarm
events and EventBridge",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html.

MiniStack 1.5.33: evaluates only when a metric is put through the API, over every metric of that
name; it has no metric math, no missing data, no M out of N and no event, and CloudFormation refuses
`Metrics`.

The filler: an engine in a thread, on the pure modules of `monitoring.semantics`. Periods are
divided by the scale given to `install`. Only whole periods count; each is evaluated once, in order,
however late the thread comes to it, and the history says by which periods the state changed:
states follow from the metrics alone, and not from how busy the machine is. Composite alarms follow
their children by the emulator's own code, and are suppressed by `composite_alarms`. Anomaly
detection and alarm actions other than SNS are left out.
"""

from __future__ import annotations

import json
import math
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import cloudwatch, eventbridge
from ministack.services.cloudformation import provisioners

from monitoring.semantics import alarm_states
from monitoring.semantics.alarm_states import EXTRA_PERIODS, Rule, next_state, rule_of, supported
from monitoring.semantics.metric_math import MetricMathError, Series
from monitoring.semantics.queries import evaluate, period_of
from sandbox.gaps import composite_alarms, oam, permissions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Seconds between two looks at whether a period has ended.
TICK = 0.25
# Seconds after its end that a period is evaluated: what is being recorded meanwhile belongs to it.
GRACE = 0.25
# The most periods that are made up for; what is older has no reader any more.
BACKLOG = 100

_put_metric_alarm = cloudwatch._put_metric_alarm
_get_metric_data = cloudwatch._get_metric_data
_dispatch_actions = cloudwatch._dispatch_alarm_actions
_alarm_record = provisioners._cw_metric_alarm_record


@dataclass
class _Memory:
    """What the engine remembers of the alarms, by ARN."""

    evaluated: dict[str, int] = field(default_factory=dict)
    states: dict[str, dict[str, Any]] = field(default_factory=dict)


_memory = _Memory()


def install(*, period_scale: float) -> None:
    """Take over the evaluation of alarms, and start the engine."""
    cloudwatch._evaluate_alarm = leave_to_engine
    cloudwatch._put_metric_alarm = put_metric_alarm
    cloudwatch._get_metric_data = get_metric_data
    cloudwatch._dispatch_alarm_actions = dispatch_actions
    provisioners._cw_metric_alarm_record = alarm_record
    engine = threading.Thread(
        target=run, args=(period_scale,), daemon=True, name="sandbox-alarm-engine"
    )
    engine.start()


def leave_to_engine(_alarm: dict[str, Any]) -> None:
    """What the emulator calls after each PutMetricData and PutMetricAlarm: nothing to do."""


def reset() -> None:
    """Forget what was evaluated."""
    _memory.evaluated.clear()
    _memory.states.clear()


def run(period_scale: float) -> None:
    """Evaluate every alarm whose period has ended, for ever."""
    while True:
        time.sleep(TICK)
        try:
            alarms = list(cloudwatch._alarms.all_items())
        except RuntimeError:
            continue  # an alarm came or went during the copy: look again at the next tick
        now = time.time() - GRACE
        due = [
            (end, (account, region), alarm)
            for (account, region, _), alarm in alarms
            for end in ends_due(alarm, period_scale, now)
        ]
        for end, scope, alarm in sorted(due, key=lambda one: one[0]):
            with request_scope(*scope):
                try:
                    evaluate_at(alarm, period_scale, end)
                except MetricMathError as error:
                    cloudwatch.logger.warning("alarm %s: %s", alarm["AlarmName"], error)
                except Exception:
                    # One alarm that cannot be evaluated must not stop the others.
                    cloudwatch.logger.exception("alarm %s", alarm["AlarmName"])


def ends_due(alarm: dict[str, Any], period_scale: float, now: float) -> list[float]:
    """The ends of the periods that an alarm is to be evaluated for, and was not yet."""
    if not supported(alarm.get("ComparisonOperator") or ""):
        return []
    length = period_of(alarm) / period_scale
    current = math.floor(now / length)
    last = _memory.evaluated.get(alarm["AlarmArn"], current - 1)
    _memory.evaluated[alarm["AlarmArn"]] = current
    return [number * length for number in range(max(last, current - BACKLOG) + 1, current + 1)]


def evaluate_at(alarm: dict[str, Any], period_scale: float, end: float) -> None:
    """Evaluate an alarm as at the end of a period."""
    period = period_of(alarm)
    length = period / period_scale
    rule = rule_of(alarm)
    count = rule.periods + EXTRA_PERIODS
    starts = [end - (count - index) * length for index in range(count)]
    values = values_of(alarm, starts, length, period)
    state = next_state(rule, values, alarm["StateValue"])
    if state != alarm["StateValue"]:
        change_state(alarm, state, rule, dict(zip(starts, values, strict=True)), period)


def values_of(
    alarm: dict[str, Any], starts: Sequence[float], length: float, period: float
) -> Series:
    """The alarm's data points in the periods of `length` seconds that begin at `starts`."""
    queries = alarm.get("Metrics")
    if not queries:
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        return metric_values(get_account_id(), alarm, statistic, starts, length)
    chosen = next(query for query in queries if query.get("ReturnData", True))
    return query_values(queries, starts, length, period)[chosen["Id"]]


def metric_values(
    account: str, metric: dict[str, Any], statistic: str, starts: Sequence[float], length: float
) -> Series:
    """The statistic of one metric in each period; None where it has no data.

    An account that shares no metrics with this one has none to see.
    """
    dimensions = cloudwatch._dims_from_list(metric.get("Dimensions") or [])
    key = (metric["Namespace"], metric["MetricName"], cloudwatch._dims_key(dimensions))
    if not oam.shares_metrics(account, get_account_id(), metric["Namespace"]):
        return (None,) * len(starts)
    points = list(cloudwatch._metrics.get_scoped(account, get_region(), key) or ())
    values: list[float | None] = []
    for start in starts:
        inside = [point for point in points if start <= point["Timestamp"] < start + length]
        statistics = cloudwatch._calc_stats(inside)
        found = cloudwatch._stat_value(statistics, statistic, inside) if statistics else None
        values.append(None if found is None else float(found))
    return tuple(values)


def query_values(
    queries: list[dict[str, Any]], starts: Sequence[float], length: float, period: float
) -> dict[str, Series]:
    """The series of every query by its id. Raises MetricMathError."""

    def metric(query: Mapping[str, Any]) -> Series:
        stat = query["MetricStat"]
        account = query.get("AccountId") or get_account_id()
        return metric_values(account, stat["Metric"], stat["Stat"], starts, length)

    return evaluate(queries, metric, length=len(starts), period=period)


def change_state(
    alarm: dict[str, Any], state: str, rule: Rule, points: Mapping[float, Any], period: float
) -> None:
    """Record the new state, and tell whoever listens; `points` are values by their period's start.

    What was evaluated is told as the event's `reasonData` tells it, "Alarm events and EventBridge".
    """
    values = tuple(points.values())
    reason = alarm_states.reason(rule, values, state)
    old = alarm["StateValue"]
    data = {
        "version": "1.0",
        "queryDate": timestamp(time.time()),
        "startDate": timestamp(min(points)),
        "period": period,
        "recentDatapoints": alarm_states.recent(rule, values),
        "threshold": rule.threshold,
        "evaluatedDatapoints": [
            {"timestamp": timestamp(start)} | ({} if value is None else {"value": value})
            for start, value in reversed(list(points.items()))
        ],
    }
    alarm["StateValue"] = state
    alarm["StateReason"] = reason
    alarm["StateReasonData"] = json.dumps(data)
    alarm["StateUpdatedTimestamp"] = int(time.time())
    cloudwatch._record_history(alarm["AlarmName"], old, state, reason, reason_data=data)
    dispatch_actions(alarm, old, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def dispatch_actions(alarm: dict[str, Any], old_state: str, new_state: str, reason: str) -> None:
    """Put the event of the state change on the default bus, then run the alarm's own actions."""
    composite_alarms.note_release(alarm, old_state, new_state)
    suppression = composite_alarms.suppression(alarm)
    eventbridge._put_events(
        {"Entries": [state_change(alarm, old_state, new_state, reason, suppression)]},
        allow_aws_source=True,
    )
    if suppression:
        return
    _dispatch_actions(alarm | permitted_actions(alarm), old_state, new_state, reason)


def permitted_actions(alarm: dict[str, Any]) -> dict[str, list[str]]:
    """The alarm's actions without the topics that CloudWatch may not publish to."""
    source = (alarm["AlarmArn"], get_account_id())
    return {
        name: [
            action
            for action in alarm.get(name) or []
            if parse_arn(action).service != "sns"
            or permissions.may_publish(action, "cloudwatch.amazonaws.com", *source)
        ]
        for name in ("AlarmActions", "OKActions", "InsufficientDataActions")
    }


def state_change(
    alarm: dict[str, Any],
    old_state: str,
    new_state: str,
    reason: str,
    suppression: dict[str, str],
) -> dict[str, Any]:
    """The event as an entry of PutEvents."""
    now = timestamp(time.time())
    state = {**suppression, "value": new_state, "reason": reason, "timestamp": now}
    if alarm.get("StateReasonData"):
        state["reasonData"] = alarm["StateReasonData"]
    initial = {"value": old_state, "timestamp": state["timestamp"]}
    previous = _memory.states.get(alarm["AlarmArn"], initial)
    _memory.states[alarm["AlarmArn"]] = state
    detail = {
        "alarmName": alarm["AlarmName"],
        "configuration": configuration(alarm),
        "previousState": previous,
        "state": state,
    }
    return {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Detail": json.dumps(detail),
        "Resources": [alarm["AlarmArn"]],
    }


def configuration(alarm: dict[str, Any]) -> dict[str, Any]:
    """What the event says of how the alarm is configured."""
    described = {"description": alarm["AlarmDescription"]} if alarm.get("AlarmDescription") else {}
    if alarm.get("AlarmRule"):
        suppressor = composite_alarms.configuration(alarm)
        return {"alarmRule": alarm["AlarmRule"], **suppressor, **described}
    queries = alarm.get("Metrics")
    if queries:
        return {"metrics": [described_query(query) for query in queries], **described}
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    stat = {"Metric": alarm, "Period": alarm.get("Period"), "Stat": statistic}
    query = {"Id": new_uuid(), "MetricStat": stat, "ReturnData": True}
    return {"metrics": [described_query(query)], **described}


def described_query(query: dict[str, Any]) -> dict[str, Any]:
    """A MetricDataQuery in the spelling of events."""
    described = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    for name, spelling in (("Expression", "expression"), ("Label", "label")):
        if query.get(name):
            described[spelling] = query[name]
    if query.get("AccountId"):
        described["accountId"] = query["AccountId"]
    stat = query.get("MetricStat")
    if stat:
        metric = stat["Metric"]
        described["metricStat"] = {
            "metric": {
                "namespace": metric["Namespace"],
                "name": metric["MetricName"],
                "dimensions": cloudwatch._dims_from_list(metric.get("Dimensions") or []),
            },
            "period": stat["Period"],
            "stat": stat["Stat"],
        }
    return described


def timestamp(seconds: float) -> str:
    """A time in the format of CloudWatch's events."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{moment}.{int(seconds % 1 * 1000):03d}+0000"


def put_metric_alarm(
    params: dict[str, Any], data: dict[str, Any], is_cbor: bool, is_json: bool = False
) -> tuple[int, dict[str, Any], bytes]:
    """PutMetricAlarm, with metric math."""
    response: tuple[int, dict[str, Any], bytes] = _put_metric_alarm(params, data, is_cbor, is_json)
    if response[0] == 200 and data and data.get("Metrics"):
        cloudwatch._alarms[data["AlarmName"]].update(with_queries(data["Metrics"]))
    return response


def alarm_record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """The alarm that the properties of AWS::CloudWatch::Alarm describe."""
    queries = properties.get("Metrics")
    if not queries:
        record: dict[str, Any] = _alarm_record(name, properties)
        return record
    # The emulator's own code wants a metric; `with_queries` takes it away again.
    plain = {key: value for key, value in properties.items() if key != "Metrics"}
    plain |= {"MetricName": "expression", "Namespace": "expression"}
    return dict(_alarm_record(name, plain)) | with_queries(queries)


def with_queries(queries: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields of an alarm on metric math; it has no metric of its own."""
    stored = []
    for given in queries:
        query = {**given, "ReturnData": str(given.get("ReturnData", "true")).lower() == "true"}
        if query.get("MetricStat"):
            stat = query["MetricStat"]
            query["MetricStat"] = {**stat, "Period": int(stat["Period"])}
        if query.get("Period"):
            query["Period"] = int(query["Period"])
        stored.append(query)
    own = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period")
    return {"Metrics": stored, **dict.fromkeys(own)}


def get_metric_data(
    params: dict[str, Any], data: dict[str, Any], is_cbor: bool, is_json: bool = False
) -> tuple[int, dict[str, Any], bytes]:
    """GetMetricData, with metric math and the metrics of linked accounts, in the JSON protocol."""
    queries = (data or {}).get("MetricDataQueries") or []
    extended = any(query.get("Expression") or query.get("AccountId") for query in queries)
    if not extended or not is_json:
        plain: tuple[int, dict[str, Any], bytes] = _get_metric_data(params, data, is_cbor, is_json)
        return plain
    period = period_of({"Metrics": queries})
    first = math.floor(cloudwatch._parse_ts(data["StartTime"]) / period)
    last = math.ceil(cloudwatch._parse_ts(data["EndTime"]) / period)
    starts = [index * period for index in range(first, last)]
    try:
        values = query_values(queries, starts, period, period)
    except MetricMathError as error:
        refused: tuple[int, dict[str, Any], bytes] = cloudwatch._error(
            "ValidationError", str(error), 400, use_json=True
        )
        return refused
    results = []
    for query in queries:
        if query.get("ReturnData", True):
            pairs = zip(starts, values[query["Id"]], strict=True)
            known = [(start, value) for start, value in pairs if value is not None]
            results.append(
                {
                    "Id": query["Id"],
                    "Label": query.get("Label") or query["Id"],
                    "Timestamps": [cloudwatch._ts_iso(start) for start, _ in known],
                    "Values": [value for _, value in known],
                    "StatusCode": "Complete",
                }
            )
    answer: tuple[int, dict[str, Any], bytes]
    answer = cloudwatch._json_ok({"MetricDataResults": results})
    return answer
