"""A function for each operation, deployed by the command, with signed calls and enforced IAM."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from crud_api import per_operation, resources
from sandbox import environment

PART = Path(resources.__file__).parent
STAGE = "dev"


class Deployment:
    """The part at a stage that asks for signatures, in a copy of its own."""

    def __init__(self, aws, root):
        self.aws, self.root = aws, root
        shutil.copytree(
            PART,
            root / "crud_api",
            symlinks=True,
            ignore=shutil.ignore_patterns("deploy*", "__pycache__"),
        )
        self.run("--per-operation")

    def run(self, *options: str, fails: bool = False) -> str:
        command = [sys.executable, "-m", "deploy", "crud_api", "--stage", STAGE, *options]
        done = subprocess.run(
            [*command, "--root", self.root],
            cwd=PART.parent,
            env=environment.environment(
                {"PATH": "/usr/bin:/bin"}, self.aws.endpoint, self.aws.directory
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (1 if fails else 0), done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def url(self) -> str:
        apis = self.aws.client("apigateway").get_rest_apis()["items"]
        [api] = [api["id"] for api in apis if api["name"] == per_operation.APP_NAME]
        return f"{self.aws.endpoint}/_aws/execute-api/{api}/api"

    def request(self, method: str, path: str, document: Any = None, **headers: str):
        """A request signed by the administrator of the account."""
        body = b"" if document is None else json.dumps(document).encode()
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if document is not None:
            fields["Content-Type"] = "application/json"
        request = AWSRequest(method, self.url + path, headers=fields, data=body)
        session = boto3.Session(environment.WORKLOAD_ACCOUNT, environment.SECRET_ACCESS_KEY)
        SigV4Auth(session.get_credentials(), "execute-api", environment.REGION).add_auth(request)
        return httpx.request(
            method, request.url, headers=dict(request.headers), content=body, timeout=30
        )

    def invoke(self, function: str, method: str, path: str, item_id: str, body: str) -> int:
        """Send the event of a route to a function, whichever it is; return the status code."""
        event = {
            "requestContext": {
                "httpMethod": method,
                "resourcePath": path,
                "path": f"/api{path}",
                "identity": {},
            },
            "headers": {"content-type": "application/json", "if-match": "*"},
            "pathParameters": {"item_id": item_id} if "{" in path else None,
            "multiValueQueryStringParameters": None,
            "stageVariables": None,
            "body": body,
            "isBase64Encoded": False,
        }
        name = f"{per_operation.APP_NAME}-{STAGE}" + (f"-{function}" if function else "")
        answer = self.aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        assert "FunctionError" not in answer
        status: int = json.loads(answer["Payload"].read())["statusCode"]
        return status


@pytest.fixture(scope="module")
def deployment(embedded_aws, tmp_path_factory):
    deployed = Deployment(embedded_aws, tmp_path_factory.mktemp("per-operation"))
    yield deployed
    deployed.run("--delete", "--yes")
    client = embedded_aws.client("dynamodb")
    client.update_table(TableName="crud-api-dev-items", DeletionProtectionEnabled=False)
    client.delete_table(TableName="crud-api-dev-items")


def test_the_life_of_an_item_by_functions_of_its_own(deployment):
    created = deployment.request("POST", "/items", {"name": "a", "tags": ["t"]})
    assert created.status_code == 201, created.text
    path, etag = f"/items/{created.json()['id']}", created.headers["ETag"]
    assert deployment.request("GET", path).json() == created.json()
    listed = deployment.request("GET", "/items?tag=t")
    assert listed.json()["items"] == [created.json()]
    patched = deployment.request("PATCH", path, {"tags": ["u"]}, If_Match=etag)
    assert patched.status_code == 200, patched.text
    put = deployment.request("PUT", path, {"name": "b"}, If_Match=patched.headers["ETag"])
    assert put.status_code == 200, put.text
    assert deployment.request("DELETE", path).status_code == 204
    keyed = [
        deployment.request("POST", "/items", {"name": "c", "tags": ["t"]}, Idempotency_Key="k")
        for _ in range(2)
    ]
    assert [answer.status_code for answer in keyed] == [201, 201], keyed[1].text
    assert keyed[0].json() == keyed[1].json()
    item_id = keyed[0].json()["id"]
    for query in ("", "?atomic=true"):
        batch = deployment.request(
            "POST",
            f"/items:batch{query}",
            {
                "operations": [
                    {"op": "create", "item": {"name": "d", "tags": ["t"]}},
                    {"op": "replace", "id": item_id, "if_match": "*", "item": {"name": "e"}},
                ]
            },
        )
        statuses = [result["status"] for result in batch.json()["results"]]
        assert statuses == [201, 200], batch.text


def test_each_operation_runs_in_its_own_function(deployment):
    functions = {
        function["FunctionName"]: function
        for page in deployment.aws.client("lambda").get_paginator("list_functions").paginate()
        for function in page["Functions"]
    }
    names = {f"crud_api-dev-{name}" for name in per_operation.FUNCTIONS} | {"crud_api-dev"}
    assert names <= functions.keys()
    assert len({functions[name]["Role"] for name in names}) == len(names)
    for name, function in per_operation.FUNCTIONS.items():
        assert functions[f"crud_api-dev-{name}"]["MemorySize"] == function.memory


@pytest.mark.parametrize("function", ["get_item", "list_items", ""])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/items"),
        ("POST", "/items:batch"),
        ("PUT", "/items/{item_id}"),
        ("PATCH", "/items/{item_id}"),
        ("DELETE", "/items/{item_id}"),
    ],
)
def test_readers_cannot_write(deployment, function, method, path):
    """The code of every function is the same: what a reader lacks is the permission."""
    kept = deployment.request("POST", "/items", {"name": "kept", "tags": ["kept"]})
    item_id = kept.json()["id"]
    body = '{"name": "changed"}'
    if path == "/items:batch":
        body = json.dumps({"operations": [{"op": "delete", "id": item_id}]})
    writer = deployment.invoke("write_items", "POST", "/items:batch", item_id, '{"operations": []}')
    assert writer == 400, "the events reach the handlers"
    status = deployment.invoke(function, method, path, item_id, body)
    if path == "/items:batch":
        assert status in (200, 500, 503)
    else:
        assert status == 500
    assert deployment.request("GET", f"/items/{item_id}").json() == kept.json()


def test_who_creates_reads_and_deletes_nothing(deployment):
    kept = deployment.request("POST", "/items", {"name": "kept"}).json()
    route = "/items/{item_id}"
    assert deployment.invoke("get_item", "GET", route, kept["id"], "") == 200
    assert deployment.invoke("create_item", "GET", route, kept["id"], "") == 500
    assert deployment.invoke("create_item", "DELETE", route, kept["id"], "") == 500
    assert deployment.request("GET", f"/items/{kept['id']}").json() == kept


def test_a_writer_reads_no_list(deployment):
    assert deployment.invoke("list_items", "GET", "/items", "", "") == 200
    for function in ("create_item", "delete_item", "put_item", ""):
        assert deployment.invoke(function, "GET", "/items", "", "") == 500


@pytest.mark.parametrize("path", ["/items", "/openapi.json", "/docs", "/nothing"])
def test_an_unsigned_call_gets_403(deployment, path):
    answer = httpx.get(deployment.url + path)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/forbidden"
    assert deployment.request("GET", path).status_code == (404 if path == "/nothing" else 200)


def test_the_stage_is_throttled_logged_and_measured(deployment):
    gateway = deployment.aws.client("apigateway")
    api = deployment.url.split("/")[-2]
    stage = gateway.get_stage(restApiId=api, stageName="api")
    assert stage["accessLogSettings"]["destinationArn"].endswith("/aws/apigateway/crud-api-dev")
    settings = stage["methodSettings"]["*/*"]
    assert settings["metricsEnabled"] is True
    assert settings["throttlingRateLimit"] > 0
    logs = deployment.aws.client("logs").describe_log_groups(
        logGroupNamePrefix="/aws/lambda/crud_api-dev"
    )["logGroups"]
    assert len(logs) == len(per_operation.FUNCTIONS) + 1
    assert all(group["retentionInDays"] == 30 for group in logs)


def test_the_two_ways_of_deployment_exclude_each_other(deployment):
    message = deployment.run(fails=True)
    assert "has a function per operation at the stage dev: add --per-operation" in message


def test_a_second_deployment_changes_nothing(deployment):
    assert "nothing would change" in deployment.run("--per-operation", "--plan")


def test_calls_are_in_the_access_log(deployment):
    deployment.request("GET", "/items/in-the-log", Secret="a header")
    httpx.get(f"{deployment.url}/items/in-the-log")
    events = deployment.aws.client("logs").filter_log_events(
        logGroupName="/aws/apigateway/crud-api-dev"
    )["events"]
    lines = [json.loads(event["message"]) for event in events if "in-the-log" in event["message"]]
    assert [line["status"] for line in lines] == ["404", "403"]
    assert [line["path"] for line in lines] == ["/api/items/in-the-log"] * 2
    assert [line["caller"] == "-" for line in lines] == [False, True]
    assert lines[0]["resourcePath"] == "/items/{item_id}"
    assert "a header" not in str(lines)
