"""Custom resources: the provider is a function that answers at the URL it is given."""

from __future__ import annotations

import json
import time

import pytest
from troposphere import GetAtt, Output, Parameter, Ref, Template, cloudformation

# Answers FAILED to what `Refuse` names, with an id all the same; keeps its requests in a queue.
PROVIDER = """
import json, os, boto3, urllib3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
    asked = event["ResourceProperties"]
    refused = event["RequestType"] in asked["Refuse"]
    answer = {
        "Status": "FAILED" if refused else "SUCCESS",
        "Reason": "as you like it",
        "PhysicalResourceId": asked["Id"],
        "Data": {"Said": "yes"},
        **{key: event[key] for key in ("LogicalResourceId", "RequestId", "StackId")},
    }
    body = json.dumps(answer)
    urllib3.request("PUT", event["ResponseURL"], body=body, headers={"Content-Type": ""})
"""


class Thing(cloudformation.CustomResource):
    resource_type = "Custom::Thing"
    props = cloudformation.CustomResource.props | {"Id": (str, True), "Refuse": (list, False)}


@pytest.fixture
def provider(aws, create_function, create_queue):
    """The function's ARN, and what gives its requests since the last time."""
    url, arn = create_queue()
    allowed = [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}]
    function = create_function(
        PROVIDER, allowed=allowed, Environment={"Variables": {"QUEUE": url}}, Timeout=20
    )

    def requests():
        client = aws.client("sqs")
        found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]

    return function, requests


def template(*refuse):
    built = Template()
    token = built.add_parameter(Parameter("Token", Type="String"))
    name = built.add_parameter(Parameter("Name", Type="String", Default="thing-1"))
    asked = {"Id": Ref(name), "Refuse": list(refuse)}
    thing = Thing("Thing", ServiceToken=Ref(token), ServiceTimeout=30, **asked)
    built.add_resource(thing)
    built.add_output(Output("Said", Value=GetAtt(thing, "Said")))
    return built


def end(aws, name):
    client = aws.client("cloudformation")
    deadline = time.monotonic() + 60
    while (stack := client.describe_stacks(StackName=name)["Stacks"][0])["StackStatus"].endswith(
        "_IN_PROGRESS"
    ):
        assert time.monotonic() < deadline, stack
        time.sleep(0.1)
    return stack["StackStatus"]


def test_a_resource_is_created_replaced_and_deleted(aws, deploy_stack, provider, unique):
    token, requests = provider
    outputs = deploy_stack(f"things-{unique}", template(), {"Token": token})
    assert outputs == {"Said": "yes"}
    (created,) = requests()
    assert created["RequestType"] == "Create"
    assert created["ResourceProperties"]["Id"] == "thing-1"

    client = aws.client("cloudformation")
    given = {"Token": token, "Name": "thing-2"}
    client.update_stack(
        StackName=f"things-{unique}",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": key, "ParameterValue": given[key]} for key in given],
    )
    assert end(aws, f"things-{unique}") == "UPDATE_COMPLETE"
    by_type = {request["RequestType"]: request for request in requests()}
    assert set(by_type) == {"Update", "Delete"}
    assert by_type["Update"]["OldResourceProperties"]["Id"] == "thing-1"
    assert by_type["Delete"]["PhysicalResourceId"] == "thing-1"

    client.delete_stack(StackName=f"things-{unique}")
    client.get_waiter("stack_delete_complete").wait(
        StackName=f"things-{unique}", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    (deleted,) = requests()
    assert (deleted["RequestType"], deleted["PhysicalResourceId"]) == ("Delete", "thing-2")


@pytest.mark.parametrize("refuse", [("Create",), ("Create", "Delete")])
def test_what_could_not_be_created_is_deleted(aws, provider, unique, refuse):
    token, requests = provider
    client = aws.client("cloudformation")
    name = f"things-{unique}"
    client.create_stack(
        StackName=name,
        TemplateBody=template(*refuse).to_json(),
        Parameters=[{"ParameterKey": "Token", "ParameterValue": token}],
    )
    assert end(aws, name) == "ROLLBACK_COMPLETE"
    reasons = [
        event["ResourceStatusReason"]
        for event in client.describe_stack_events(StackName=name)["StackEvents"]
        if event["ResourceStatus"] == "CREATE_FAILED"
    ]
    assert reasons == ["as you like it"]
    create, delete = sorted(requests(), key=lambda request: request["RequestType"])
    assert (create["RequestType"], delete["RequestType"]) == ("Create", "Delete")
    assert delete["PhysicalResourceId"] == "thing-1"
    client.delete_stack(StackName=name)
