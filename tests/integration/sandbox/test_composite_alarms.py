"""AWS::CloudWatch::CompositeAlarm, its suppressor, and buses of other accounts."""

from __future__ import annotations

import json
import time

import pytest
from troposphere import GetAtt, Ref, Sub, Template, cloudwatch, events, iam, sqs

WORKLOAD, MONITORING, THIRD = "111111111111", "222222222222", "333333333333"


def until(look, patience=20.0):
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.1)
    return found


def metric_alarm(logical_id, name):
    return cloudwatch.Alarm(
        logical_id,
        AlarmName=name,
        Namespace="Test",
        MetricName=name,
        Statistic="Sum",
        Period=86400,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="ignore",
    )


def inbox(template, rule):
    queue = template.add_resource(sqs.Queue("Inbox"))
    template.add_resource(
        sqs.QueuePolicy(
            "InboxPolicy",
            Queues=[Ref(queue)],
            PolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "events.amazonaws.com"},
                        "Action": "sqs:SendMessage",
                        "Resource": GetAtt(queue, "Arn"),
                    }
                ],
            },
        )
    )
    rule.Targets = [events.Target(Id="Inbox", Arn=GetAtt(queue, "Arn"))]
    template.add_resource(rule)
    return queue


def received(aws, account, url):
    client = aws.client("sqs", account)
    answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", ())]


@pytest.mark.parametrize(("suppressor", "by"), [("OK", None), ("ALARM", "Alarm")])
def test_a_composite_alarm_follows_its_children_and_its_suppressor(
    aws, deploy_stack, unique, suppressor, by
) -> None:
    template = Template()
    template.add_resource(metric_alarm("Child", f"child-{unique}"))
    template.add_resource(metric_alarm("Suppressor", f"suppressor-{unique}"))
    template.add_resource(
        cloudwatch.CompositeAlarm(
            "Composite",
            AlarmName=f"composite-{unique}",
            AlarmRule=Sub('ALARM("${Child}")'),
            ActionsSuppressor=Ref("Suppressor"),
            ActionsSuppressorWaitPeriod=0,
            ActionsSuppressorExtensionPeriod=0,
        )
    )
    rule = events.Rule(
        "Rule",
        EventPattern={
            "detail": {"alarmName": [f"composite-{unique}"], "state": {"value": ["ALARM"]}}
        },
    )
    queue = inbox(template, rule)
    deploy_stack(f"composite-{unique}", template)
    client = aws.client("cloudwatch")
    for name, state in (("suppressor", suppressor), ("child", "ALARM")):
        client.set_alarm_state(AlarmName=f"{name}-{unique}", StateValue=state, StateReason="a test")
    described = client.describe_alarms(
        AlarmNames=[f"composite-{unique}"], AlarmTypes=["CompositeAlarm"]
    )["CompositeAlarms"]
    assert [alarm["StateValue"] for alarm in described] == ["ALARM"]
    url = aws.client("cloudformation").describe_stack_resource(
        StackName=f"composite-{unique}", LogicalResourceId=queue.title
    )["StackResourceDetail"]["PhysicalResourceId"]
    (event,) = until(lambda: received(aws, WORKLOAD, url))
    assert event["detail"]["state"].get("actionsSuppressedBy") == by
    assert event["detail"]["configuration"]["actionsSuppressor"] == f"suppressor-{unique}"


def test_a_bus_takes_what_its_policy_lets_in_from_another_account(
    aws, deploy_stack, unique
) -> None:
    there = Template()
    bus = there.add_resource(events.EventBus("Bus", Name=f"bus-{unique}"))
    there.add_resource(
        events.EventBusPolicy(
            "Policy",
            EventBusName=Ref(bus),
            StatementId="workload",
            Statement={
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{WORKLOAD}:root"},
                "Action": "events:PutEvents",
                "Resource": GetAtt(bus, "Arn"),
                "Condition": {"StringEquals": {"events:source": "shop"}},
            },
        )
    )
    rule = events.Rule("Rule", EventBusName=Ref(bus), EventPattern={"source": ["shop"]})
    queue = inbox(there, rule)
    deploy_stack(f"bus-{unique}", there, account=MONITORING)
    url = aws.client("cloudformation", MONITORING).describe_stack_resource(
        StackName=f"bus-{unique}", LogicalResourceId=queue.title
    )["StackResourceDetail"]["PhysicalResourceId"]
    arn = f"arn:aws:events:us-east-1:{MONITORING}:event-bus/bus-{unique}"

    def put(account: str, source: str, detail: str) -> dict:
        entry = {"Source": source, "DetailType": "t", "Detail": json.dumps({"is": detail})}
        answer = aws.client("events", account).put_events(
            Entries=[{**entry, "EventBusName": arn}, {**entry, "EventBusName": "default"}]
        )
        assert "EventId" in answer["Entries"][1]
        return answer["Entries"][0]

    assert put(THIRD, "shop", "a third account's")["ErrorCode"] == "AccessDeniedException"
    assert put(WORKLOAD, "other", "of another source")["ErrorCode"] == "AccessDeniedException"
    assert "EventId" in put(WORKLOAD, "shop", "let in")
    (event,) = until(lambda: received(aws, MONITORING, url))
    assert (event["detail"], event["account"]) == ({"is": "let in"}, WORKLOAD)

    here = Template()
    here.add_resource(
        iam.Role(
            "Role",
            AssumeRolePolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "events.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            Policies=[
                iam.Policy(
                    PolicyName="forward",
                    PolicyDocument={
                        "Version": "2012-10-17",
                        "Statement": [
                            {"Effect": "Allow", "Action": "events:PutEvents", "Resource": arn}
                        ],
                    },
                )
            ],
        )
    )
    here.add_resource(
        events.Rule(
            "Forward",
            EventPattern={"source": ["shop"], "detail": {"is": [f"forwarded {unique}"]}},
            Targets=[events.Target(Id="Bus", Arn=arn, RoleArn=GetAtt("Role", "Arn"))],
        )
    )
    deploy_stack(f"forward-{unique}", here)
    aws.client("events").put_events(
        Entries=[
            {
                "Source": "shop",
                "DetailType": "t",
                "Detail": json.dumps({"is": f"forwarded {unique}"}),
            }
        ]
    )
    (event,) = until(lambda: received(aws, MONITORING, url))
    assert (event["detail"]["is"], event["account"]) == (f"forwarded {unique}", WORKLOAD)
