"""What `--plan` says a deployment would change, and that it changes nothing itself."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.deploy.project import CHECKOUT, RESOURCES, STACK, Project
from tests.integration.deploy.snapshot import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import EmbeddedAws


@pytest.fixture
def project(account: str, tmp_path: Path, unique: str) -> Project:
    return Project(tmp_path / "first", f"shop-{unique}")


def plan(project: Project, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit status and document of a plan; the account is the same before and after."""
    before = snapshot()
    planned = project.run("--plan", "--json", *arguments)
    assert snapshot() == before
    assert planned.returncode in (0, 2), planned.stderr
    document: dict[str, Any] = json.loads(planned.stdout)
    return planned.returncode, document


def test_a_first_deployment_is_planned_and_then_nothing_is_left_to_change(
    project: Project,
) -> None:
    code, document = plan(project)

    assert (code, document["changes"]) == (2, True)
    assert [stack["stack"] for stack in document["stacks"]] == [
        "aws-architectures-artifacts",
        STACK,
    ]
    assert document["stacks"][1]["changes"] == [
        {
            "action": "Add",
            "logical_id": "Items",
            "type": "AWS::DynamoDB::Table",
            "replacement": "",
            "properties": [],
            "endangers_data": False,
        }
    ]
    app = document["app"]
    assert [(each["function"], each["action"]) for each in app["functions"]] == [
        (f"{project.name}-dev", "add")
    ]
    assert app["routes"] == [{"route": "GET /", "authorization": [None, "NONE"]}]
    assert app["rights"]["added"] == [
        {
            "holder": "api_handler",
            "effect": "Allow",
            "action": "dynamodb:GetItem",
            "resource": f"${{{STACK}.TableArn}}",
            "principal": "",
            "condition": "",
        }
    ]

    assert project.run().returncode == 0
    code, document = plan(project)
    assert (code, document["changes"]) == (0, False)
    assert document["app"]["functions"] == []


def test_every_kind_of_change_is_told(project: Project, account: str) -> None:
    extra = "\n\n@app.lambda_function()\ndef extra(event, context):\n    return {}\n"
    app = project.directory / "app.py"
    first = app.read_text()
    app.write_text(first + extra)
    project.use(RESOURCES.replace('["api_handler"]', '["api_handler", "extra"]'))
    assert project.run().returncode == 0
    packages = project.directory / ".chalice" / "deployments"
    size = next(packages.glob("*.zip")).stat().st_size

    # The function goes, a route comes and one is authorized otherwise; so do rights and settings.
    app.write_text(
        first.replace('@app.route("/")', '@app.route("/", authorizer=IAMAuthorizer())').replace(
            "import Chalice", "import Chalice, IAMAuthorizer"
        )
        + '\n\n@app.route("/items", methods=["POST"])\ndef create():\n    return {}\n'
    )
    project.use(
        RESOURCES.replace("dynamodb:GetItem", "dynamodb:PutItem")
        .replace('return {"TABLE"', 'return {"NEW": "1", "TABLE"')
        .replace('AttributeName="id"', 'AttributeName="key"')
    )
    config = json.loads(project.config.read_text())
    project.config.write_text(json.dumps(config | {"lambda_memory_size": 512}))

    code, document = plan(project)

    assert code == 2
    table = document["stacks"][1]["changes"][0]
    assert (table["logical_id"], table["endangers_data"]) == ("Items", True)
    changed, removed = document["app"]["functions"]
    assert (removed["function"], removed["action"]) == (f"{project.name}-dev-extra", "remove")
    assert changed["settings"] == {"memory_mb": [128, 512]}
    assert changed["environment"] == {"added": ["NEW"], "changed": [], "removed": []}
    assert changed["code"]["changes"]
    assert changed["code"]["bytes"][0] == size
    assert document["app"]["routes"] == [
        {"route": "GET /", "authorization": ["NONE", "AWS_IAM"]},
        {"route": "POST /items", "authorization": [None, "NONE"]},
    ]
    rights = document["app"]["rights"]
    assert [right["action"] for right in rights["added"]] == ["dynamodb:PutItem"]
    assert sorted((right["holder"], right["action"]) for right in rights["removed"]) == [
        ("api_handler", "dynamodb:GetItem"),
        ("extra", "dynamodb:GetItem"),
    ]

    shown = project.run("--plan").stdout
    table_arn = f"arn:aws:dynamodb:us-east-1:{account}:table/{STACK}-{project.name}"
    for line in (
        "replace  AWS::DynamoDB::Table  Items",
        "!! HOLDS DATA: the new resource starts empty",
        f"add right  api_handler: allow dynamodb:PutItem on {table_arn}",
        f"remove  function {project.name}-dev-extra",
        "memory_mb 128 -> 512",
        "environment variables added: NEW",
        "change  route GET /: authorization NONE -> AWS_IAM",
        "add  route POST /items (NONE)",
    ):
        assert line in shown


@pytest.mark.parametrize("part", ["image_api", "crud_api", "webtier", "monitoring"])
def test_a_first_deployment_of_each_part_is_planned(aws: EmbeddedAws, part: str) -> None:
    accounts = ("111111111111", "222222222222")
    before = [snapshot(account) for account in accounts]

    planned = subprocess.run(
        [sys.executable, "-m", "deploy", part, "--stage", "local", "--plan", "--json"],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert planned.returncode == 2, planned.stderr
    document = json.loads(planned.stdout)
    assert document["stacks"][-1]["changes"]
    assert (document["app"] is None) == (part in {"webtier", "monitoring"})
    assert any(stack["rights"]["added"] for stack in document["stacks"])
    assert [snapshot(account) for account in accounts] == before
