from __future__ import annotations

import json


def deny_without_tls(action, *resources):
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": list(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_a_role_uses_a_bucket_for_tls_alone(aws, unique, create_function):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=unique)
    objects = f"arn:aws:s3:::{unique}/*"
    s3.put_bucket_policy(
        Bucket=unique, Policy=document(deny_without_tls("s3:*", f"arn:aws:s3:::{unique}", objects))
    )
    arn = create_function(
        "import boto3\n"
        "def handler(event, context):\n"
        "    boto3.client('s3').put_object(Bucket=event, Key='a', Body=b'content')\n",
        allowed=[{"Effect": "Allow", "Action": "s3:PutObject", "Resource": objects}],
    )
    answer = aws.client("lambda").invoke(FunctionName=arn, Payload=json.dumps(unique))
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert s3.get_object(Bucket=unique, Key="a")["Body"].read() == b"content"


def test_a_service_delivers_to_a_queue_for_tls_alone(aws, unique, create_queue, receive):
    url, queue = create_queue()
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
    }
    aws.client("sqs").set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": document(allowed, deny_without_tls("sqs:*", queue))}
    )
    sns = aws.client("sns")
    topic = sns.create_topic(Name=unique)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    sns.publish(TopicArn=topic, Message="hello")
    assert json.loads(receive(url)["Body"])["Message"] == "hello"
