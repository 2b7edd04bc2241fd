"""EventBridge rules: which alarm state changes are told, and which set the action going."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Ref, Template, awslambda, events

from monitoring import context, naming

if TYPE_CHECKING:
    from collections.abc import Iterable

RAISED = "AlarmRaisedRule"
CLEARED = "AlarmClearedRule"
ACTION = "ActionRule"
RULES = (RAISED, CLEARED, ACTION)

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
    '"description": <description>, "account": <account>, "region": <region>}'
)
"""The notification: its summary for people, the rest for programs.

EventBridge escapes what it puts in place of a variable that stands outside of quotes; only values
without quotes in them stand inside: a state, a timestamp and the name of an alarm of this project.
"""


def _pattern(names: list[Any], state: dict[str, list[str]]) -> dict[str, Any]:
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": names, **{key: {"value": value} for key, value in state.items()}},
    }
    length = len(json.dumps(pattern, separators=(",", ":")))
    if length > LONGEST_PATTERN:
        raise ValueError(
            f"an event pattern over {len(names)} names takes {length} characters, "
            f"{LONGEST_PATTERN} are allowed: split the rule"
        )
    return pattern


def _owned_by(stage: str, owners: Iterable[str]) -> list[Any]:
    return [{"prefix": f"{naming.alarm_prefix(stage)}{owner}/"} for owner in owners]


def raised_pattern(stage: str, owners: Iterable[str]) -> dict[str, Any]:
    """Return the pattern of an alarm of these services that goes off, whatever it was before."""
    return _pattern(_owned_by(stage, owners), {"state": ["ALARM"]})


def cleared_pattern(stage: str, owners: Iterable[str]) -> dict[str, Any]:
    """Return the pattern of such an alarm that is over. A new alarm's first OK is no news."""
    return _pattern(_owned_by(stage, owners), {"state": ["OK"], "previousState": ["ALARM"]})


def action_pattern(alarm_names: Iterable[str]) -> dict[str, Any]:
    """Return the pattern of exactly these alarms, going off or over.

    Raises ValueError: there are more names than one rule can hold.
    """
    return _pattern(list(alarm_names), {"state": ["ALARM", "OK"]})


def _target(target_id: str, arn: Any, hours: int, **more: Any) -> events.Target:
    return events.Target(
        Id=target_id,
        Arn=arn,
        RetryPolicy=events.RetryPolicy(
            MaximumEventAgeInSeconds=hours * 3600, MaximumRetryAttempts=185
        ),
        DeadLetterConfig=events.DeadLetterConfig(Arn=GetAtt("DeadLetters", "Arn")),
        **more,
    )


def add_notification_rules(template: Template, stage: str, owners: Iterable[str]) -> None:
    """Add the two rules that send a readable message to the topic."""
    owners = tuple(owners)
    for logical_id, description, pattern in (
        (RAISED, "An alarm goes off", raised_pattern(stage, owners)),
        (CLEARED, "An alarm is over", cleared_pattern(stage, owners)),
    ):
        template.add_resource(
            events.Rule(
                logical_id,
                Metadata=context.why(
                    f"Tells people and tools: {description[0].lower()}{description[1:]}"
                ),
                Description=description,
                EventPattern=pattern,
                Targets=[
                    _target(
                        "Topic",
                        Ref("Topic"),
                        24,
                        InputTransformer=events.InputTransformer(
                            InputPathsMap=INPUT_PATHS, InputTemplate=MESSAGE
                        ),
                    )
                ],
                Tags=naming.tags(),
            )
        )


def add_action_rule(template: Template, alarm_names: Iterable[str]) -> None:
    """Add the rule that invokes the action. It tries for an hour: an older alarm is for people."""
    template.add_resource(
        events.Rule(
            ACTION,
            Metadata=context.why("Sets the action going, for exactly the alarms it answers"),
            Description="The error-rate alarm of an asynchronous function changes its state",
            EventPattern=action_pattern(alarm_names),
            Targets=[_target("Action", GetAtt("ActionFunction", "Arn"), 1)],
            Tags=naming.tags(),
        )
    )
    template.add_resource(
        awslambda.Permission(
            "ActionPermission",
            Action="lambda:InvokeFunction",
            FunctionName=Ref("ActionFunction"),
            Principal="events.amazonaws.com",
            SourceAccount=Ref("AWS::AccountId"),
            SourceArn=GetAtt(ACTION, "Arn"),
        )
    )
