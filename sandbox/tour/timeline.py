"""What the alarms of a stage did, and what the simulator says of the same metrics: both in order.

What happened is read as anybody could read it on AWS: from the alarms' history, which says by which
periods an alarm changed, and from the messages that the rules delivered. The simulator gets the
metrics that the alarms read. Changes are compared by the periods they follow from, never by the
clock.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitoring import recording, simulate, simulation
from monitoring.semantics.alarm_states import EXTRA_PERIODS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from monitoring.simulation import Delivery, Result

COMPARED_ACTIONS = ("cap", "incident")
"""The actions that depend on alarms alone; `redrive` asks a queue as well."""


@dataclass(frozen=True)
class Change:
    """One change of an alarm's state.

    `period` is when the last evaluated period began, in seconds since 1970; what a composite alarm
    follows is its children's changes, so it has none.
    """

    alarm: str
    old: str
    new: str
    period: float | None


@dataclass(frozen=True)
class Told:
    """One message of a rule; what is only kept for the record has no severity."""

    alarm: str
    old: str
    new: str
    severity: str | None


@dataclass(frozen=True)
class Timeline:
    """Everything that happened between two moments."""

    changes: tuple[Change, ...]
    told: tuple[Told, ...]
    actions: frozenset[tuple[str, str]]
    """Name and event, such as ("cap", "begin")."""


@dataclass(frozen=True)
class Stage:
    """A stage whose alarm periods pass `faster` times as fast as CloudWatch's.

    `client` gives boto3 clients of the monitoring account, `body` is its template. Compared are
    `alarms` and the composite alarm `composite` over them.
    """

    name: str
    client: Any
    body: Mapping[str, Any]
    workload_account: str
    faster: int
    alarms: tuple[str, ...]
    composite: str
    parameters: Mapping[str, str]

    @property
    def period(self) -> float:
        """The seconds a period takes."""
        return recording.PERIOD / self.faster

    def settled(self, now: float) -> bool:
        """Whether everything is OK, and has been for as long as anything looks back.

        Only from such a moment on can what happens be told from what happened before.
        """
        described = self.client("cloudwatch").describe_alarms(
            AlarmNames=[*self.alarms, self.composite], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        found = [*described["MetricAlarms"], *described["CompositeAlarms"]]
        changed = [item["Timestamp"].timestamp() for _, item in self._history()]
        last = max(changed, default=0.0)
        return (
            all(alarm["StateValue"] == "OK" for alarm in found)
            and last < now - self.period * _SETTLED
        )

    def recorded_from(self, start: float) -> float:
        """From when on the metrics are recorded: what alarms look back to at `start` is in it."""
        return start - self.period * (_LONGEST + EXTRA_PERIODS)

    def simulated(self, start: float, end: float) -> tuple[Timeline, Result]:
        """What the simulator says of the time from `start` to `end`, beginnings of periods.

        What alarms look back to is recorded too.
        """
        document = simulate.document(
            self.body,
            self.name,
            {"WorkloadAccountId": self.workload_account, **self.parameters},
        )
        before = self.recorded_from(start)
        samples = recording.record(
            self.client("cloudwatch"),
            document,
            before,
            end,
            alarms=self.alarms,
            faster=self.faster,
        )
        clock = recording.FastClock(before, self.faster)
        result = simulation.run(document, samples, end=clock.stretched(end))
        changes, told = [], []
        for change in result.changes:
            period = clock.shrunk(change.time) - self.period
            compared = change.alarm in self.alarms
            if (compared or change.alarm == self.composite) and period >= start:
                changes.append(
                    Change(change.alarm, change.old, change.new, period if compared else None)
                )
                told += [_told(delivery) for delivery in change.deliveries if _tells(delivery)]
        actions = frozenset(
            (done.record["action"], done.record["event"])
            for done in result.done
            if done.record["action"] in COMPARED_ACTIONS and clock.shrunk(done.time) > start
        )
        return Timeline(tuple(changes), tuple(told), actions), result

    def observed(self, start: float, end: float, messages: Iterable[Mapping[str, Any]]) -> Timeline:
        """What happened by the periods from `start` to `end`; `messages` are what was delivered.

        Composite alarms and messages have no period: those of later periods are in it too.
        """
        changes = []
        # What follows from the first period comes when that is over.
        first = start + self.period
        for alarm, item in self._history():
            data = json.loads(item["HistoryData"])
            period = _period(data["newState"].get("stateReasonData", {}))
            later = item["Timestamp"].timestamp() >= first if period is None else period >= start
            if later and (period is None or period < end):
                states = data["oldState"]["stateValue"], data["newState"]["stateValue"]
                changes.append(Change(alarm, *states, period))
        compared = {*self.alarms, self.composite}
        delivered = [one for one in messages if _moment(one.get("since"), first) >= first]
        return Timeline(
            tuple(changes),
            tuple(
                _told_by(one)
                for one in delivered
                if one.get("alarm") in compared and "previous_state" in one
            ),
            frozenset(
                (one["action"], one["event"])
                for one in delivered
                if one.get("action") in COMPARED_ACTIONS
            ),
        )

    def _history(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each alarm's changes of state, oldest first."""
        pages_of = self.client("cloudwatch").get_paginator("describe_alarm_history")
        for alarm in (*self.alarms, self.composite):
            for page in pages_of.paginate(
                AlarmName=alarm,
                AlarmTypes=["MetricAlarm", "CompositeAlarm"],
                HistoryItemType="StateUpdate",
                ScanBy="TimestampAscending",
            ):
                for item in page["AlarmHistoryItems"]:
                    yield alarm, item


