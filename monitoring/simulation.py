"""What a template's alarms, rules and actions make of metric data, minute by minute.

CloudWatch's part is `monitoring.semantics`: M out of N and missing data, metric math, composite
alarms and their suppressor, event patterns and input transformers, each module with its documents.
The actions' part is their own code, `monitoring.actions`, with a ledger in memory. What an action
would change has no effect on the data.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from monitoring.actions import engine
from monitoring.actions.engine import Limits, Run
from monitoring.actions.entries import Entry, day
from monitoring.actions.outcome import Outcome
from monitoring.semantics import (
    alarm_states,
    composite_rules,
    event_patterns,
    input_transformers,
    queries,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitoring.actions.ledger import Begun
    from monitoring.cloudformation import Document
    from monitoring.semantics.metric_math import Series
    from monitoring.series import Sample

ACTIONS = "${Actions.Arn}"
"""The target of a rule that sets an action going."""


@dataclass(frozen=True)
class Delivery:
    """What one rule hands to one target."""

    rule: str
    target: str
    message: str


@dataclass(frozen=True)
class Change:
    """One alarm's change of state, and everything that follows from it.

    `time` is the end of the period that was evaluated, in the seconds of the data.
    """

    time: float
    alarm: str
    old: str
    new: str
    reason: str
    event: dict[str, Any]
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True)
class Done:
    """What an action did, or would have done."""

    time: float
    record: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """The whole of a simulation.

    `values` has each alarm's data points, by its name, `thresholds` when it goes off, and `units`
    what it counts in.
    """

    start: float
    period: int
    changes: tuple[Change, ...]
    done: tuple[Done, ...]
    values: Mapping[str, Series]
    thresholds: Mapping[str, float]
    units: Mapping[str, str]
    not_simulated: tuple[str, ...]


class MemoryLedger:
    """An actions' ledger that ends with the simulation."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}
        self._spent: dict[tuple[str, int], int] = defaultdict(int)

    def get(self, action: str, target: str) -> Entry | None:
        """Return what is remembered of an action on a target."""
        return self._entries.get((action, target))

    def begin(self, entry: Entry, previous: Entry | None, budget: int) -> Begun:
        """Claim the target and charge the budget, both or neither."""
        if self.get(entry.action, entry.target) != previous:
            return "taken"
        spent = entry.action, day(entry.since)
        if self._spent[spent] >= budget:
            return "over budget"
        self._spent[spent] += 1
        self.put(entry)
        return "begun"

    def put(self, entry: Entry) -> None:
        """Remember what an action has come to."""
        self._entries[entry.action, entry.target] = entry


@dataclass(frozen=True)
class _Would:
    """An action that says what it would do. Whether it helps is what the alarm says."""

    name: str
    target: str

    def prepare(self) -> dict[str, str]:
        return {}

    def perform(self, _remembered: dict[str, str]) -> Outcome:
        return Outcome(self.describe())

    def describe(self) -> str:
        return f"{self.name} begins on {self.target.rsplit(':', 1)[-1]}"

    def review(self, _remembered: dict[str, str], state: str) -> Outcome:
        helped = self.name == "incident" or state == "OK"
        told = f"{self.name} is looked at again: the alarm is in {state}"
        return Outcome(told, done=not helped)

    def finish(self, _remembered: dict[str, str]) -> str:
        return f"{self.name} ends on {self.target.rsplit(':', 1)[-1]}"


def run(document: Document, samples: Sequence[Sample], *, end: float | None = None) -> Result:
    """Simulate a template of the monitoring account, from the first sample to the last.

    Every alarm is OK before the data begins. `end` is until when, in the seconds of the data.

    Raises MetricMathError, AlarmRuleError, KeyError: the template has what is not simulated.
    """
    return _Simulation(document, samples).run(end)


