"""Stages in their accounts and regions: side by side, and refused anywhere else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.integration.deploy.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import EmbeddedAws

SETTINGS = """
[dev]
account = "ACCOUNT"

[prod]
account = "ACCOUNT"
region = "us-east-1"

[prod-eu]
account = "ACCOUNT"
region = "eu-west-1"
"""


@pytest.fixture
def project(account: str, tmp_path: Path, unique: str) -> Project:
    project = Project(tmp_path / "first", f"shop-{unique}")
    project.name_places(SETTINGS.replace("ACCOUNT", account))
    return project


def client(service: str, region: str) -> Any:
    return boto3.client(service, region_name=region)


def functions(region: str) -> dict[str, str]:
    """When each function was changed last."""
    listed = client("lambda", region).list_functions()["Functions"]
    return {function["FunctionName"]: function["LastModified"] for function in listed}


def stacks(region: str) -> list[str]:
    listed = client("cloudformation", region).describe_stacks()["Stacks"]
    return sorted(stack["StackName"] for stack in listed)


@pytest.mark.parametrize("command", [(), ("--plan",), ("--delete", "--yes"), ("--redrive",)])
def test_another_account_is_refused_before_anything_is_touched(
    project: Project, account: str, command: tuple[str, ...]
) -> None:
    project.name_places(SETTINGS.replace("ACCOUNT", "999999999999"))

    refused = project.run(*command)

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: the credentials lead to account {account}, us-east-1")
    assert "the stage's account in stages.toml is 999999999999" in refused.stderr
    assert stacks("us-east-1") == []
    assert client("s3", "us-east-1").list_buckets()["Buckets"] == []


def test_another_region_is_refused_before_anything_is_touched(project: Project) -> None:
    refused = project.run(stage="prod-eu")

    assert refused.returncode == 1
    assert "the stage's region in stages.toml is eu-west-1" in refused.stderr
    assert stacks("us-east-1") == []


def test_stages_live_side_by_side_in_one_account_and_several_regions(
    aws: EmbeddedAws, project: Project, account: str, tmp_path: Path
) -> None:
    europe = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-1"}
    for stage, environment in (("dev", {}), ("prod", {}), ("prod-eu", europe)):
        deployed = project.run(stage=stage, **environment)
        assert (deployed.returncode, deployed.stderr) == (0, "")

    bucket = "aws-architectures-artifacts"
    assert stacks("us-east-1") == [bucket, "crud-api-dev", "crud-api-prod"]
    assert stacks("eu-west-1") == [bucket, "crud-api-prod-eu"]
    assert len(client("apigateway", "us-east-1").get_rest_apis()["items"]) == 2
    assert len(client("apigateway", "eu-west-1").get_rest_apis()["items"]) == 1
    before = functions("us-east-1"), functions("eu-west-1")
    assert [sorted(names) for names in before] == [
        [f"{project.name}-dev", f"{project.name}-prod"],
        [f"{project.name}-prod-eu"],
    ]
    state = client("s3", "eu-west-1").get_object(
        Bucket=f"{bucket}-{account}-eu-west-1", Key="state/crud_api/prod-eu.json"
    )
    assert json.loads(state["Body"].read())["region"] == "eu-west-1"

    # From a fresh clone, dev changes and the others do not.
    clone = project.clone(tmp_path / "second")
    assert clone.run().returncode == 0
    after = functions("us-east-1"), functions("eu-west-1")
    assert after[0].pop(f"{project.name}-dev") > before[0].pop(f"{project.name}-dev")
    assert after == before

    # The same stage in a second region would take the rights of the first one's functions.
    refused = project.clone(tmp_path / "third").run(**europe)
    assert refused.returncode == 1
    assert "its roles are the account's in all regions" in refused.stderr
    assert "crud-api-dev" not in stacks("eu-west-1")