# The longest look back of the alarms here is 10 periods; their states depend on nothing before it.
_LONGEST = 10
# Critical ones look back three periods, and two more where data is missing.
_SETTLED = 5


def missing(observed: Timeline, simulated: Timeline) -> str | None:
    """What the simulator says and did not happen, or not yet; None where there is nothing."""
    for alarm in {change.alarm for change in simulated.changes}:
        said = [change for change in simulated.changes if change.alarm == alarm]
        seen = [change for change in observed.changes if change.alarm == alarm]
        if seen[: len(said)] != said:
            return f"{alarm}: simulated {said}, seen {seen}"
    if untold := Counter(simulated.told) - Counter(observed.told):
        return f"not told: {list(untold)}"
    if undone := simulated.actions - observed.actions:
        return f"not done: {sorted(undone)}"
    return None


def unexpected(observed: Timeline, simulated: Timeline) -> str | None:
    """What happened and the simulator does not say; None where there is nothing."""
    said = Counter(change for change in simulated.changes if change.period is not None)
    seen = Counter(change for change in observed.changes if change.period is not None)
    if more := seen - said:
        return f"not simulated: {list(more)}"
    began = {action for action in observed.actions if action[1] != "finish"}
    if done := began - simulated.actions:
        return f"not simulated: {sorted(done)}"
    return None


def lines(result: Result, stage: Stage, start: float) -> list[str]:
    """The simulator's timeline from `start` on, in CloudWatch's minutes."""
    clock = recording.FastClock(stage.recorded_from(start), stage.faster)
    first = clock.stretched(start)
    told = []
    for entry in simulate.timeline(result):
        if entry["time"] <= first:
            continue
        minute = f"minute {(entry['time'] - first) / recording.PERIOD:.0f}"
        if "done" in entry:
            done = entry["done"]
            told.append(f"{minute}: action {done['action']}: {done.get('event', 'remind')}")
        elif entry["alarm"] in (*stage.alarms, stage.composite):
            name = entry["alarm"].split("/", 1)[1]
            told.append(f"{minute}: {name}: {entry['previous']} -> {entry['state']}")
            told += [
                f"    {rule['rule']} -> {rule['target'].strip('${}').removesuffix('.Arn')}"
                for rule in entry["rules"]
            ]
    return told


def _tells(delivery: Delivery) -> bool:
    return delivery.target != simulation.ACTIONS


def _told(delivery: Delivery) -> Told:
    return _told_by(json.loads(delivery.message))


def _told_by(message: Mapping[str, Any]) -> Told:
    return Told(
        message["alarm"], message["previous_state"], message["state"], message.get("severity")
    )


def _period(reason_data: Mapping[str, Any]) -> float | None:
    points = reason_data.get("evaluatedDatapoints")
    return None if not points else max(_moment(point["timestamp"], 0) for point in points)


def _moment(text: str | float | None, otherwise: float) -> float:
    """A moment of an event, or of an action's record, in seconds since 1970."""
    if text is None:
        return otherwise
    if isinstance(text, str):
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    return float(text)
