from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError


def test_a_bucket_notifies_only_a_function_that_lets_s3_in(
    aws, unique, create_function, metric_sum, eventually
):
    s3 = aws.client("s3")
    arn = create_function("def handler(e, c): return e['Records'][0]['s3']['object']['key']")
    s3.create_bucket(Bucket=unique)
    notification = {
        "Bucket": unique,
        "NotificationConfiguration": {
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    }
    with pytest.raises(ClientError, match="Unable to validate the following destination"):
        s3.put_bucket_notification_configuration(**notification)
    aws.client("lambda").add_permission(
        FunctionName=arn,
        StatementId="bucket",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{unique}",
        SourceAccount="111111111111",
    )
    s3.put_bucket_notification_configuration(**notification)
    s3.put_object(Bucket=unique, Key="new", Body=b"")
    name = arn.rsplit(":", 1)[-1]
    eventually(lambda: metric_sum("AWS/Lambda", "Invocations", FunctionName=name) == 1)
    assert metric_sum("AWS/Lambda", "Errors", FunctionName=name) == 0


def test_a_topic_invokes_only_a_function_that_lets_sns_in(
    aws, unique, create_function, metric_sum, eventually
):
    sns, name = aws.client("sns"), f"topic-{unique}"
    closed = create_function("def handler(e, c): pass")
    opened = create_function("def handler(e, c): pass")
    topic = sns.create_topic(Name=name)["TopicArn"]
    aws.client("lambda").add_permission(
        FunctionName=opened,
        StatementId="topic",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    for function in (closed, opened):
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    sns.publish(TopicArn=topic, Message="hello")

    def invocations(arn):
        return metric_sum("AWS/Lambda", "Invocations", FunctionName=arn.rsplit(":", 1)[-1])

    eventually(lambda: invocations(opened) == 1)
    assert invocations(closed) == 0


def topic_policy(topic, service):
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def key_policy(*services):
    owner = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    users = {
        "Effect": "Allow",
        "Principal": {"Service": list(services)},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
    }
    statements = [owner, users] if services else [owner]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture
def topic_of_an_alarm(aws, unique, create_queue):
    """An encrypted topic, its inbox and an alarm that tells it of its state."""
    sns, kms = aws.client("sns"), aws.client("kms")
    key = kms.create_key(Policy=key_policy())["KeyMetadata"]["KeyId"]
    topic = sns.create_topic(Name=f"alarm-{unique}", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    url, queue = create_queue("sns.amazonaws.com")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=unique,
        MetricName="Nothing",
        Namespace=unique,
        Statistic="Sum",
        Period=86400,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
        AlarmActions=[topic],
    )

    def ring():
        cloudwatch.set_alarm_state(AlarmName=unique, StateValue="OK", StateReason="test")
        cloudwatch.set_alarm_state(AlarmName=unique, StateValue="ALARM", StateReason="test")

    yield topic, key, url, ring
    cloudwatch.delete_alarms(AlarmNames=[unique])


def test_an_alarm_needs_the_topics_policy_and_the_keys(aws, topic_of_an_alarm, receive):
    topic, key, url, ring = topic_of_an_alarm
    sns, kms, sqs = aws.client("sns"), aws.client("kms"), aws.client("sqs")
    service = "cloudwatch.amazonaws.com"

    def set_topic_policy(allowed):
        sns.set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=topic_policy(topic, allowed)
        )

    set_topic_policy(service)
    ring()
    assert "Messages" not in sqs.receive_message(QueueUrl=url), "the key's policy was not asked"
    kms.put_key_policy(KeyId=key, Policy=key_policy(service))
    set_topic_policy("events.amazonaws.com")
    ring()
    assert "Messages" not in sqs.receive_message(QueueUrl=url), "the topic's policy was not asked"
    set_topic_policy(service)
    ring()
    message = json.loads(json.loads(receive(url)["Body"])["Message"])
    assert message["NewStateValue"] == "ALARM"


def log_lines(aws, function):
    client = aws.client("logs")
    groups = client.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{function}")["logGroups"]
    return [
        event
        for group in groups
        for event in client.filter_log_events(logGroupName=group["logGroupName"])["events"]
    ]


@pytest.mark.parametrize("missing", ["logs:CreateLogGroup", "logs:PutLogEvents", None])
def test_a_function_logs_what_its_role_may_log(aws, create_function, missing):
    actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    allowed = [action for action in actions if action != missing]
    arn = create_function(
        "def handler(e, c): print('said')",
        allowed=[{"Effect": "Allow", "Action": allowed, "Resource": "*"}],
    )
    aws.client("lambda").invoke(FunctionName=arn)
    said = [line for line in log_lines(aws, arn.rsplit(":", 1)[-1]) if "said" in line["message"]]
    assert bool(said) == (missing is None)


@pytest.mark.parametrize(
    "missing", ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
)
def test_a_queue_feeds_only_a_function_whose_role_may_take_from_it(
    aws, create_function, create_queue, metric_sum, eventually, missing
):
    client, sqs = aws.client("lambda"), aws.client("sqs")
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    taken = []
    for allowed in (actions, [action for action in actions if action != missing]):
        url, queue = create_queue()
        arn = create_function(
            "def handler(e, c): pass",
            allowed=[{"Effect": "Allow", "Action": allowed, "Resource": queue}],
        )
        client.create_event_source_mapping(FunctionName=arn, EventSourceArn=queue)
        sqs.send_message(QueueUrl=url, MessageBody="x")
        taken.append(arn.rsplit(":", 1)[-1])
    whole, lacking = taken
    eventually(lambda: metric_sum("AWS/Lambda", "Invocations", FunctionName=whole) == 1)
    assert metric_sum("AWS/Lambda", "Invocations", FunctionName=lacking) == 0
