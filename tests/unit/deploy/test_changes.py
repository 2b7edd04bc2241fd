from typing import Any

import pytest

from deploy.changes import Change, additions

REPLACED = "  !! HOLDS DATA: the new resource starts empty"


def response(action: str, resource_type: str, **more: Any) -> dict[str, Any]:
    return {
        "ResourceChange": {
            "Action": action,
            "LogicalResourceId": "Thing",
            "ResourceType": resource_type,
            **more,
        }
    }


def detail(attribute: str, name: str = "") -> dict[str, Any]:
    return {"Target": {"Attribute": attribute, **({"Name": name} if name else {})}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (response("Add", "AWS::SQS::Queue"), "add  AWS::SQS::Queue  Thing"),
        (
            response(
                "Modify",
                "AWS::Lambda::Function",
                Replacement="False",
                Details=[
                    detail("Properties", "Timeout"),
                    detail("Properties", "Timeout"),
                    detail("Tags"),
                ],
            ),
            "modify  AWS::Lambda::Function  Thing (Timeout, Tags)",
        ),
        (
            response("Import", "AWS::DynamoDB::Table"),
            "import  AWS::DynamoDB::Table  Thing: it is in the account already",
        ),
        (
            response("Modify", "AWS::SNS::Topic", Replacement="Conditional"),
            "perhaps replace  AWS::SNS::Topic  Thing",
        ),
        (
            response("Remove", "AWS::DynamoDB::Table", PolicyAction="Retain"),
            "remove  AWS::DynamoDB::Table  Thing: it stays in the account  !! HOLDS DATA",
        ),
        (
            response(
                "Modify",
                "AWS::S3::Bucket",
                Replacement="True",
                PolicyAction="ReplaceAndRetain",
                Details=[detail("Properties", "BucketName")],
            ),
            f"replace  AWS::S3::Bucket  Thing (BucketName): it stays in the account{REPLACED}",
        ),
    ],
)
def test_a_change_in_words(change: dict[str, Any], words: str) -> None:
    assert str(Change.from_response(change)) == words


@pytest.mark.parametrize(
    ("change", "endangers"),
    [
        (Change("Modify", "T", "AWS::DynamoDB::Table", "False"), False),
        (Change("Modify", "T", "AWS::DynamoDB::Table", "Conditional"), True),
        (Change("Modify", "T", "AWS::DynamoDB::Table", "True"), True),
        (Change("Remove", "T", "AWS::DynamoDB::Table"), True),
        (Change("Add", "T", "AWS::DynamoDB::Table"), False),
        (Change("Remove", "A", "AWS::CloudWatch::Alarm"), False),
    ],
)
def test_data_is_endangered_by_replacement_and_removal(change: Change, endangers: bool) -> None:
    assert change.endangers_data is endangers


def test_a_new_stack_adds_every_resource() -> None:
    template = {"Resources": {"B": {"Type": "AWS::SQS::Queue"}, "A": {"Type": "AWS::SNS::Topic"}}}

    assert [str(change) for change in additions(template)] == [
        "add  AWS::SNS::Topic  A",
        "add  AWS::SQS::Queue  B",
    ]
