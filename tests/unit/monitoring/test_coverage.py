"""Nothing runs unwatched: everything in every template and app, against the alarms there are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crud_api import per_operation
from monitoring import build, inventory
from monitoring.cloudformation import Document

ROOT = Path(__file__).resolve().parents[3]
STAGE = "prod"
STACKS = {
    "image_api": f"image-api-{STAGE}",
    "crud_api": f"crud-api-{STAGE}",
    "monitoring": f"monitoring-{STAGE}",
    "workload": f"monitoring-workload-{STAGE}",
    "webtier": f"webtier-{STAGE}",
}
NAMES = {
    "AWS::ApiGateway::RestApi": ("ApiName", "Name"),
    "AWS::DynamoDB::Table": ("TableName", "TableName"),
    "AWS::Lambda::Function": ("FunctionName", "FunctionName"),
    "AWS::SQS::Queue": ("QueueName", "QueueName"),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Every template, as its command writes it."""
    folder = tmp_path_factory.mktemp("templates")
    for command in (
        "image_api/resources.py",
        "crud_api/resources.py",
        "webtier/build.py",
        "monitoring/build.py",
    ):
        subprocess.run(
            [sys.executable, command, "--output", folder], cwd=ROOT, check=True, capture_output=True
        )
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


@pytest.fixture(scope="module")
def watched(written: dict[str, dict[str, Any]]) -> set[tuple[str, str]]:
    """The dimensions that any alarm reads."""
    found = set()
    for resource in written["monitoring"]["Resources"].values():
        if resource["Type"] != "AWS::CloudWatch::Alarm":
            continue
        for query in resource["Properties"].get("Metrics", ()):
            metric = query.get("MetricStat", {}).get("Metric", {})
            found |= {(one["Name"], one["Value"]) for one in metric.get("Dimensions", ())}
    return found


def test_everything_in_every_template_is_watched(
    written: dict[str, dict[str, Any]], watched: set[tuple[str, str]]
) -> None:
    assert set(STACKS) <= set(written)
    seen = 0
    for name, body in written.items():
        stack = STACKS.get(name, f"{name.replace('_', '-')}-{STAGE}")
        values = dict.fromkeys(body.get("Parameters", {}), "parameter") | {
            "AWS::StackName": stack,
            "AWS::StackId": f"arn:aws:cloudformation:us-east-1:1:stack/{stack}/id",
        }
        document = Document(body, values)
        # CloudFormation watches these itself: a deployment fails where they do.
        of_deployment = {
            resource["Properties"]["ServiceToken"]["Fn::GetAtt"][0]
            for resource in body["Resources"].values()
            if resource["Type"].startswith("Custom::")
        }
        for logical_id, kind, resource in document.resources():
            if kind not in NAMES or logical_id in of_deployment:
                continue
            dimension, member = NAMES[kind]
            assert member in resource["Properties"], f"{name}: {logical_id} has no name"
            value = document.value(resource["Properties"][member])
            assert (dimension, value) in watched, f"{name}: {logical_id} is not watched"
            seen += 1
    assert seen >= 8


def test_every_function_and_api_of_every_app_is_watched(watched: set[tuple[str, str]]) -> None:
    projects = inventory.projects()
    assert {project.name for project in projects} == {"image_api", "crud_api"}
    for project in projects:
        service = inventory.read(project, STAGE)
        assert service.functions
        for function in service.functions:
            assert ("FunctionName", function.name) in watched
        assert service.rest_api is not None
        assert ("ApiName", service.rest_api.name) in watched


def test_every_operation_of_the_crud_api_is_watched(watched: set[tuple[str, str]]) -> None:
    (crud_api,) = (one for one in build.services(STAGE) if one.name == "crud_api")
    assert {one.key for one in crud_api.functions} == {"api_handler", *per_operation.FUNCTIONS}
    for name in per_operation.FUNCTIONS:
        assert ("FunctionName", f"crud_api-{STAGE}-{name}") in watched


def test_the_failure_queue_of_the_image_api_can_be_put_back() -> None:
    (image_api,) = (one for one in build.services(STAGE) if one.name == "image_api")
    (process,) = (one for one in image_api.functions if one.key == "process")
    queue = image_api.failures_of(process)
    assert queue is not None
    assert queue.purpose == "dead-letters"


@pytest.mark.parametrize("module", ["runbooks", "scenarios"])
def test_the_written_pages_are_up_to_date(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"monitoring.{module}", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
