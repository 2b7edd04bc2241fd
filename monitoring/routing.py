"""EventBridge rules: which alarm is told to whom, which is kept, and which sets an action going.

    composite alarm of a service, critical ─► topic `critical`
    composite alarm of a service, warning  ─► topic `warning`
    every alarm of the stage               ─► queue `notifications`
    error rate of an asynchronous function ─► actions: cap, and redrive once it is OK again
    critical composite alarm               ─► action: incident note
    end of a maintenance window            ─► action: remind

A composite alarm that its maintenance window suppresses is kept and not told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Ref, Sub, Template, events

from monitoring import alarms, composites, conditions, context, naming

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from monitoring.inventory import Service
    from monitoring.thresholds import Thresholds

RECORD = "RecordRule"

LONGEST_PATTERN = 2048
"""Characters of an event pattern: the quota of a rule.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

INPUT_PATHS = {
    "account": "$.account",
    "alarm": "$.detail.alarmName",
    "description": "$.detail.configuration.description",
    "previous": "$.detail.previousState.value",
    "reason": "$.detail.state.reason",
    "region": "$.region",
    "since": "$.detail.state.timestamp",
    "state": "$.detail.state.value",
}

MESSAGE = (
    '{"summary": "<state> since <since>: <alarm>", "alarm": <alarm>, "state": <state>, '
    '"previous_state": <previous>, "since": <since>, "reason": <reason>, '
    '"description": <description>, "account": <account>, "region": <region>'
)
"""The notification, but for its last members: its summary for people, the rest for programs.

EventBridge escapes what it puts in place of a variable that stands outside of quotes; only values
without quotes in them stand inside: a state, a timestamp and the name of an alarm of this project.
"""


@dataclass(frozen=True)
class Rule:
    """One rule of the default bus, with one target.

    `target` is the logical id of a topic or queue, `hours` how long delivery is tried, `paths` and
    `message` the input transformer.
    """

    logical_id: str
    why: str
    pattern: dict[str, Any]
    target: str
    hours: int
    paths: dict[str, str]
    message: str

    def __post_init__(self) -> None:
        length = len(json.dumps(self.pattern, separators=(",", ":")))
        if length > LONGEST_PATTERN:
            raise ValueError(
                f"the event pattern of {self.logical_id} takes {length} characters, "
                f"{LONGEST_PATTERN} are allowed: split the rule"
            )


def rules(stage: str, services: Sequence[Service], thresholds: Thresholds) -> Iterator[Rule]:
    """Yield every rule on alarms. Raises ValueError: a pattern is longer than AWS takes."""
    yield _record(stage)
    for service in services:
        children = tuple(alarms.of(service, thresholds))
        severities = composites.severities(children)
        for severity in severities:
            yield _told(stage, service, severity)
        if "critical" in severities:
            yield _incident(stage, service)
        if severities:
            yield _reminder(stage, service, severities)
        if service.account == "workload":
            yield from _on_functions(stage, service)


def alarm_pattern(names: Iterable[Any], *more: dict[str, Any], **states: Any) -> dict[str, Any]:
    """Return the pattern of a change of these alarms; `more` are alternatives beside `states`."""
    detail: dict[str, Any] = {"alarmName": list(names), **states}
    if more:
        detail["$or"] = list(more)
    return {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": detail,
    }


# A new alarm's first OK is no news; an alarm that goes off is, whatever it was before.
_RAISED = {"state": {"value": ["ALARM"], "actionsSuppressedBy": [{"exists": False}]}}
_CLEARED = {
    "state": {"value": ["OK"], "actionsSuppressedBy": [{"exists": False}]},
    "previousState": {"value": ["ALARM"]},
}


def _told(stage: str, service: Service, severity: str) -> Rule:
    return Rule(
        naming.logical_id(service.name, severity, "rule"),
        f"Tells that something {severity} in {service.name} began or is over",
        alarm_pattern([naming.composite(stage, service.name, severity)], _RAISED, _CLEARED),
        naming.logical_id(severity, "topic"),
        24,
        INPUT_PATHS,
        f'{MESSAGE}, "severity": "{severity}", "service": "{service.name}", '
        f'"owner": "{service.owner}", "runbook": "${{RunbookUrl}}/service-{service.name}.md"}}',
    )


