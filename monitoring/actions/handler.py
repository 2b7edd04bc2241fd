"""The Lambda function: one message of the actions' queue is one alarm's change, or a second look.

A message is either what a rule makes of an event, `{"action", "alarm", …}`, or that with `since`
added, which the function sends itself to look again. What fails stays in the queue, is tried again
and ends in the dead-letter queue: nothing is lost when this function, or what it calls, is
throttled.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from . import engine
from .cap import Cap
from .engine import Limits, Run
from .entries import step
from .incident import Incident
from .ledger import Ledger
from .redrive import Redrive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .engine import Action
    from .entries import Entry

LONGEST_DELAY = 900
"""Seconds that SQS can keep a message back."""


_NOTHING_TO_DO = ("nothing", "cooling")


@cache
def _client(service: str) -> Any:
    """A client of this account; making one takes longer than most of its calls."""
    return boto3.client(service)


@dataclass(frozen=True)
class Settings:
    """The function's settings, from its environment."""

    role_arn: str
    external_id: str
    topic_arn: str
    queue_url: str
    table: str
    dry_run: bool
    concurrency_cap: int
    redrive_batch: int
    cool_down: int
    patience: int
    budgets: Mapping[str, int]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read them. Raises KeyError or ValueError: one is missing or wrong."""
        return cls(
            role_arn=environment["ROLE_ARN"],
            external_id=environment["EXTERNAL_ID"],
            topic_arn=environment["TOPIC_ARN"],
            queue_url=environment["QUEUE_URL"],
            table=environment["TABLE"],
            dry_run=environment["DRY_RUN"] == "true",
            concurrency_cap=int(environment["CONCURRENCY_CAP"]),
            redrive_batch=int(environment["REDRIVE_BATCH"]),
            cool_down=int(environment["COOL_DOWN_SECONDS"]),
            patience=min(int(environment["PATIENCE_SECONDS"]), LONGEST_DELAY),
            budgets={
                name: int(environment[f"{name.upper()}_BUDGET"])
                for name in ("cap", "incident", "redrive")
            },
        )


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle a batch of messages; the answer names those to try again."""
    settings = Settings.from_environment(os.environ)
    failed = []
    for record in event["Records"]:
        try:
            handle(json.loads(record["body"]), settings)
        except Exception as error:  # the others of the batch are not to suffer for it
            print(json.dumps({"failed": record["body"], "error": repr(error)}))
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def handle(message: dict[str, Any], settings: Settings) -> dict[str, Any] | None:
    """Handle one message and return the record of what was done, None: nothing.

    Raises LookupError: the alarm is gone, so nothing says how things are.
    """
    if message["action"] == "remind":
        return _remind(message, settings)
    name, alarm = message["action"], message["alarm"]
    found = _alarm(alarm)
    target = message.get("function") or message["service"]
    what = Run(name, target, alarm, found["StateValue"], int(time.time()))
    ledger = Ledger(_client("dynamodb"), settings.table)
    # Most of a storm's messages end here, before the workload account is asked for anything.
    entry = ledger.get(name, target)
    if "since" not in message and step(name, what.state, entry, what.now) in _NOTHING_TO_DO:
        return None
    limits = Limits(settings.cool_down, settings.budgets[name], settings.patience, settings.dry_run)

    def look_again(entry: Entry) -> None:
        _client("sqs").send_message(
            QueueUrl=settings.queue_url,
            DelaySeconds=settings.patience,
            MessageBody=json.dumps({**message, "since": entry.since}),
        )

    action = _action(message, settings, found["StateReason"])
    if "since" in message:
        record = engine.review(what, message["since"], action, ledger, limits, look_again)
    else:
        record = engine.run(what, action, ledger, limits, look_again)
    if record is not None:
        record["service"] = message["service"]
        _keep(record, message["service"], ledger, settings)
    return record


def _action(message: dict[str, Any], settings: Settings, reason: str) -> Action:
    if message["action"] == "incident":
        return Incident(message["service"], reason, message["runbook"])
    clients = _workload_clients(settings)
    if message["action"] == "cap":
        return Cap(clients("lambda"), message["function"], settings.concurrency_cap)
    return Redrive(
        clients("lambda"),
        clients("sqs"),
        function=message["function"],
        queue=message["queue"],
        batch=settings.redrive_batch,
    )


def _alarm(name: str) -> dict[str, Any]:
    answer = _client("cloudwatch").describe_alarms(
        AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    found: list[dict[str, Any]] = answer["MetricAlarms"] + answer["CompositeAlarms"]
    if not found:
        raise LookupError(f"the alarm {name} is gone: what was done for it stays")
    return found[0]


def _workload_clients(settings: Settings) -> Any:
    credentials = _client("sts").assume_role(
        RoleArn=settings.role_arn,
        RoleSessionName="monitoring-action",
        ExternalId=settings.external_id,
    )["Credentials"]

    def client(service: str) -> Any:
        return boto3.client(
            service,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )

    return client


def _keep(record: dict[str, Any], service: str, ledger: Ledger, settings: Settings) -> None:
    """Record it, add it to the service's open incident, and tell."""
    line = json.dumps(record)
    print(line)
    ledger.record(record, f"{record['action']}#{record['target']}", record["at"])
    incident = record if record["action"] == "incident" else None
    opened = ledger.get("incident", service)
    if incident or (opened and opened.status == "active"):
        since = incident["since"] if incident else opened.since if opened else 0
        ledger.note(f"{service}#{since}", f"{record['at']} {record['summary']}", record["at"])
    _client("sns").publish(TopicArn=settings.topic_arn, Message=line)


def _remind(message: dict[str, Any], settings: Settings) -> dict[str, Any] | None:
    """A maintenance window is over: tell what is still in ALARM, as nothing else will."""
    found = _client("cloudwatch").describe_alarms(
        AlarmNames=message["alarms"], AlarmTypes=["CompositeAlarm"], StateValue="ALARM"
    )["CompositeAlarms"]
    if not found:
        return None
    names = ", ".join(alarm["AlarmName"] for alarm in found)
    record = {
        "summary": f"ALARM after the maintenance window of {message['service']}: {names}",
        "action": "remind",
        "service": message["service"],
        "alarms": [alarm["AlarmName"] for alarm in found],
        "reason": found[0]["StateReason"],
        "description": found[0].get("AlarmDescription", ""),
    }
    print(json.dumps(record))
    _client("sns").publish(TopicArn=settings.topic_arn, Message=json.dumps(record))
    return record
