from __future__ import annotations

import json
import time

import pytest
from troposphere import GetAtt, Output, Parameter, Ref, Template, cloudwatch, oam

# The shortest period of a high-resolution metric in seconds; the engine sees a third of a second.
PERIOD = 10


@pytest.fixture
def put(aws, unique):
    """Puts one value of a metric, in the test's own namespace."""

    def put_value(value, name="Errors", account="111111111111", **dimensions):
        datum = {
            "MetricName": name,
            "Value": value,
            "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
        }
        aws.client("cloudwatch", account).put_metric_data(Namespace=unique, MetricData=[datum])

    return put_value


@pytest.fixture
def create_alarm(aws, unique):
    """Creates an alarm in the test's own namespace."""
    client = aws.client("cloudwatch")
    names = []

    def create(**settings):
        names.append(f"{unique}-{len(names)}")
        defaults = {
            "AlarmName": names[-1],
            "EvaluationPeriods": 1,
            "Threshold": 5,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
        }
        if "Metrics" not in settings:
            defaults |= {
                "Namespace": unique,
                "MetricName": "Errors",
                "Statistic": "Sum",
                "Period": PERIOD,
            }
        client.put_metric_alarm(**defaults | settings)
        return names[-1]

    yield create
    client.delete_alarms(AlarmNames=names)


@pytest.fixture
def state(aws):
    def read(name, account="111111111111"):
        alarms = aws.client("cloudwatch", account).describe_alarms(AlarmNames=[name])
        return alarms["MetricAlarms"][0]["StateValue"]

    return read


def test_an_alarm_goes_off_on_its_own_metric_and_recovers(put, create_alarm, state, eventually):
    mine = create_alarm(Dimensions=[{"Name": "Function", "Value": "mine"}])
    other = create_alarm(Dimensions=[{"Name": "Function", "Value": "other"}])
    eventually(lambda: state(mine) == state(other) == "OK")
    put(7, Function="mine")
    eventually(lambda: state(mine) == "ALARM")
    assert state(other) == "OK"
    eventually(lambda: state(mine) == "OK")


def test_missing_data_can_leave_too_little_to_tell(put, create_alarm, state, eventually):
    alarm = create_alarm(TreatMissingData="missing")
    put(1)
    eventually(lambda: state(alarm) == "OK")
    eventually(lambda: state(alarm) == "INSUFFICIENT_DATA")


def test_a_change_of_state_is_an_event(
    aws, unique, create_alarm, put, create_queue, receive, eventually, state
):
    events = aws.client("events")
    url, queue = create_queue("events.amazonaws.com")
    alarm = create_alarm(AlarmDescription="what to do")
    eventually(lambda: state(alarm) == "OK")
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": [alarm]},
    }
    events.put_rule(Name=unique, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=unique, Targets=[{"Id": "queue", "Arn": queue}])
    put(9)
    event = json.loads(receive(url)["Body"])
    detail = event["detail"]
    assert event["resources"] == [f"arn:aws:cloudwatch:us-east-1:111111111111:alarm:{alarm}"]
    assert (detail["previousState"]["value"], detail["state"]["value"]) == ("OK", "ALARM")
    assert "[9.0]" in detail["state"]["reason"]
    assert detail["configuration"]["description"] == "what to do"
    assert detail["configuration"]["metrics"][0]["metricStat"]["metric"]["name"] == "Errors"
    events.remove_targets(Rule=unique, Ids=["queue"])
    events.delete_rule(Name=unique)


def test_a_composite_alarm_follows_and_tells(
    aws, unique, create_alarm, put, create_queue, receive, eventually, state
):
    cloudwatch_client, events = aws.client("cloudwatch"), aws.client("events")
    url, queue = create_queue("events.amazonaws.com")
    child = create_alarm()
    eventually(lambda: state(child) == "OK")
    name = f"{unique}-all"
    cloudwatch_client.put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{child}")')
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [name]}}
    events.put_rule(Name=unique, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=unique, Targets=[{"Id": "queue", "Arn": queue}])
    put(9)
    assert json.loads(receive(url)["Body"])["detail"]["state"]["value"] == "ALARM"
    assert json.loads(receive(url)["Body"])["detail"]["state"]["value"] == "OK"
    events.remove_targets(Rule=unique, Ids=["queue"])
    events.delete_rule(Name=unique)
    cloudwatch_client.delete_alarms(AlarmNames=[name])


def query(id_, name, namespace, **settings):
    metric = {"Namespace": namespace, "MetricName": name}
    stat = {"Metric": metric, "Period": PERIOD, "Stat": "Sum"}
    return {"Id": id_, "MetricStat": stat, "ReturnData": False, **settings}


def test_get_metric_data_computes_expressions(aws, unique, put):
    put(1)
    put(4, name="Requests")
    now = time.time()
    answer = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            query("errors", "Errors", unique),
            query("requests", "Requests", unique),
            {"Id": "rate", "Expression": "100 * SUM(errors) / SUM(requests) + 0 * requests"},
        ],
        StartTime=now - 60,
        EndTime=now + 60,
    )
    (result,) = answer["MetricDataResults"]
    assert (result["Id"], result["Values"]) == ("rate", [25.0])


