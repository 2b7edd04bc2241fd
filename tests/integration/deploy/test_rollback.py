"""An earlier version of an app, deployed again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.integration.deploy.project import RESOURCES, Project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import EmbeddedAws

TABLE = 'return {"table": TABLE}'


@pytest.fixture
def project(account: str, tmp_path: Path, unique: str) -> Project:
    return Project(tmp_path / "first", f"shop-{unique}")


def answer(project: Project, path: str = "/") -> Any:
    """What the stage's function says to a request."""
    event = {
        "requestContext": {"httpMethod": "GET", "resourcePath": path},
        "headers": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": {},
        "body": None,
        "stageVariables": None,
        "isBase64Encoded": False,
    }
    response = boto3.client("lambda").invoke(
        FunctionName=f"{project.name}-dev", Payload=json.dumps(event)
    )
    return json.loads(json.loads(response["Payload"].read())["body"])


def routes() -> set[str]:
    gateway = boto3.client("apigateway")
    [api] = gateway.get_rest_apis()["items"]
    return {each["path"] for each in gateway.get_resources(restApiId=api["id"])["items"]}


def configuration(project: Project) -> dict[str, Any]:
    function: dict[str, Any] = boto3.client("lambda").get_function_configuration(
        FunctionName=f"{project.name}-dev"
    )
    return function


def allowed(project: Project) -> str:
    role = f"{project.name}-dev-api_handler"
    policy = boto3.client("iam").get_role_policy(RoleName=role, PolicyName=role)["PolicyDocument"]
    action: str = policy["Statement"][0]["Action"]
    return action


def test_code_routes_settings_and_rights_of_the_version_before_come_back(
    aws: EmbeddedAws, project: Project, tmp_path: Path
) -> None:
    app = project.directory / "app.py"
    app.write_text(app.read_text().replace(TABLE, 'return {"version": "first"}'))
    assert project.run().returncode == 0
    first = configuration(project)
    app.write_text(
        app.read_text().replace("first", "second")
        + '\n\n@app.route("/new")\ndef new():\n    return {}\n'
    )
    project.use(RESOURCES.replace("dynamodb:GetItem", "dynamodb:PutItem"))
    config = json.loads(project.config.read_text())
    project.config.write_text(json.dumps(config | {"lambda_memory_size": 512}))
    assert project.run().returncode == 0
    assert answer(project) == {"version": "second"}
    assert "/new" in routes()

    # Another machine, whose checkout is at the second version too.
    clone = project.clone(tmp_path / "second")
    rolled_back = clone.run("--rollback")

    assert (rolled_back.returncode, rolled_back.stderr) == (0, "")
    assert "goes back to version 1 " in rolled_back.stdout
    assert answer(project) == {"version": "first"}
    assert "/new" not in routes()
    assert allowed(project) == "dynamodb:GetItem"
    now = configuration(project)
    assert (now["CodeSha256"], now["MemorySize"]) == (first["CodeSha256"], first["MemorySize"])
    listed = clone.run("--versions").stdout.splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [["2", listed[1].split()[1]], ["*", "1"]]

    nothing = clone.run("--rollback")
    assert nothing.returncode == 1
    assert "has no earlier version at the stage dev: its versions are 1, 2" in nothing.stderr

    # The state is right for what comes next: forward again, then a new version.
    assert clone.run("--rollback", "2").returncode == 0
    assert answer(project) == {"version": "second"}
    app.write_text(app.read_text().replace("second", "third"))
    deployed = project.run()
    assert deployed.returncode == 0
    assert "version 3" in deployed.stdout
    assert "taken over" not in deployed.stdout
    assert answer(project) == {"version": "third"}
    assert len(boto3.client("apigateway").get_rest_apis()["items"]) == 1


def test_what_cannot_be_rolled_back_is_named(project: Project) -> None:
    refused = project.run("--rollback", "7")

    assert refused.returncode == 1
    assert "crud_api has no version 7 at the stage dev: its versions are none" in refused.stderr
    assert "there are none: deploy it first" in project.run("--versions").stdout
