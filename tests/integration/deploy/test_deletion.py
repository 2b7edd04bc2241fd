"""What `--delete` keeps, and what it takes when it is told twice."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy import retained
from deploy.account import Account
from deploy.retained import Retained
from tests.integration.deploy.project import CHECKOUT, RESOURCES, STACK, Project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import EmbeddedAws


@pytest.fixture
def project(account: str, tmp_path: Path, unique: str) -> Project:
    return Project(tmp_path / "first", f"shop-{unique}")


def tables() -> list[str]:
    names: list[str] = boto3.client("dynamodb").list_tables()["TableNames"]
    return names


def states() -> list[Any]:
    s3 = boto3.client("s3")
    [bucket] = s3.list_buckets()["Buckets"]
    found: list[Any] = s3.list_objects_v2(Bucket=bucket["Name"], Prefix="state/").get(
        "Contents", []
    )
    return found


def typed(project: Project, *answers: str) -> str:
    """What the command prints on a terminal where these lines are typed."""
    terminal, stdin = os.openpty()
    os.write(terminal, "".join(f"{answer}\n" for answer in answers).encode())
    asked = subprocess.run(
        project.command("--delete", "--delete-data"),
        cwd=CHECKOUT,
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(terminal)
    os.close(stdin)
    return asked.stdout


def test_data_is_kept_until_it_is_told_twice(project: Project, tmp_path: Path) -> None:
    table = f"{STACK}-{project.name}"
    assert project.run().returncode == 0
    boto3.client("dynamodb").put_item(TableName=table, Item={"id": {"S": "1"}})

    assert "nothing was deleted" in typed(project, "dev", "dev")
    # Another machine than the one that deployed.
    kept = project.clone(tmp_path / "second").run("--delete", "--yes")

    assert (kept.returncode, kept.stderr) == (0, "")
    assert f"kept\n  AWS::DynamoDB::Table {table}\n" in kept.stdout
    assert "it has them back: python -m deploy crud_api --stage dev\n" in kept.stdout
    assert boto3.client("lambda").list_functions()["Functions"] == []
    assert boto3.client("apigateway").get_rest_apis()["items"] == []
    assert boto3.client("dynamodb").scan(TableName=table)["Count"] == 1

    # The stack is gone, and what it left is known by its name.
    shown = typed(project, "dev", "delete the data of dev")
    assert f"with all that is in it, for good: AWS::DynamoDB::Table {table}" in shown
    assert f"deleted: AWS::DynamoDB::Table {table}" in shown
    assert tables() == []
    assert states() == []


def test_data_with_a_name_that_aws_made_up_is_not_promised_back(project: Project) -> None:
    bucket = """
    from troposphere.s3 import Bucket
    template.add_resource(Bucket("Logs", DeletionPolicy="Retain", UpdateReplacePolicy="Retain"))
    template.add_output(Output("TableName","""
    project.use(RESOURCES.replace('\n    template.add_output(Output("TableName",', bucket))
    assert project.run().returncode == 0
    cloudformation = boto3.client("cloudformation")
    logs = cloudformation.describe_stack_resource(StackName=STACK, LogicalResourceId="Logs")
    name = logs["StackResourceDetail"]["PhysicalResourceId"]

    kept = project.run("--delete", "--yes").stdout

    named, made_up = kept.split("kept, under names that only the deleted stack knew\n")
    assert f"kept\n  AWS::DynamoDB::Table {STACK}-{project.name}\n" in named
    assert name not in named.split("kept\n")[-1]
    assert made_up.startswith(f"  AWS::S3::Bucket {name}\n  another deployment makes new ones;")
    assert boto3.client("s3").head_bucket(Bucket=name)


def test_the_data_of_a_stage_is_not_deleted_by_a_flag_alone(project: Project) -> None:
    refused = project.run("--delete-data", "--yes")

    assert refused.returncode == 2
    assert "--delete-data is for --delete" in refused.stderr


def test_data_of_every_kind_is_deleted_whatever_protects_it(
    aws: EmbeddedAws, account: str, unique: str
) -> None:
    name = f"data-{unique}"
    s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=name, Key="a", Body=b"1")
    s3.put_object(Bucket=name, Key="a", Body=b"2")
    s3.delete_object(Bucket=name, Key="a")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        DeletionProtectionEnabled=True,
    )
    boto3.client("logs").create_log_group(logGroupName=name)
    boto3.client("secretsmanager").create_secret(Name=name, SecretString="s")
    key = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
    data = [
        Retained("AWS::DynamoDB::Table", name),
        Retained("AWS::KMS::Key", key),
        Retained("AWS::Logs::LogGroup", name),
        Retained("AWS::S3::Bucket", name),
        Retained("AWS::SecretsManager::Secret", name),
    ]
    shared = Retained("AWS::IAM::Role", "of-others")
    assert retained.existing(Account.of(), [*data, *data, shared]) == data

    notes = [retained.delete(Account.of(), each) for each in data]

    assert retained.existing(Account.of(), data) == []
    assert [bool(note) for note in notes] == [False, True, False, False, True]
    assert f"aws secretsmanager restore-secret --secret-id {name}" in notes[4]
    with pytest.raises(ClientError):
        s3.head_bucket(Bucket=name)