def sink_and_alarm(unique):
    """A monitoring account: a sink for the workload account, and an alarm on its error rate."""
    template = Template()
    allowed = {
        "Effect": "Allow",
        "Principal": {"AWS": "111111111111"},
        "Action": ["oam:CreateLink", "oam:UpdateLink"],
        "Resource": "*",
        "Condition": {
            "ForAllValues:StringEquals": {"oam:ResourceTypes": ["AWS::CloudWatch::Metric"]}
        },
    }
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    template.add_resource(oam.Sink("Sink", Name=unique, Policy=policy))
    template.add_output(Output("Sink", Value=GetAtt("Sink", "Arn")))

    def metric(name):
        return cloudwatch.MetricDataQuery(
            Id=name.lower(),
            AccountId="111111111111",
            ReturnData=False,
            MetricStat=cloudwatch.MetricStat(
                Metric=cloudwatch.Metric(Namespace=unique, MetricName=name),
                Period=PERIOD,
                Stat="Sum",
            ),
        )

    expression = "IF(FILL(errors, 0) >= 3, 100 * errors / requests, 0)"
    rate = cloudwatch.MetricDataQuery(Id="rate", Expression=expression, ReturnData=True)
    template.add_resource(
        cloudwatch.Alarm(
            "Rate",
            AlarmName=unique,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            Threshold=50,
            EvaluationPeriods=1,
            TreatMissingData="notBreaching",
            Metrics=[metric("Errors"), metric("Requests"), rate],
        )
    )
    return template


def link(namespace, types=("AWS::CloudWatch::Metric",)):
    template = Template()
    template.add_parameter(Parameter("Sink", Type="String"))
    configuration = oam.LinkConfiguration(
        MetricConfiguration=oam.LinkFilter(Filter=f"Namespace IN ('{namespace}')")
    )
    template.add_resource(
        oam.Link(
            "Link",
            LabelTemplate="$AccountName",
            ResourceTypes=list(types),
            LinkConfiguration=configuration,
            SinkIdentifier=Ref("Sink"),
        )
    )
    return template


def test_a_linked_account_is_watched_with_metric_math(deploy_stack, unique, put, state, eventually):
    sink = deploy_stack(f"monitoring-{unique}", sink_and_alarm(unique), account="222222222222")
    parameters = {"Sink": sink["Sink"]}

    def fail_for(seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            put(3)
            put(4, name="Requests")
            time.sleep(0.1)

    eventually(lambda: state(unique, "222222222222") == "OK")
    fail_for(1)
    assert state(unique, "222222222222") == "OK", "metrics were read without a link"
    deploy_stack(f"workload-{unique}", link(unique), parameters)
    fail_for(1)
    eventually(lambda: state(unique, "222222222222") == "ALARM")
    eventually(lambda: state(unique, "222222222222") == "OK")


def test_a_link_shares_only_the_namespaces_of_its_filter(
    deploy_stack, unique, put, state, eventually
):
    sink = deploy_stack(f"monitoring-{unique}", sink_and_alarm(unique), account="222222222222")
    deploy_stack(f"workload-{unique}", link("AWS/Lambda"), {"Sink": sink["Sink"]})
    eventually(lambda: state(unique, "222222222222") == "OK")
    for _ in range(5):
        put(3)
        put(4, name="Requests")
        time.sleep(0.2)
    assert state(unique, "222222222222") == "OK"


@pytest.mark.parametrize(
    ("account", "types"),
    [
        ("333333333333", ("AWS::CloudWatch::Metric",)),
        ("111111111111", ("AWS::CloudWatch::Metric", "AWS::Logs::LogGroup")),
    ],
)
def test_a_link_the_sinks_policy_does_not_allow_is_refused(
    aws, deploy_stack, unique, eventually, account, types
):
    sink = deploy_stack(f"monitoring-{unique}", sink_and_alarm(unique), account="222222222222")
    client = aws.client("cloudformation", account)
    name = f"refused-{unique}"
    client.create_stack(
        StackName=name,
        TemplateBody=link(unique, types).to_json(),
        Parameters=[{"ParameterKey": "Sink", "ParameterValue": sink["Sink"]}],
    )

    def status():
        return client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]

    eventually(lambda: status() == "ROLLBACK_COMPLETE")
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any("not authorized to perform: oam:CreateLink" in reason for reason in reasons)
    client.delete_stack(StackName=name)


def test_an_alarm_sees_the_messages_of_a_queue(aws, create_alarm, create_queue, state, eventually):
    url, arn = create_queue()
    alarm = create_alarm(
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": arn.rsplit(":", 1)[-1]}],
        Statistic="Maximum",
        Period=60,
        Threshold=1,
    )
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="dead")
    eventually(lambda: state(alarm) == "ALARM")
