from __future__ import annotations

import json

FAILS = "def handler(event, context): raise ValueError('always')"


def may_send(arn):
    return [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}]


def test_a_failed_event_is_tried_three_times_and_recorded(
    aws, create_function, create_queue, receive, metric_sum
):
    url, queue = create_queue()
    arn = create_function(FAILS, allowed=may_send(queue))
    client = aws.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName=arn, DestinationConfig={"OnFailure": {"Destination": queue}}
    )
    client.invoke(FunctionName=arn, InvocationType="Event", Payload='{"number": 7}')
    record = json.loads(receive(url)["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"] == {"number": 7}
    assert record["responsePayload"]["errorType"] == "ValueError"
    name = arn.rsplit(":", 1)[-1]
    assert metric_sum("AWS/Lambda", "Errors", FunctionName=name) == 3
    assert metric_sum("AWS/Lambda", "AsyncEventsDropped", FunctionName=name) == 1


def test_a_dead_letter_queue_gets_the_event_itself(aws, create_function, create_queue, receive):
    url, queue = create_queue()
    arn = create_function(FAILS, allowed=may_send(queue), DeadLetterConfig={"TargetArn": queue})
    client = aws.client("lambda")
    client.put_function_event_invoke_config(FunctionName=arn, MaximumRetryAttempts=0)
    client.invoke(FunctionName=arn, InvocationType="Event", Payload='{"number": 8}')
    message = receive(url)
    assert json.loads(message["Body"]) == {"number": 8}
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "always"


def test_a_success_goes_to_its_destination(aws, create_function, create_queue, receive):
    url, queue = create_queue()
    arn = create_function("def handler(e, c): return 'done'", allowed=may_send(queue))
    client = aws.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName=arn, DestinationConfig={"OnSuccess": {"Destination": queue}}
    )
    client.invoke(FunctionName=arn, InvocationType="Event", Payload="{}")
    record = json.loads(receive(url)["Body"])
    assert (record["requestContext"]["condition"], record["responsePayload"]) == ("Success", "done")


def test_a_throttled_event_waits_without_using_up_a_retry(
    aws, create_function, create_queue, receive, metric_sum, eventually
):
    url, queue = create_queue()
    arn = create_function("def handler(e, c): return e", allowed=may_send(queue))
    name = arn.rsplit(":", 1)[-1]
    client = aws.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName=arn,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnSuccess": {"Destination": queue}},
    )
    client.put_function_concurrency(FunctionName=arn, ReservedConcurrentExecutions=0)
    client.invoke(FunctionName=arn, InvocationType="Event", Payload='"late"')
    eventually(lambda: metric_sum("AWS/Lambda", "Throttles", FunctionName=name) >= 1)
    client.delete_function_concurrency(FunctionName=arn)
    assert json.loads(receive(url)["Body"])["responsePayload"] == "late"


def test_a_role_without_the_right_delivers_nothing(
    aws, create_function, create_queue, metric_sum, eventually
):
    url, queue = create_queue()
    arn = create_function(FAILS)
    name = arn.rsplit(":", 1)[-1]
    client = aws.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName=arn,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    client.invoke(FunctionName=arn, InvocationType="Event", Payload="{}")
    failures = ("AWS/Lambda", "DestinationDeliveryFailures")
    eventually(lambda: metric_sum(*failures, FunctionName=name) == 1)
    assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=url)
