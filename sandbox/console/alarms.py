"""Alarms of both accounts, and how their states changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox import environment
from sandbox.console.clients import client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.emulator import Emulator

LONGEST_HISTORY = 100  # what DescribeAlarmHistory gives in one answer


@dataclass(frozen=True)
class Alarm:
    """A CloudWatch alarm and its state; `since` is in seconds since 1970."""

    account: str
    name: str
    kind: str
    state: str
    reason: str
    since: float | None


@dataclass(frozen=True)
class Change:
    """A change of an alarm's state; `time` is in seconds since 1970."""

    account: str
    alarm: str
    time: float
    old: str
    new: str
    reason: str


def alarms(emulator: Emulator) -> list[Alarm]:
    """Every alarm of both accounts."""
    found = []
    for account in environment.ACCOUNTS.values():
        pages = client(emulator, "cloudwatch", account).get_paginator("describe_alarms")
        for page in pages.paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"]):
            found += [_alarm(account, "metric", alarm) for alarm in page["MetricAlarms"]]
            found += [_alarm(account, "composite", alarm) for alarm in page["CompositeAlarms"]]
    return found


def changes(emulator: Emulator) -> list[Change]:
    """The latest changes of state in both accounts, newest first."""
    found = [one for account in environment.ACCOUNTS.values() for one in _latest(emulator, account)]
    return sorted(found, key=lambda change: change.time, reverse=True)


def _alarm(account: str, kind: str, described: dict[str, Any]) -> Alarm:
    since = described.get("StateUpdatedTimestamp")
    return Alarm(
        account,
        described["AlarmName"],
        kind,
        described["StateValue"],
        described.get("StateReason", ""),
        None if since is None else since.timestamp(),
    )


def _latest(emulator: Emulator, account: str) -> Iterator[Change]:
    history = client(emulator, "cloudwatch", account).describe_alarm_history(
        AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        HistoryItemType="StateUpdate",
        ScanBy="TimestampDescending",
        MaxRecords=LONGEST_HISTORY,
    )
    for item in history["AlarmHistoryItems"]:
        data = json.loads(item["HistoryData"])
        yield Change(
            account,
            item["AlarmName"],
            item["Timestamp"].timestamp(),
            data["oldState"]["stateValue"],
            data["newState"]["stateValue"],
            data["newState"].get("stateReason", ""),
        )
