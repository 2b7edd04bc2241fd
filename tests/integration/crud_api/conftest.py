import json
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from chalice.test import Client

from crud_api import resources
from tests.integration.crud_api.contract import assert_described


@dataclass(frozen=True)
class Api:
    """The app in this process, on the table of a stack."""

    module: Any
    outputs: dict[str, str]

    @property
    def table(self):
        return self.module.table

    def request(self, method, path, document=None, body=None, **headers):
        """`document` is sent as JSON; the names of headers have _ for -."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if document is not None:
            body = json.dumps(document).encode()
            fields.setdefault("Content-Type", "application/json")
        client = Client(self.module.app)
        response = client.http.request(method, path, headers=fields, body=body or b"")
        assert_described(method, path, response.status_code, response.headers, response.body)
        return response

    def create(self, **members):
        """Create an item, return its representation and ETag."""
        response = self.request("POST", "/items", {"name": "a", **members})
        assert response.status_code == 201, response.body
        return response.json_body, response.headers["ETag"]


@pytest.fixture(scope="session")
def outputs(embedded_aws):
    """The outputs of a stack all tests may use that do not list items."""
    client = embedded_aws.client("cloudformation")
    name = f"crud-api-{uuid.uuid4().hex[:12]}"
    client.create_stack(
        StackName=name,
        TemplateBody=resources.template().to_json(),
        Parameters=[{"ParameterKey": "DeletionProtection", "ParameterValue": "false"}],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.2})
    [stack] = client.describe_stacks(StackName=name)["Stacks"]
    yield {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    client.delete_stack(StackName=name)


@pytest.fixture
def api(aws, outputs, load_app):
    environment = {
        "API_AUTH": "none",
        "CORS_ORIGIN": "*",
        "STAGE": "local",
        **resources.environment(outputs),
    }
    return Api(load_app("crud_api", environment), outputs)


def assert_problem(response, status, slug, pointers=None):
    """The response is a problem document of that type, with the headers every error has."""
    members = json.loads(response.body)
    assert response.status_code == status, members
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert members["status"] == status
    assert members["type"] == f"/problems/{slug}"
    assert members["title"]
    assert members["detail"]
    assert members["instance"].startswith("urn:uuid:")
    if pointers is not None:
        assert [error["pointer"] for error in members["errors"]] == pointers
    return members


@pytest.fixture(name="assert_problem")
def assert_problem_fixture():
    return assert_problem


@pytest.fixture
def no_pauses(api, monkeypatch):
    """The next attempt is made at once; how many there are is what those tests look at."""
    monkeypatch.setattr("chalicelib.retries.FIRST_PAUSE", 0.0)


@pytest.fixture
def inject(api):
    """Let a function see each request of an operation before it is sent, and answer it."""

    def register(operation, function):
        name = "before-send.dynamodb" + (f".{operation}" if operation else "")
        api.table._client.meta.events.register(name, function)

    return register


@pytest.fixture
def spent(api):
    """Run a request, and tell what it spent: (operations, read units, write units of the table,
    and of the index). What DynamoDB says of it, on the scale of DynamoDB."""
    events = api.table._client.meta.events
    names, consumed = [], []

    def ask(params, **_):
        if "RequestItems" in params or "TableName" in params or "TransactItems" in params:
            params["ReturnConsumedCapacity"] = "INDEXES"

    def note(parsed, model, **_):
        names.append(model.name)
        capacity = parsed.get("ConsumedCapacity", [])
        if model.name == "BatchGetItem" and not capacity:
            # The embedded AWS says nothing here. On AWS: a unit for each 4 KB of each item.
            sizes = [
                len(json.dumps(item)) for part in parsed["Responses"].values() for item in part
            ]
            capacity = [{"CapacityUnits": float(sum(-(-size // 4_096) for size in sizes))}]
        consumed.extend([capacity] if isinstance(capacity, dict) else capacity)

    events.register("provide-client-params.dynamodb", ask)
    events.register("after-call.dynamodb", note)

    def run(method, path, document=None, **headers):
        names.clear()
        consumed.clear()
        response = api.request(method, path, document, **headers)
        assert response.status_code < 300, response.body
        index = sum(
            arm["CapacityUnits"]
            for entry in consumed
            for arm in entry.get("GlobalSecondaryIndexes", {}).values()
        )
        total = sum(entry["CapacityUnits"] for entry in consumed)
        return response, list(names), total - index, index

    return run
