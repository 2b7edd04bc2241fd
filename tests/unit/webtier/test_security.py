"""What must hold for every resource of the template, whichever options made it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.unit.webtier.strategies import Resources, for_any_options
from webtier import build
from webtier.options import Database, Options

PROJECT_TAGS = {"Project": "aws-architectures", "Part": "webtier"}
KEY = {"Fn::GetAtt": ["Key", "Arn"]}
THIS_ACCOUNT = ("AWS::AccountId", "${AWS::AccountId}")


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
        if isinstance(value.get("Statement"), list):
            yield value
        for item in value.values():
            yield from policy_documents(item)
    elif isinstance(value, list):
        for item in value:
            yield from policy_documents(item)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@for_any_options
def test_every_resource_that_can_be_tagged_is(options: Options) -> None:
    untagged = []
    for title, resource in build.template(options).resources.items():
        if "Tags" in resource.props:
            tags = resource.to_dict()["Properties"].get("Tags", [])
            given = {tag["Key"]: tag["Value"] for tag in tags}
            if not given.items() >= PROJECT_TAGS.items():
                untagged.append(title)
    assert untagged == []


@for_any_options
def test_instances_and_their_volumes_are_tagged(resources: Resources) -> None:
    (launch_template,) = of_type(resources, "AWS::EC2::LaunchTemplate").values()
    tagged = [
        *launch_template["LaunchTemplateData"]["TagSpecifications"],
        *launch_template["TagSpecifications"],
    ]
    assert {item["ResourceType"] for item in tagged} == {"instance", "volume", "launch-template"}
    for item in tagged:
        given = {tag["Key"]: tag["Value"] for tag in item["Tags"]}
        assert given.items() >= PROJECT_TAGS.items()
    (group,) = of_type(resources, "AWS::AutoScaling::AutoScalingGroup").values()
    assert all(tag["PropagateAtLaunch"] for tag in group["Tags"])


@for_any_options
def test_no_statement_allows_a_wildcard_action(resources: Resources) -> None:
    allowed = [
        statement
        for document in policy_documents(resources)
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert allowed
    for statement in allowed:
        assert "NotAction" not in statement
        assert not any("*" in action for action in listed(statement["Action"])), statement


@for_any_options
def test_identity_policies_name_their_resources(resources: Resources) -> None:
    """What has no resource type alone does not name what it acts on."""
    wildcards = {
        action
        for role in of_type(resources, "AWS::IAM::Role").values()
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert {action for action in wildcards if not action.startswith(("ssm:", "ssmmessages:"))} == {
        "ec2:DescribeSecurityGroups",
        "elasticloadbalancing:DescribeTargetHealth",
    }


@for_any_options
def test_every_key_policy_lets_services_in_for_this_account_only(resources: Resources) -> None:
    (key,) = of_type(resources, "AWS::KMS::Key").values()
    for statement in key["KeyPolicy"]["Statement"]:
        if statement["Effect"] == "Deny":
            assert statement["Principal"] == "*"
            continue
        assert statement["Principal"] != "*"
        if "Service" in statement["Principal"]:
            condition = json.dumps(statement["Condition"])
            assert any(account in condition for account in THIS_ACCOUNT), statement["Sid"]


@for_any_options
def test_what_everybody_may_do_is_denied_or_bound(resources: Resources) -> None:
    """Only policies of endpoints allow it: nobody may do there what their own policy does not."""
    for title, resource in resources.items():
        for document in policy_documents(resource["Properties"]):
            for statement in document["Statement"]:
                if statement.get("Principal") == "*" and statement["Effect"] == "Allow":
                    assert resource["Type"] == "AWS::EC2::VPCEndpoint", title


ENCRYPTED = {
    "AWS::KMS::Key": lambda of: of["EnableKeyRotation"] is True,
    "AWS::Logs::LogGroup": lambda of: of["KmsKeyId"] == KEY,
    "AWS::SNS::Topic": lambda of: of["KmsMasterKeyId"] == KEY,
    "AWS::S3::Bucket": lambda of: (
        of["BucketEncryption"]["ServerSideEncryptionConfiguration"][0][
            "ServerSideEncryptionByDefault"
        ]["SSEAlgorithm"]
        == "AES256"
    ),
    "AWS::RDS::DBInstance": lambda of: (
        of["PerformanceInsightsKMSKeyId"] == KEY
        and (
            # A read replica takes the encryption of its source, with the same key.
            of["SourceDBInstanceIdentifier"] == {"Ref": "Database"}
            if "SourceDBInstanceIdentifier" in of
            else of["StorageEncrypted"] is True
            and of["KmsKeyId"] == of["MasterUserSecret"]["KmsKeyId"] == KEY
        )
    ),
    "AWS::RDS::DBCluster": lambda of: (
        of["StorageEncrypted"] is True
        and of["KmsKeyId"]
        == of["PerformanceInsightsKmsKeyId"]
        == of["MasterUserSecret"]["KmsKeyId"]
        == KEY
    ),
    # Its environment would be what it keeps.
    "AWS::Lambda::Function": lambda of: "Environment" not in of,
    "AWS::EC2::LaunchTemplate": lambda of: all(
        device["Ebs"]["Encrypted"] is True
        for device in of["LaunchTemplateData"]["BlockDeviceMappings"]
    ),
}


@for_any_options
def test_everything_that_keeps_data_is_encrypted(options: Options, resources: Resources) -> None:
    for title, resource in resources.items():
        if resource["Type"] in ENCRYPTED:
            assert ENCRYPTED[resource["Type"]](resource["Properties"]), title
    # A type added later with a property for a key or encryption must be listed above, too.
    encryptable = {
        resource.resource_type
        for resource in build.template(options).resources.values()
        if any("kms" in name.lower() or "encrypt" in name.lower() for name in resource.props)
    }
    assert encryptable - {"AWS::EC2::VPC"} <= set(ENCRYPTED)  # a VPC keeps no data


@for_any_options
def test_what_cannot_be_made_again_survives_the_stack(
    options: Options, resources: Resources
) -> None:
    kept = {"AWS::S3::Bucket": "Retain", "AWS::Logs::LogGroup": "Retain", "AWS::KMS::Key": "Retain"}
    kept |= {"AWS::RDS::DBInstance": "Snapshot", "AWS::RDS::DBCluster": "Snapshot"}
    for title, resource in resources.items():
        if title != "DatabaseReplica" and resource["Type"] in kept:
            assert resource["DeletionPolicy"] == kept[resource["Type"]], title
            assert resource["UpdateReplacePolicy"] == kept[resource["Type"]], title
    assert (options.database is Database.CLUSTER) is ("Database" not in resources)


@for_any_options
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


@for_any_options
def test_instances_take_imdsv2_only_and_no_ssh_key(resources: Resources) -> None:
    for properties in of_type(resources, "AWS::EC2::LaunchTemplate").values():
        data = properties["LaunchTemplateData"]
        assert data["MetadataOptions"]["HttpTokens"] == "required"
        assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
        assert "KeyName" not in data
        assert [card["AssociatePublicIpAddress"] for card in data["NetworkInterfaces"]] == [False]


@for_any_options
def test_every_database_is_private_takes_tls_alone_and_can_be_restored(
    options: Options, resources: Resources
) -> None:
    title = "DatabaseCluster" if options.database is Database.CLUSTER else "Database"
    database = resources[title]["Properties"]
    assert database["PubliclyAccessible"] is False
    assert database["EnableIAMDatabaseAuthentication"] is True
    assert database["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in database
    assert database["BackupRetentionPeriod"] == options.backup_days
    assert database["DeletionProtection"] is options.deletion_protection
    if options.database is not Database.CLUSTER:
        assert database["MultiAZ"] is True
    assert resources["DatabaseSettings"]["Properties"]["Parameters"]["rds.force_ssl"] == "1"
    if options.database is Database.REPLICA:
        replica = resources["DatabaseReplica"]["Properties"]
        assert replica["PubliclyAccessible"] is False
        assert replica["SourceDBInstanceIdentifier"] == {"Ref": "Database"}


@for_any_options
def test_only_a_stage_that_asks_for_it_serves_plain_http(
    options: Options, resources: Resources
) -> None:
    listeners = {
        listener["Port"]: listener
        for listener in of_type(resources, "AWS::ElasticLoadBalancingV2::Listener").values()
    }
    if options.plain_http:
        assert set(listeners) == {80}
        return
    assert listeners[443]["Protocol"] == "HTTPS"
    assert listeners[443]["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    (redirect,) = listeners[80]["DefaultActions"]
    assert redirect["RedirectConfig"]["Protocol"] == "HTTPS"


@for_any_options
def test_the_load_balancer_refuses_what_is_ambiguous_and_keeps_a_record(
    options: Options, resources: Resources
) -> None:
    (balancer,) = of_type(resources, "AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    attributes = {one["Key"]: one["Value"] for one in balancer["LoadBalancerAttributes"]}
    assert attributes["routing.http.desync_mitigation_mode"] == "strictest"
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert attributes["access_logs.s3.enabled"] == "true"
    assert attributes["access_logs.s3.bucket"] == {"Ref": "AccessLogs"}
    assert attributes["deletion_protection.enabled"] == str(options.deletion_protection).lower()
    protected = [
        association["ResourceArn"]
        for association in resources.values()
        if association["Type"] == "AWS::WAFv2::WebACLAssociation"
        for association in [association["Properties"]]
    ]
    assert protected == ([{"Ref": "LoadBalancer"}] if options.firewall else [])


@for_any_options
def test_slow_start_has_the_algorithm_it_needs(resources: Resources) -> None:
    """Application Load Balancers: no slow start with least outstanding requests."""
    (target_group,) = of_type(resources, "AWS::ElasticLoadBalancingV2::TargetGroup").values()
    attributes = {one["Key"]: one["Value"] for one in target_group["TargetGroupAttributes"]}
    assert 30 <= int(attributes["slow_start.duration_seconds"]) <= 900
    assert attributes["load_balancing.algorithm.type"] == "round_robin"


@for_any_options
def test_capacity_that_is_promised_never_runs_on_spot(
    options: Options, resources: Resources
) -> None:
    group = resources["Group"]["Properties"]
    if not options.spot_percent:
        assert "MixedInstancesPolicy" not in group
        return
    assert "LaunchTemplate" not in group
    distribution = group["MixedInstancesPolicy"]["InstancesDistribution"]
    assert distribution["OnDemandBaseCapacity"] == {"Ref": "MinCapacity"}
    assert distribution["OnDemandPercentageAboveBaseCapacity"] == 100 - options.spot_percent
    overrides = group["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]
    types = [override["InstanceType"] for override in overrides]
    assert types == [{"Ref": "InstanceType"}, *options.types_for_spot]
