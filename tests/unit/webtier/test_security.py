"""What must hold for every resource of the template, whichever options made it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.webtier.resolve import resolved
from webtier import build

if TYPE_CHECKING:
    from collections.abc import Iterator

Resources = dict[str, Any]
PROJECT_TAGS = {"Project": "aws-architectures", "Part": "webtier"}


def of_type(resources: Resources, kind: str) -> dict[str, dict[str, Any]]:
    found = {
        title: resource["Properties"]
        for title, resource in resources.items()
        if resource["Type"] == kind
    }
    assert found, f"no {kind} in the template: this test checks nothing"
    return found


def policy_documents(value: Any) -> Iterator[dict[str, Any]]:
    """Every policy document anywhere in the value."""
    if isinstance(value, dict):
        if "Statement" in value:
            yield value
        for item in value.values():
            yield from policy_documents(item)
    elif isinstance(value, list):
        for item in value:
            yield from policy_documents(item)


def test_every_resource_that_can_be_tagged_is(options: build.Options) -> None:
    untagged = []
    for title, resource in build.template(options).resources.items():
        if "Tags" in resource.props:
            tags = resource.to_dict()["Properties"].get("Tags", [])
            given = {tag["Key"]: tag["Value"] for tag in tags}
            if not given.items() >= PROJECT_TAGS.items():
                untagged.append(title)
    assert untagged == []


def test_instances_and_their_volumes_are_tagged(resources: Resources) -> None:
    (launch_template,) = of_type(resources, "AWS::EC2::LaunchTemplate").values()
    tagged = launch_template["LaunchTemplateData"]["TagSpecifications"]
    tagged += launch_template["TagSpecifications"]
    assert {item["ResourceType"] for item in tagged} == {"instance", "volume", "launch-template"}
    for item in tagged:
        given = {tag["Key"]: tag["Value"] for tag in item["Tags"]}
        assert given.items() >= PROJECT_TAGS.items()
    (group,) = of_type(resources, "AWS::AutoScaling::AutoScalingGroup").values()
    assert all(tag["PropagateAtLaunch"] for tag in group["Tags"])


def test_no_statement_allows_a_wildcard_action(resources: Resources) -> None:
    allowed = [
        statement
        for document in policy_documents(resources)
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert allowed
    for statement in allowed:
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            assert "*" not in action, statement


def test_identity_policies_name_their_resources(resources: Resources) -> None:
    """Session Manager's actions have no resource type; everything else names what it acts on."""
    wildcards = {
        action
        for role in of_type(resources, "AWS::IAM::Role").values()
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Resource"] == "*"
        for action in statement["Action"]
    }
    assert {action.split(":")[0] for action in wildcards} == {"ssm", "ssmmessages"}


def test_every_key_policy_lets_services_in_for_this_account_only(resources: Resources) -> None:
    (key,) = of_type(resources, "AWS::KMS::Key").values()
    for statement in key["KeyPolicy"]["Statement"]:
        assert statement["Principal"] != "*"
        if "Service" in statement["Principal"]:
            assert "111111111111" in json.dumps(resolved(statement["Condition"], resources))


ENCRYPTED = {
    "AWS::KMS::Key": lambda of: of["EnableKeyRotation"] is True,
    "AWS::Logs::LogGroup": lambda of: of["KmsKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]},
    "AWS::SNS::Topic": lambda of: of["KmsMasterKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]},
    "AWS::S3::Bucket": lambda of: (
        of["BucketEncryption"]["ServerSideEncryptionConfiguration"][0][
            "ServerSideEncryptionByDefault"
        ]["SSEAlgorithm"]
        == "AES256"
    ),
    "AWS::RDS::DBInstance": lambda of: (
        of["StorageEncrypted"] is True
        and of["KmsKeyId"]
        == of["PerformanceInsightsKMSKeyId"]
        == of["MasterUserSecret"]["KmsKeyId"]
        == {"Fn::GetAtt": ["Key", "Arn"]}
    ),
    "AWS::EC2::LaunchTemplate": lambda of: all(
        device["Ebs"]["Encrypted"] is True
        for device in of["LaunchTemplateData"]["BlockDeviceMappings"]
    ),
}


@pytest.mark.parametrize("kind", ENCRYPTED)
def test_everything_that_keeps_data_is_encrypted(resources: Resources, kind: str) -> None:
    for title, properties in of_type(resources, kind).items():
        assert ENCRYPTED[kind](properties), title


def test_no_type_with_encryption_is_left_out_of_the_test_above(options: build.Options) -> None:
    """A type added later with a property for a key or encryption must be listed, too."""
    encryptable = {
        resource.resource_type
        for resource in build.template(options).resources.values()
        if any("kms" in name.lower() or "encrypt" in name.lower() for name in resource.props)
    }
    assert encryptable - {"AWS::EC2::VPC"} <= set(ENCRYPTED)  # a VPC keeps no data


def test_what_cannot_be_made_again_survives_the_stack(resources: Resources) -> None:
    kept = {"AWS::S3::Bucket": "Retain", "AWS::Logs::LogGroup": "Retain", "AWS::KMS::Key": "Retain"}
    kept["AWS::RDS::DBInstance"] = "Snapshot"
    for kind, policy in kept.items():
        for title in of_type(resources, kind):
            assert resources[title]["DeletionPolicy"] == policy, title
            assert resources[title]["UpdateReplacePolicy"] == policy, title


def test_the_bucket_is_private_and_refuses_plain_http(resources: Resources) -> None:
    for title, bucket in of_type(resources, "AWS::S3::Bucket").items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        denied = [
            statement
            for policy in of_type(resources, "AWS::S3::BucketPolicy").values()
            if policy["Bucket"] == {"Ref": title}
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Deny"
        ]
        assert [statement["Condition"] for statement in denied] == [
            {"Bool": {"aws:SecureTransport": "false"}}
        ]


def test_instances_take_imdsv2_only_and_no_ssh_key(resources: Resources) -> None:
    for properties in of_type(resources, "AWS::EC2::LaunchTemplate").values():
        data = properties["LaunchTemplateData"]
        assert data["MetadataOptions"]["HttpTokens"] == "required"
        assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
        assert "KeyName" not in data
        assert [card["AssociatePublicIpAddress"] for card in data["NetworkInterfaces"]] == [False]


def test_the_database_is_private_multi_az_and_recoverable(resources: Resources) -> None:
    for database in of_type(resources, "AWS::RDS::DBInstance").values():
        assert database["MultiAZ"] is True
        assert database["PubliclyAccessible"] is False
        assert database["EnableIAMDatabaseAuthentication"] is True
        assert database["ManageMasterUserPassword"] is True
        assert "MasterUserPassword" not in database
        assert database["BackupRetentionPeriod"] >= 7
    for settings in of_type(resources, "AWS::RDS::DBParameterGroup").values():
        assert settings["Parameters"]["rds.force_ssl"] == "1"
