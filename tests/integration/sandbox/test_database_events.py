"""RDS's events reach the topics that are subscribed to them, where RDS may publish."""

from __future__ import annotations

import json
import time

import pytest
from botocore.exceptions import WaiterError
from troposphere import GetAtt, Output, Parameter, Ref, Template, kms, rds, sns

ACCOUNT = "111111111111"
RDS = {"Service": "events.rds.amazonaws.com"}
SOURCE = {
    "StringEquals": {"aws:SourceAccount": ACCOUNT},
    "ArnLike": {"aws:SourceArn": GetAtt("Database", "DBInstanceArn")},
}


def statement(principal, action, resource, **more):
    return {
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": resource,
        **more,
    }


def template(*, publisher=RDS, source=SOURCE, user=RDS, **subscription):
    """A database, an encrypted topic that hears of it, and who may publish and use the key."""
    built = Template()
    queue = built.add_parameter(Parameter("Queue", Type="String"))
    owner = statement({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "kms:*", "*")
    use = statement(
        user,
        ["kms:Decrypt", "kms:GenerateDataKey"],
        "*",
        Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    )
    key = built.add_resource(
        kms.Key("Key", KeyPolicy={"Version": "2012-10-17", "Statement": [owner, use]})
    )
    topic = built.add_resource(sns.Topic("Alerts", KmsMasterKeyId=GetAtt(key, "Arn")))
    built.add_resource(
        sns.SubscriptionResource(
            "ToTheQueue", TopicArn=Ref(topic), Protocol="sqs", Endpoint=Ref(queue)
        )
    )
    built.add_resource(
        rds.DBInstance(
            "Database",
            Engine="mysql",  # a record: nothing has to start
            DBInstanceClass="db.t4g.medium",
            AllocatedStorage="20",
            MasterUsername="keeper",
            MasterUserPassword="not-a-secret",
            MultiAZ=True,
        )
    )
    built.add_resource(
        sns.TopicPolicy(
            "Policy",
            Topics=[Ref(topic)],
            PolicyDocument={
                "Version": "2012-10-17",
                "Statement": [statement(publisher, "sns:Publish", Ref(topic), Condition=source)],
            },
        )
    )
    built.add_resource(
        rds.EventSubscription(
            "Events",
            DependsOn="Policy",
            **{
                "SnsTopicArn": Ref(topic),
                "SourceType": "db-instance",
                "SourceIds": [Ref("Database")],
                **subscription,
            },
        )
    )
    built.add_output(Output("Instance", Value=Ref("Database")))
    return built


@pytest.fixture
def told(aws, create_queue, deploy_stack, unique):
    """Deploys a template, lets its database fail over, and gives the events that arrived."""

    def run(built):
        url, arn = create_queue("sns.amazonaws.com")
        outputs = deploy_stack(f"events-{unique}", built, {"Queue": arn})
        client = aws.client("rds")
        client.reboot_db_instance(DBInstanceIdentifier=outputs["Instance"], ForceFailover=True)
        deadline = time.monotonic() + 30
        # The emulator's own event is the last of them.
        while not client.describe_events(
            SourceType="db-instance",
            SourceIdentifier=outputs["Instance"],
            EventCategories=["availability"],
        )["Events"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        found = []
        while (
            messages := aws.client("sqs")
            .receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            .get("Messages")
        ):
            for message in messages:
                aws.client("sqs").delete_message(
                    QueueUrl=url, ReceiptHandle=message["ReceiptHandle"]
                )
                found.append(json.loads(json.loads(message["Body"])["Message"]))
        assert {event["Source ID"] for event in found} <= {outputs["Instance"]}
        return sorted(event["Event ID"].rpartition("#")[2] for event in found)

    return run


STARTED, COMPLETED, RESTARTED = "RDS-EVENT-0013", "RDS-EVENT-0049", "RDS-EVENT-0006"


@pytest.mark.parametrize(
    ("subscription", "expected"),
    [
        ({}, [RESTARTED, STARTED, COMPLETED]),
        ({"EventCategories": ["failover", "failure"]}, [STARTED, COMPLETED]),
        ({"EventCategories": ["availability"]}, [RESTARTED]),
        ({"Enabled": False}, []),
    ],
)
def test_a_failover_is_told_to_who_asked_for_it(told, subscription, expected) -> None:
    assert told(template(**subscription)) == expected


OTHER = {"Service": "cloudwatch.amazonaws.com"}


@pytest.mark.parametrize(
    "closed",
    [
        {"publisher": OTHER},
        {"user": OTHER},
        {"source": {"StringEquals": {"aws:SourceAccount": "222222222222"}}},
        {"source": {"ArnLike": {"aws:SourceArn": f"arn:aws:rds:us-east-1:{ACCOUNT}:db:other"}}},
    ],
)
def test_nothing_is_told_where_rds_may_not_publish(told, closed) -> None:
    assert told(template(**closed)) == []


def test_a_subscription_to_no_such_database_is_refused(
    aws, create_queue, deploy_stack, unique
) -> None:
    _, arn = create_queue("sns.amazonaws.com")
    with pytest.raises(WaiterError, match="ROLLBACK"):
        deploy_stack(f"events-{unique}", template(SourceIds=["no-such"]), {"Queue": arn})
    events = aws.client("cloudformation").describe_stack_events(StackName=f"events-{unique}")
    (reason,) = (
        event["ResourceStatusReason"]
        for event in events["StackEvents"]
        if event["ResourceStatus"] == "CREATE_FAILED"
    )
    assert "no-such" in reason
