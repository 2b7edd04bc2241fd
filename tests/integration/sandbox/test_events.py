from __future__ import annotations

import json

import pytest


@pytest.fixture
def put_rule(aws, unique):
    """Creates a rule on this test's events with one target, and a way to put such an event."""
    events = aws.client("events")
    names = []

    def create(**target):
        name = f"rule-{unique}-{len(names)}"
        arn = events.put_rule(Name=name, EventPattern=json.dumps({"source": [unique]}))["RuleArn"]
        names.append(name)
        events.put_targets(Rule=name, Targets=[{"Id": "target", **target}])
        return arn

    def put(detail):
        entry = {"Source": unique, "DetailType": "test", "Detail": json.dumps(detail)}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    yield create, put
    for name in names:
        events.remove_targets(Rule=name, Ids=["target"])
        events.delete_rule(Name=name)


def test_an_event_without_permission_goes_to_the_dead_letter_queue(put_rule, create_queue, receive):
    create, put = put_rule
    _, closed = create_queue()
    url, letters = create_queue("events.amazonaws.com")
    rule = create(Arn=closed, DeadLetterConfig={"Arn": letters})
    put({"number": 1})
    message = receive(url)
    assert json.loads(message["Body"])["detail"] == {"number": 1}
    attributes = {k: v["StringValue"] for k, v in message["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
    assert (attributes["RULE_ARN"], attributes["TARGET_ARN"]) == (rule, closed)


def test_a_function_is_invoked_where_its_policy_allows_and_retried(
    aws, put_rule, create_function, create_queue, receive, metric_sum
):
    create, put = put_rule
    url, letters = create_queue("events.amazonaws.com")
    failures, failure_queue = create_queue()
    arn = create_function(
        "def handler(event, context): raise ValueError(event['detail']['number'])",
        allowed=[{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": failure_queue}],
    )
    rule = create(Arn=arn, DeadLetterConfig={"Arn": letters})
    put({"number": 1})
    assert receive(url)["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    client = aws.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName=arn,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": failure_queue}},
    )
    client.add_permission(
        FunctionName=arn,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    put({"number": 2})
    record = json.loads(receive(failures)["Body"])
    assert record["requestPayload"]["detail"] == {"number": 2}
    assert record["requestContext"]["approximateInvokeCount"] == 2
    name = arn.rsplit(":", 1)[-1]
    assert metric_sum("AWS/Lambda", "Invocations", FunctionName=name) == 2


def test_a_target_that_is_gone_goes_to_the_dead_letter_queue(put_rule, create_queue, receive):
    create, put = put_rule
    url, letters = create_queue("events.amazonaws.com")
    create(Arn="arn:aws:sns:us-east-1:111111111111:nowhere", DeadLetterConfig={"Arn": letters})
    put({})
    assert receive(url)["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
