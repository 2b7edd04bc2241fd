"""EventBridge targets and buses: permission, asynchronous functions, dead letters, other accounts.

AWS: a rule reaches a target only where the target's resource policy lets EventBridge in. A function
is invoked asynchronously, so Lambda retries it and knows its destinations. An event that cannot be
delivered goes to the target's dead-letter queue with attributes that say why; a missing permission
is not retried. An event may be put on a bus of another account, by a rule or by PutEvents, where
that bus's policy lets the sender in. Sources, Amazon EventBridge user guide: "Using resource-based
policies for Amazon EventBridge",
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html, and "Using
dead-letter queues to process undelivered events in EventBridge",
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html, and "Sending and
receiving events between AWS accounts in Amazon EventBridge",
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html.

MiniStack 1.5.33: asks no policy, runs a function once and drops its failure, and logs an event that
it cannot deliver. It takes a bus's ARN for its name in the caller's own account, and CloudFormation
has no AWS::Events::EventBusPolicy.

The filler: the check before the emulator's own delivery, and the queue after it. Nothing fails for
a while and then succeeds here, so the retry policy of a target has nothing to do. The role of a
target is asked whether it may put events on a bus.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
from ministack.core.responses import (
    get_account_id,
    get_region,
    json_response,
    new_uuid,
    request_scope,
)
from ministack.services import eventbridge, lambda_svc, sns, sqs

from sandbox.gaps import asynchronous, permissions
from sandbox.gaps.resource_types import ResourceType, register

SERVICE = "events.amazonaws.com"

_invoke_target = eventbridge._invoke_target
_put_events = eventbridge._put_events


def install() -> None:
    """Take over how a rule reaches its targets."""
    eventbridge._invoke_target = invoke_target
    eventbridge._dispatch_to_lambda = dispatch_to_lambda
    eventbridge._put_events = put_events
    eventbridge._dispatch_to_event_bus = dispatch_to_event_bus
    register(
        "AWS::Events::EventBusPolicy",
        ResourceType(
            create_bus_policy,
            delete_bus_policy,
            update_bus_policy,
            replaced_by=("EventBusName", "StatementId"),
        ),
    )


def invoke_target(
    target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None
) -> None:
    """Deliver a matched event, or put it into the target's dead-letter queue."""
    problem = undeliverable(target["Arn"], rule["Arn"], target.get("RoleArn"))
    if problem is None:
        _invoke_target(target, event, rule, view)
        return
    eventbridge.logger.warning("rule %s: %s: %s", rule["Name"], target["Arn"], problem)
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue or not sqs.queue_policy_allows(queue, SERVICE, rule["Arn"], get_account_id()):
        return
    view = view or eventbridge._pattern_event_view(event)
    code, text = problem
    values = {
        "RULE_ARN": rule["Arn"],
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": code,
        "ERROR_MESSAGE": text,
    }
    attributes = {
        name: {"DataType": "String", "StringValue": value} for name, value in values.items()
    }
    asynchronous.send_message(queue, json.dumps(view.event_with_detail()), attributes)


def undeliverable(
    target_arn: str, rule_arn: str, role_arn: str | None = None
) -> tuple[str, str] | None:
    """Why a target cannot be reached, as code and message; None where it can be.

    `role_arn` is the role that EventBridge takes on to reach it.
    """
    account = get_account_id()
    service = parse_arn(target_arn).service
    if service == "lambda":
        exists = lambda_svc._get_func_record_for_ref(target_arn)[0] is not None
        allowed = exists and permissions.may_invoke(target_arn, SERVICE, rule_arn, account)
    elif service == "sqs":
        exists = sqs._queue_by_arn(target_arn) is not None
        allowed = exists and sqs.queue_policy_allows(target_arn, SERVICE, rule_arn, account)
    elif service == "sns":
        exists = sns._topic_by_arn_any_scope(target_arn) is not None
        # EventBridge gives a topic's policy and key no source to tell rules apart by.
        allowed = exists and permissions.may_publish(target_arn, SERVICE, "", "")
    elif service == "events":
        exists = bus_exists(target_arn)
        # The rule was matched in this account, with the event's own source.
        allowed = exists and may_put(target_arn, None)
        if allowed and role_arn:
            allowed = permissions.role_allows(role_arn, "events:PutEvents", target_arn)
    else:
        return None
    if not exists:
        return "NO_RESOURCE", "The target does not exist."
    if not allowed:
        return "NO_PERMISSIONS", "EventBridge is not allowed to invoke the target."
    return None


def dispatch_to_lambda(function_arn: str, payload: str) -> None:
    """Invoke a function asynchronously."""
    function, config, _ = lambda_svc._get_func_record_for_ref(function_arn)
    asynchronous.invoke(
        lambda_svc._execution_record_for_config(function, config), json.loads(payload)
    )


