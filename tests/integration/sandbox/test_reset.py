from __future__ import annotations

import httpx
import pytest
from botocore.exceptions import WaiterError
from troposphere import GetAtt, Output, Template, oam

from sandbox import emulator
from tests.conftest import EmbeddedAws


@pytest.fixture
def own_aws(tmp_path):
    """An embedded AWS that only this test uses."""
    started = emulator.start(tmp_path / "sandbox", port=emulator.any_free_port())
    yield EmbeddedAws(started.endpoint, started.directory)
    started.stop()


def create(aws, account, template):
    """Creates a stack of the template and returns the value of its one output."""
    client = aws.client("cloudformation", account)
    client.create_stack(StackName="stack", TemplateBody=template.to_json())
    client.get_waiter("stack_create_complete").wait(
        StackName="stack", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    return client.describe_stacks(StackName="stack")["Stacks"][0]["Outputs"][0]["OutputValue"]


def test_a_reset_forgets_what_the_fillers_keep(own_aws):
    allowed = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "oam:CreateLink",
        "Resource": "*",
    }
    sink_stack, link_stack = Template(), Template()
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    sink_stack.add_resource(oam.Sink("Sink", Name="sink", Policy=policy))
    sink_stack.add_output(Output("Sink", Value=GetAtt("Sink", "Arn")))
    sink = create(own_aws, "222222222222", sink_stack)
    link_stack.add_resource(
        oam.Link(
            "Link",
            LabelTemplate="$AccountName",
            ResourceTypes=["AWS::CloudWatch::Metric"],
            SinkIdentifier=sink,
        )
    )
    link_stack.add_output(Output("Link", Value=GetAtt("Link", "Arn")))
    assert ":link/" in create(own_aws, "111111111111", link_stack)
    httpx.post(f"{own_aws.endpoint}/_ministack/reset").raise_for_status()
    with pytest.raises(WaiterError):
        create(own_aws, "111111111111", link_stack)
