from typing import Any

import pytest

from deploy.errors import SettingsError
from deploy.template import MAX_BODY, MAX_OBJECT, StackTemplate


def document(*resources: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"Resources": {f"R{i}": resource for i, resource in enumerate(resources)}, **sections}


QUEUE = {"Type": "AWS::SQS::Queue"}
ROLE = {"Type": "AWS::IAM::Role", "Properties": {"Path": "/"}}
NAMED_ROLE = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": {"Ref": "AWS::StackName"}}}
PARAMETERS = {"Email": {"Type": "String"}, "Zones": {"Type": "Number", "Default": 2}}


@pytest.mark.parametrize(
    ("resources", "capabilities"),
    [
        ([QUEUE], ()),
        ([QUEUE, ROLE], ("CAPABILITY_IAM",)),
        ([ROLE, NAMED_ROLE], ("CAPABILITY_NAMED_IAM",)),
    ],
)
def test_no_more_is_acknowledged_than_needed(
    resources: list[dict[str, Any]], capabilities: tuple[str, ...]
) -> None:
    assert StackTemplate("shop-dev", document(*resources)).capabilities == capabilities


def test_the_body_is_compact_json() -> None:
    assert StackTemplate("shop-dev", document(QUEUE)).body == (
        '{"Resources":{"R0":{"Type":"AWS::SQS::Queue"}}}'
    )


def test_a_body_longer_than_a_request_goes_by_s3() -> None:
    frame = len(StackTemplate("shop-dev", document(Description="")).body)

    assert StackTemplate("shop-dev", document(Description="x" * (MAX_BODY - frame))).fits_a_request
    longer = StackTemplate("shop-dev", document(Description="x" * (MAX_BODY - frame + 1)))
    assert not longer.fits_a_request


def test_the_longest_body_is_taken_and_a_longer_one_refused() -> None:
    frame = len(StackTemplate("shop-dev", document(Description="")).body)

    StackTemplate("shop-dev", document(Description="x" * (MAX_OBJECT - frame)))
    with pytest.raises(SettingsError, match=r"shop-dev has 1,048,577 bytes; .* takes 1,048,576"):
        StackTemplate("shop-dev", document(Description="x" * (MAX_OBJECT - frame + 1)))


def test_bytes_are_counted_not_characters() -> None:
    # json.dumps escapes what is not ASCII: one of these characters is six bytes on the wire.
    long = StackTemplate("shop-dev", document(Description="é" * (MAX_BODY // 6 + 1)))
    assert not long.fits_a_request


def test_a_parameter_the_template_does_not_have_is_named() -> None:
    with pytest.raises(SettingsError, match=r"no parameter Emial; its parameters are Email, Zones"):
        StackTemplate("shop-dev", document(QUEUE, Parameters=PARAMETERS), {"Emial": "a@b.example"})


def test_a_parameter_without_value_and_default_is_named() -> None:
    with pytest.raises(SettingsError, match=r"shop-dev needs a value for Email"):
        StackTemplate("shop-dev", document(QUEUE, Parameters=PARAMETERS), {"Zones": "3"})


def table(**attributes: Any) -> dict[str, Any]:
    name = {"Fn::Sub": "${AWS::StackName}-items-${AWS::AccountId}-${AWS::Region}"}
    return {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": name}, **attributes}


def test_names_of_retained_resources_are_written_out() -> None:
    template = StackTemplate("shop-dev", document(table(DeletionPolicy="Retain"), table()))

    named = template.with_literal_names("111111111111", "eu-west-1").document["Resources"]

    assert named["R0"]["Properties"]["TableName"] == "shop-dev-items-111111111111-eu-west-1"
    assert named["R1"] == table()
    assert template.document["Resources"]["R0"] == table(DeletionPolicy="Retain")


@pytest.mark.parametrize(
    "name", [{"Ref": "Name"}, {"Fn::Sub": "${Stage}-items"}, {"Fn::Sub": ["${A}", {"A": "x"}]}]
)
def test_a_name_only_cloudformation_knows_stays_as_it_is(name: Any) -> None:
    resource = {**table(DeletionPolicy="Retain"), "Properties": {"TableName": name}}

    template = StackTemplate("shop-dev", document(resource))

    assert template.with_literal_names("1", "eu-west-1").document == template.document