def put_events(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
    """PutEvents, with buses of other accounts."""
    entries = data.get("Entries", [])
    away = {
        index: entry
        for index, entry in enumerate(entries)
        if is_elsewhere(entry.get("EventBusName", ""))
    }
    if not away:
        return _put_events(data, allow_aws_source=allow_aws_source)
    here = [entry for index, entry in enumerate(entries) if index not in away]
    results = iter(())
    if here:
        answer = _put_events({**data, "Entries": here}, allow_aws_source=allow_aws_source)
        if answer[0] != 200:
            return answer
        results = iter(json.loads(answer[2])["Entries"])
    document: dict[str, Any] = {}
    document["Entries"] = [
        put_elsewhere(away[index]) if index in away else next(results)
        for index in range(len(entries))
    ]
    document["FailedEntryCount"] = sum("ErrorCode" in entry for entry in document["Entries"])
    return json_response(document)


def put_elsewhere(entry: dict[str, Any]) -> dict[str, str]:
    """Put one entry on a bus of another account; the result as PutEvents answers it."""
    bus = entry["EventBusName"]
    if str(entry.get("Source", "")).startswith("aws."):
        return {
            "ErrorCode": "NotAuthorizedForSourceException",
            "ErrorMessage": "Not authorized for the source.",
        }
    if not may_put(bus, entry.get("Source")):
        # AWS does not tell a bus that is not there from one that refuses.
        return {
            "ErrorCode": "AccessDeniedException",
            "ErrorMessage": f"Not authorized to perform events:PutEvents on resource: {bus}",
        }
    event = {
        "EventId": new_uuid(),
        "Source": entry.get("Source", ""),
        "DetailType": entry.get("DetailType", ""),
        "Detail": entry.get("Detail", "{}"),
        "Time": int(eventbridge._now_ts()),
        "Resources": entry.get("Resources", []),
        "Account": get_account_id(),
        "Region": get_region(),
    }
    dispatch_on(bus, event)
    return {"EventId": event["EventId"]}


def dispatch_to_event_bus(
    spec: Any,
    event: dict[str, Any],
    rule: dict[str, Any],
    event_path: list[str],
    target_input_payload: str | None = None,
) -> None:
    """Hand an event that a rule matched to another bus, of this account or another."""
    bus = f"arn:aws:events:{spec.region}:{spec.account_id}:{spec.resource}"
    rule_key = eventbridge._rule_key(rule.get("Name"), rule.get("EventBusName", "default"))
    if rule_key in event_path:
        eventbridge.logger.warning("EventBridge: recursive dispatch to %s skipped", bus)
        return
    forwarded = {**event, "_DispatchPath": [*event_path, rule_key]}
    if target_input_payload is not None:
        forwarded["Detail"] = target_input_payload
    dispatch_on(bus, forwarded)


def dispatch_on(bus_arn: str, event: dict[str, Any]) -> None:
    """Run an event through the rules of a bus, as its account."""
    bus = parse_arn(bus_arn)
    name = bus.resource.split("/", 1)[1]
    with request_scope(bus.account_id, bus.region):
        arrived = {**event, "EventBusName": name}
        eventbridge._dispatch_event(arrived)
        arrived.pop("_DispatchPath", None)
        eventbridge._archive_event(arrived)


def is_elsewhere(bus: str) -> bool:
    """Whether this is the ARN of a bus of another account."""
    return bus.startswith("arn:") and parse_arn(bus).account_id != get_account_id()


def bus_exists(bus_arn: str) -> bool:
    """Whether there is such a bus."""
    bus = parse_arn(bus_arn)
    with request_scope(bus.account_id, bus.region):
        eventbridge._ensure_default_bus()
        return bus.resource.split("/", 1)[1] in eventbridge._event_buses


def may_put(bus_arn: str, source: str | None) -> bool:
    """Whether the policy of a bus lets the current account put events with that source on it.

    The source of a forwarded event is not known here: None asks for the account alone.
    """
    account, bus = get_account_id(), parse_arn(bus_arn)
    if bus.account_id == account:
        return True
    with request_scope(bus.account_id, bus.region):
        policy = eventbridge._event_bus_policies.get(bus.resource.split("/", 1)[1]) or {}
    statements = policy.get("Statement", [])
    values = {"aws:principalaccount": account}
    if source is None:
        listed = [named_sources(statement) for statement in statements]
        values["events:source"] = next((names[0] for names in listed if names), "")
    else:
        values["events:source"] = source
    context = EvalContext(
        principal_arn=f"arn:aws:iam::{account}:root",
        principal_type="Root",
        principal_account=account,
        action="events:PutEvents",
        resource_arn=bus_arn,
        region=bus.region,
        service_context=values,
    )
    return bool(evaluate_resource_policy(policy, context).decision == "Allow")


def named_sources(statement: dict[str, Any]) -> list[str]:
    """The sources that a statement's conditions name."""
    for condition in (statement.get("Condition") or {}).values():
        for key, value in condition.items():
            if key.lower() == "events:source" and value not in ("true", "false"):
                return list(value) if isinstance(value, list) else [value]
    return []


def create_bus_policy(
    _logical_id: str, properties: dict[str, Any], _stack_name: str
) -> tuple[str, dict[str, Any]]:
    """Add a statement to a bus's policy."""
    name = properties.get("EventBusName") or "default"
    set_statement(name, properties["StatementId"], properties["Statement"])
    return f"{name}|{properties['StatementId']}", {}


def update_bus_policy(physical_id: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Replace the statement."""
    name, _, statement_id = physical_id.partition("|")
    set_statement(name, statement_id, properties["Statement"])
    return {}


def delete_bus_policy(physical_id: str, _properties: dict[str, Any]) -> None:
    """Take the statement out."""
    name, _, statement_id = physical_id.partition("|")
    set_statement(name, statement_id, None)


def set_statement(bus: str, statement_id: str, statement: dict[str, Any] | None) -> None:
    """Put one statement of a bus's policy in the place of the one with that id."""
    policy = eventbridge._event_bus_policies.get(bus) or {"Version": "2012-10-17"}
    kept = [one for one in policy.get("Statement", []) if one.get("Sid") != statement_id]
    added = [] if statement is None else [{**statement, "Sid": statement_id}]
    eventbridge._event_bus_policies[bus] = {**policy, "Statement": kept + added}