def _record(stage: str) -> Rule:
    return Rule(
        RECORD,
        "Keeps every change of every alarm, also of those that nobody is told of",
        alarm_pattern([{"prefix": naming.alarm_prefix(stage)}]),
        "Notifications",
        24,
        INPUT_PATHS,
        f"{MESSAGE}}}",
    )


def _incident(stage: str, service: Service) -> Rule:
    return _sets_going(
        naming.logical_id(service.name, "incident", "rule"),
        f"Opens and closes the incident note of {service.name}",
        # Also while suppressed: a note wakes nobody, and maintenance goes wrong as well.
        alarm_pattern(
            [naming.composite(stage, service.name, "critical")], state={"value": ["ALARM", "OK"]}
        ),
        f'{{"action": "incident", "alarm": <alarm>, "service": "{service.name}", '
        f'"runbook": "${{RunbookUrl}}/service-{service.name}.md"}}',
    )


def _reminder(stage: str, service: Service, severities: Sequence[str]) -> Rule:
    names = [naming.composite(stage, service.name, severity) for severity in severities]
    return _sets_going(
        naming.logical_id(service.name, "reminder", "rule"),
        f"Tells what is still in ALARM when a maintenance window of {service.name} is over",
        alarm_pattern(
            [naming.maintenance(stage, service.name)],
            state={"value": ["OK"]},
            previousState={"value": ["ALARM"]},
        ),
        f'{{"action": "remind", "alarm": <alarm>, "service": "{service.name}", '
        f'"alarms": {json.dumps(names)}}}',
    )


def _on_functions(stage: str, service: Service) -> Iterator[Rule]:
    for function in service.functions:
        if not function.asynchronous:
            continue
        name = naming.alarm(stage, service.name, function.key, conditions.ERROR_RATE.name)
        arn = (
            "arn:${AWS::Partition}:lambda:${AWS::Region}:${WorkloadAccountId}:function:"
            f"{function.name}"
        )
        facts = f'"alarm": <alarm>, "service": "{service.name}", "function": "{arn}"'
        yield _sets_going(
            naming.logical_id(service.name, function.key, "cap", "rule"),
            f"Caps {function.name} while it fails, and gives it back",
            alarm_pattern([name], state={"value": ["ALARM", "OK"]}),
            f'{{"action": "cap", {facts}}}',
        )
        queue = service.failures_of(function)
        if queue is None:
            continue
        url = (
            f"https://sqs.${{AWS::Region}}.${{AWS::URLSuffix}}/${{WorkloadAccountId}}/{queue.name}"
        )
        yield _sets_going(
            naming.logical_id(service.name, function.key, "redrive", "rule"),
            f"Sends {function.name} the events again that it failed on, once it has recovered",
            alarm_pattern(
                [name],
                {"state": {"value": ["OK"]}, "previousState": {"value": ["ALARM"]}},
                {"state": {"value": ["ALARM"]}},
            ),
            f'{{"action": "redrive", {facts}, "queue": "{url}"}}',
        )


def _sets_going(logical_id: str, why: str, pattern: dict[str, Any], message: str) -> Rule:
    # For an hour: an older alarm is for people.
    paths = {"alarm": INPUT_PATHS["alarm"]}
    return Rule(logical_id, why, pattern, "Actions", 1, paths, message)


def target(target_id: str, arn: Any, *, hours: int, transformer: Any) -> events.Target:
    """Return a rule's target: delivery is tried for `hours`, then the dead-letter queue has it."""
    return events.Target(
        Id=target_id,
        Arn=arn,
        RetryPolicy=events.RetryPolicy(
            MaximumEventAgeInSeconds=hours * 3600, MaximumRetryAttempts=185
        ),
        DeadLetterConfig=events.DeadLetterConfig(Arn=GetAtt("DeadLetters", "Arn")),
        InputTransformer=transformer,
    )


def add(template: Template, rule: Rule) -> None:
    """Add a rule to the template."""
    is_topic = rule.target.endswith("Topic")
    template.add_resource(
        events.Rule(
            rule.logical_id,
            Metadata=context.why(rule.why),
            Description=rule.why,
            EventPattern=rule.pattern,
            Targets=[
                target(
                    rule.target,
                    Ref(rule.target) if is_topic else GetAtt(rule.target, "Arn"),
                    hours=rule.hours,
                    transformer=events.InputTransformer(
                        InputPathsMap=rule.paths,
                        InputTemplate=Sub(rule.message) if "${" in rule.message else rule.message,
                    ),
                )
            ],
            Tags=naming.tags(),
        )
    )
