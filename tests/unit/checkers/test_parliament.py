"""What the runner of parliament reads, and that it finds what is wrong in each place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.parliament import run

ROOT = Path(__file__).resolve().parents[3]
POLICY = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObjekt", "Resource": "*"}]}
TRUST = {"Service": "lambda.amazonaws.com"}


def role(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": properties}


@pytest.mark.parametrize(
    ("resource", "issue"),
    [
        (role(Policies=[{"PolicyName": "p", "PolicyDocument": POLICY}]), "UNKNOWN_ACTION"),
        (
            role(
                AssumeRolePolicyDocument={
                    "Statement": [
                        {"Effect": "Allow", "Principal": TRUST, "Action": "sts:AssumeRol"}
                    ]
                }
            ),
            "UNKNOWN_ACTION",
        ),
        (
            {
                "Type": "AWS::Events::EventBusPolicy",
                "Properties": {
                    "Statement": {
                        "Effect": "Allow",
                        "Principal": "*",
                        "Action": "events:PutEvents",
                        "Resource": {"Fn::GetAtt": ["Uploads", "Arn"]},
                    }
                },
            },
            "RESOURCE_MISMATCH",
        ),
        (
            {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {
                    "PolicyDocument": {
                        "Fn::If": ["Open", POLICY, {"Ref": "AWS::NoValue"}],
                    }
                },
            },
            "UNKNOWN_ACTION",
        ),
    ],
)
def test_a_mistake_is_found_wherever_a_policy_can_be(resource: dict[str, Any], issue: str) -> None:
    template = {
        "Parameters": {"Account": {"Type": "String", "Default": ""}},
        "Conditions": {"Open": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Account"}, ""]}]}},
        "Resources": {"Wrong": resource, "Uploads": {"Type": "AWS::S3::Bucket"}},
    }
    found = {(one.template, one.resource, one.rule) for one in run.findings({"t.json": template})}
    assert ("t.json", "Wrong", issue) in found


def test_a_policy_file_is_read_as_it_is() -> None:
    (found,) = run.findings({"policy.json": {"Version": "2012-10-17", **POLICY}})
    assert (found.template, found.resource, found.rule) == ("policy.json", "", "UNKNOWN_ACTION")


def test_parameters_of_one_template_are_outputs_of_another() -> None:
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Ref": "QueueArn"}}
    first = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {"QueueArn": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}}},
    }
    second = {
        "Parameters": {"QueueArn": {"Type": "String"}},
        "Resources": {
            "Policy": {
                "Type": "AWS::IAM::Policy",
                "Properties": {"PolicyDocument": {"Statement": [statement]}},
            }
        },
    }
    assert run.findings({"first.json": first, "second.json": second}) == []
    assert run.findings({"second.json": second}) != []


def test_every_policy_file_in_the_repository_is_one() -> None:
    files = sorted(ROOT.glob("*/.chalice/policy-*.json"))
    read = list(run.policy_documents({str(path): json.loads(path.read_text()) for path in files}))
    assert len(read) == len(files) > 3