@dataclass
class _Simulation:
    document: Document
    samples: Sequence[Sample]
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    composites: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    previous: dict[str, dict[str, Any]] = field(default_factory=dict)
    released: dict[str, float] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    reviews: list[tuple[float, dict[str, Any], int]] = field(default_factory=list)
    not_simulated: list[str] = field(default_factory=list)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)

    def __post_init__(self) -> None:
        for logical_id, kind, _ in self.document.resources():
            if kind not in (
                "AWS::CloudWatch::Alarm",
                "AWS::CloudWatch::CompositeAlarm",
                "AWS::Events::Rule",
            ):
                continue
            properties = self.document.properties(logical_id)
            if kind == "AWS::Events::Rule":
                if "EventBusName" not in properties:
                    self.rules[logical_id] = properties
                continue
            name = properties["AlarmName"]
            if kind == "AWS::CloudWatch::CompositeAlarm":
                self.composites[name] = properties
            elif alarm_states.supported(properties["ComparisonOperator"]):
                self.metrics[name] = properties
            else:
                self.not_simulated.append(name)
            self.states[name] = "OK"
        self.index: dict[tuple[Any, ...], dict[int, list[float]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self.period = 60
        for sample in self.samples:
            key = (sample.namespace, sample.metric, sample.dimensions)
            self.index[key][math.floor(sample.time / self.period)].append(sample.value)

    def run(self, end: float | None) -> Result:
        first = math.floor(self.samples[0].time / self.period)
        last = math.floor(self.samples[-1].time / self.period)
        if end is not None:
            last = math.ceil(end / self.period) - 1
        rules = {name: alarm_states.rule_of(alarm) for name, alarm in self.metrics.items()}
        extra = max((rule.periods for rule in rules.values()), default=1)
        extra += alarm_states.EXTRA_PERIODS
        length = last - first + 1 + extra
        values = {
            name: self._values(alarm, first - extra, length) for name, alarm in self.metrics.items()
        }
        for number in range(last - first + 1):
            now = float((first + number + 1) * self.period)
            self._review(now)
            for name, rule in rules.items():
                at = extra + number + 1
                window = values[name][at - rule.periods - alarm_states.EXTRA_PERIODS : at]
                new = alarm_states.next_state(rule, window, self.states[name])
                if new != self.states[name]:
                    self._change(now, name, new, alarm_states.reason(rule, window, new))
        return Result(
            start=float(first * self.period),
            period=self.period,
            changes=tuple(self.changes),
            done=tuple(self.done),
            values={name: series[extra:] for name, series in values.items()},
            thresholds={name: rule.threshold for name, rule in rules.items()},
            units={name: _unit(alarm) for name, alarm in self.metrics.items()},
            not_simulated=tuple(sorted(self.not_simulated)),
        )

    def _values(self, alarm: Mapping[str, Any], first: int, length: int) -> Series:
        if queries.period_of(alarm) != self.period:
            raise KeyError(f"{alarm['AlarmName']}: a period other than {self.period} s")
        if "Metrics" not in alarm:
            statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
            return self._metric(alarm, statistic, first, length)
        found = queries.evaluate(
            alarm["Metrics"],
            lambda query: self._metric(
                query["MetricStat"]["Metric"], query["MetricStat"]["Stat"], first, length
            ),
            length=length,
            period=self.period,
        )
        chosen = next(query for query in alarm["Metrics"] if query.get("ReturnData", True))
        return found[chosen["Id"]]

    def _metric(self, metric: Mapping[str, Any], statistic: str, first: int, length: int) -> Series:
        pairs = ((one["Name"], one["Value"]) for one in metric.get("Dimensions", ()))
        key = (metric["Namespace"], metric["MetricName"], tuple(sorted(pairs)))
        periods = self.index.get(key, {})
        return tuple(
            queries.statistic(statistic, periods.get(first + number, ()))
            for number in range(length)
        )

    def _change(self, now: float, name: str, new: str, reason: str) -> None:
        old, self.states[name] = self.states[name], new
        if old == "ALARM":
            self.released[name] = now
        event = self._event(now, name, old, new, reason)
        deliveries = tuple(self._deliveries(event))
        self.changes.append(Change(now, name, old, new, reason, event, deliveries))
        for delivery in deliveries:
            if delivery.target == ACTIONS:
                self._act(now, json.loads(delivery.message))
        for parent, composite in self.composites.items():
            if name not in composite_rules.children(composite["AlarmRule"]):
                continue
            state = composite_rules.state(composite["AlarmRule"], self.states)
            if state != self.states[parent]:
                told = f"{name} transitioned to {new} at {_timestamp(now)}"
                self._change(now, parent, state, told)

    def _event(self, now: float, name: str, old: str, new: str, reason: str) -> dict[str, Any]:
        properties = self.metrics.get(name) or self.composites[name]
        state: dict[str, Any] = {"value": new, "reason": reason, "timestamp": _timestamp(now)}
        suppressor = properties.get("ActionsSuppressor")
        if suppressor:
            by = composite_rules.suppressed_by(
                suppressor=self.states[suppressor],
                changed=now,
                released=self.released.get(suppressor),
                now=now,
                wait=float(properties["ActionsSuppressorWaitPeriod"]),
                extension=float(properties["ActionsSuppressorExtensionPeriod"]),
            )
            if by:
                state["actionsSuppressedBy"] = by
        previous = self.previous.get(name, {"value": old, "timestamp": _timestamp(now)})
        self.previous[name] = state
        return {
            "source": "aws.cloudwatch",
            "detail-type": "CloudWatch Alarm State Change",
            "account": self.document.values.get("AWS::AccountId", ""),
            "region": self.document.values.get("AWS::Region", ""),
            "time": _timestamp(now),
            "detail": {
                "alarmName": name,
                "configuration": {"description": properties["AlarmDescription"]},
                "previousState": previous,
                "state": state,
            },
        }

    def _deliveries(self, event: dict[str, Any]) -> list[Delivery]:
        found = []
        for logical_id, rule in self.rules.items():
            if not event_patterns.matches(rule["EventPattern"], event):
                continue
            for target in rule["Targets"]:
                transformer = target["InputTransformer"]
                message = input_transformers.render(
                    transformer["InputPathsMap"], transformer["InputTemplate"], event
                )
                found.append(Delivery(logical_id, target["Arn"], message))
        return found

    def _act(self, now: float, message: dict[str, Any], since: int | None = None) -> None:
        if message["action"] == "remind":
            left = [name for name in message["alarms"] if self.states[name] == "ALARM"]
            if left:
                summary = f"ALARM after the maintenance window: {', '.join(left)}"
                self.done.append(Done(now, {"action": "remind", "summary": summary}))
            return
        name, alarm = message["action"], message["alarm"]
        target = message.get("function") or message["service"]
        what = Run(name, target, alarm, self.states[alarm], int(now))
        limits = Limits(
            cool_down=int(self.document.value({"Ref": "CoolDownSeconds"})),
            budget=int(self.document.value({"Ref": f"{name.capitalize()}Budget"})),
            patience=int(self.document.value({"Ref": "PatienceSeconds"})),
            dry_run=self.document.value({"Ref": "DryRun"}) == "true",
        )

        def look_again(entry: Entry) -> None:
            self.reviews.append((now + limits.patience, message, entry.since))

        action = _Would(name, target)
        if since is None:
            record = engine.run(what, action, self.ledger, limits, look_again)
        else:
            record = engine.review(what, since, action, self.ledger, limits, look_again)
        if record is not None:
            self.done.append(Done(now, record))

    def _review(self, now: float) -> None:
        due = [review for review in self.reviews if review[0] <= now]
        self.reviews = [review for review in self.reviews if review[0] > now]
        for time, message, since in due:
            self._act(time, message, since)


def _unit(alarm: Mapping[str, Any]) -> str:
    labels = (query.get("Label", "") for query in alarm.get("Metrics", ()) if _is_result(query))
    return str(next(labels, alarm.get("MetricName", "")))


def _is_result(query: Mapping[str, Any]) -> bool:
    return bool(query.get("ReturnData", True))


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
