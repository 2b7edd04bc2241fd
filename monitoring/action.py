"""Caps an asynchronous function's concurrency while its error-rate alarm is in ALARM.

This file is the code of a Lambda function; it stays under the 4,096 characters CloudFormation
takes inline. Events arrive twice and out of order, so they only say where to look: what to do
follows from the alarm's state now, and running again changes nothing.
"""

import json
import os
from typing import Any

import boto3

TAG = "monitoring:concurrency-before"
UNRESERVED = "unreserved"
TOLD = {
    "cap": "concurrency capped at {}",
    "restore": "concurrency given back",
    "forget": "concurrency left as someone set it",
    "none": "nothing to do",
}


def decide(state: str, reserved: int | None, before: str | None, cap: int) -> str:
    """Return "cap", "restore", "forget" or "none".

    `state` is the alarm's StateValue. `reserved` is the function's reserved concurrency, None where
    it has none. `before` is what the tag keeps, None where nothing is capped. `cap` is the reserved
    concurrency that a failing function is left with.
    """
    if state == "ALARM":
        return "none" if reserved is not None and reserved <= cap else "cap"
    if state == "OK" and before is not None:
        # Another value than the cap was set by someone since: theirs stays.
        return "restore" if reserved == cap else "forget"
    return "none"


def apply(
    decision: str, client: Any, arn: str, reserved: int | None, before: str | None, cap: int
) -> None:
    """Carry a decision out. The tag is first set and last removed: a crash loses no value."""
    if decision == "cap":
        value = UNRESERVED if reserved is None else str(reserved)
        client.tag_resource(Resource=arn, Tags={TAG: value})
        client.put_function_concurrency(FunctionName=arn, ReservedConcurrentExecutions=cap)
        return
    if decision == "restore":
        if before in (None, UNRESERVED):
            client.delete_function_concurrency(FunctionName=arn)
        else:
            client.put_function_concurrency(
                FunctionName=arn, ReservedConcurrentExecutions=int(before)
            )
    client.untag_resource(Resource=arn, TagKeys=[TAG])


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle one 'CloudWatch Alarm State Change' event and return the record of what was done."""
    alarm = event["detail"]["alarmName"]
    arn = json.loads(os.environ["FUNCTIONS"])[alarm]
    cap = int(os.environ["CONCURRENCY_CAP"])
    dry_run = os.environ["DRY_RUN"] == "true"
    found = boto3.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    if not found:
        raise LookupError(f"the alarm {alarm} is gone: what it capped stays capped")
    state = found[0]["StateValue"]
    credentials = boto3.client("sts").assume_role(
        RoleArn=os.environ["ROLE_ARN"],
        RoleSessionName="monitoring-action",
        ExternalId=os.environ["EXTERNAL_ID"],
    )["Credentials"]
    client = boto3.client(
        "lambda",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    reserved = client.get_function_concurrency(FunctionName=arn).get("ReservedConcurrentExecutions")
    before = client.list_tags(Resource=arn)["Tags"].get(TAG)
    decision = decide(state, reserved, before, cap)
    if decision != "none" and not dry_run:
        apply(decision, client, arn, reserved, before, cap)
    name = arn.rsplit(":", 1)[-1]
    record = {
        "summary": f"{name}: {TOLD[decision].format(cap)}{' (dry run, not done)' * dry_run}",
        "action": decision,
        "dry_run": dry_run,
        "function": arn,
        "alarm": alarm,
        "state": state,
        "reserved_before": reserved,
        "cap": cap,
    }
    print(json.dumps(record))
    if decision != "none":
        boto3.client("sns").publish(TopicArn=os.environ["TOPIC_ARN"], Message=json.dumps(record))
    return record
