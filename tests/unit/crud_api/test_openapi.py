import base64
import hashlib
import importlib
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client
from jsonschema import Draft202012Validator

from crud_api import gateway, resources
from crud_api.chalicelib import items, openapi_operations, problems, strict_json

PART = Path(resources.__file__).parent
COMMITTED = (PART / "openapi.json").read_text()
DOCUMENT: dict[str, Any] = json.loads(COMMITTED)
ENVIRONMENT = {
    "CURSOR_SECRET": "cursor-key",
    "ITEMS_TABLE": "items",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "-",
    "AWS_SECRET_ACCESS_KEY": "-",
    "CORS_ORIGIN": "",
}


def open_app(load_app):
    return load_app("crud_api", ENVIRONMENT | {"API_AUTH": "none"}).app


def get(app, path, **headers):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Client(app).http.get(path, headers=fields)


def operations():
    return {
        operation["operationId"]: operation
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
    }


def values(node):
    """Every value in a JSON document."""
    yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from values(child)


@pytest.mark.parametrize("auth", ["none", "iam"])
def test_the_committed_document_is_what_the_code_says(load_app, auth):
    module = load_app("crud_api", ENVIRONMENT | {"API_AUTH": auth})
    openapi = importlib.import_module("chalicelib.openapi")
    assert openapi.text(module.app.routes) == COMMITTED, "run python crud_api/write_openapi.py"


def test_it_costs_nothing_while_the_function_starts(load_app):
    open_app(load_app)
    assert not {"chalicelib.contract", "chalicelib.openapi"} & sys.modules.keys()


def test_the_check_command_finds_drift(tmp_path):
    command = [sys.executable, PART / "write_openapi.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    # The same in a copy whose file is old.
    copy = tmp_path / "crud_api"
    shutil.copytree(PART, copy, ignore=shutil.ignore_patterns(".chalice", "__pycache__"))
    (copy / "openapi.json").write_text(COMMITTED.replace('"title": "Items"', '"title": "Things"'))
    command = [sys.executable, copy / "write_openapi.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert '-    "title": "Things",' in done.stdout.splitlines()
    assert '+    "title": "Items",' in done.stdout.splitlines()


def test_it_describes_every_route(load_app):
    described = {
        (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    assert described == {
        (method, path)
        for path, methods in open_app(load_app).routes.items()
        for method, entry in methods.items()
        if entry.view_name != "refuse"
    }
    assert operations().keys() == openapi_operations.OPERATIONS.keys()


def test_every_reference_leads_somewhere():
    for value in values(DOCUMENT):
        if isinstance(value, dict) and isinstance(value.get("$ref"), str):
            target: Any = DOCUMENT
            for name in value["$ref"].removeprefix("#/").split("/"):
                target = target[name]


def test_every_schema_is_json_schema():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema | {"components": DOCUMENT["components"]})
        for example in schema.get("examples", ()):
            assert validator.is_valid(example), name


def test_it_names_every_problem_of_the_catalogue_and_no_other():
    named = set()
    for response in DOCUMENT["components"]["responses"].values():
        [content] = response["content"].values()
        properties = content["schema"]["properties"]
        named |= {(kind, properties["status"]["const"]) for kind in properties["type"]["enum"]}
    # Only ever inside the answer to a batch.
    expected = {*problems.CATALOGUE, *openapi_operations.COMMON} - {problems.FAILED_DEPENDENCY}
    assert named == {(kind.uri, kind.status) for kind in expected}


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ({"name": "a"}, True),
        ({}, False),
        ({"name": ""}, False),
        ({"name": "a" * 200}, True),
        ({"name": "a" * 201}, False),
        ({"name": "a", "tags": ["b", "b"]}, False),
        ({"name": "a", "version": 1}, False),
        ({"name": "a", "attributes": {"n": [0, 1.5, -1e125, 1e-130, None, {"": "x"}]}}, True),
        ({"name": "a", "attributes": {"n": 1e126}}, False),
        ({"name": "a", "attributes": {"n": 1e-131}}, False),
    ],
)
def test_the_model_of_an_item_is_as_strict_as_the_code(value, valid):
    schema = {"$ref": "#/components/schemas/ItemContent", "components": DOCUMENT["components"]}
    assert Draft202012Validator(schema).is_valid(value) is valid
    try:
        items.content_of(strict_json.loads(json.dumps(value).encode()))
        accepted = True
    except (items.InvalidItemError, strict_json.InvalidJsonError):
        accepted = False
    assert accepted is valid


def test_it_is_served_with_an_etag(load_app):
    app = open_app(load_app)
    answer = get(app, "/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json_body == DOCUMENT
    again = get(app, "/openapi.json", If_None_Match=answer.headers["ETag"])
    assert (again.status_code, again.body) == (304, b"")
    assert again.headers["ETag"] == answer.headers["ETag"]


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.ids, self.text = set(), [], set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        fields = dict(attrs)
        self.links += [fields[name] for name in ("href", "src") if name in fields]
        self.ids |= {fields["id"]} if "id" in fields else set()

    def handle_data(self, data):
        self.text += data


def test_the_page_has_all_of_it_and_nothing_from_elsewhere(load_app):
    answer = get(open_app(load_app), "/docs")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    page = Page(answer.body.decode())
    assert not page.tags & {"script", "img", "link", "iframe", "object"}
    assert page.ids >= operations().keys()
    assert page.ids >= {f"model-{name}" for name in DOCUMENT["components"]["schemas"]}
    for link in page.links:
        assert link == "openapi.json" or link.removeprefix("#") in page.ids, link
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in page.text
            assert operation["summary"] in page.text


def test_the_page_may_load_nothing(load_app):
    answer = get(open_app(load_app), "/docs")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    [style] = re.findall("<style>(.*?)</style>", answer.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nothing", 404, None),
        ("GET", "/", 404, None),
        ("DELETE", "/items", 405, {"GET", "POST"}),
        ("POST", "/items/a", 405, {"DELETE", "GET", "PATCH", "PUT"}),
        ("GET", "/items:batch", 405, {"POST"}),
        ("POST", "/docs", 405, {"GET"}),
    ],
)
def test_what_has_no_route_is_refused_with_a_problem(load_app, method, path, status, allow):
    answer = Client(open_app(load_app)).http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json_body["status"] == status
    assert (set(answer.headers["Allow"].split(", ")) if allow else None) == allow


def gateway_event(method, path):
    """What API Gateway sends where its greedy resource takes the request."""
    return {
        "requestContext": {
            "httpMethod": method,
            "resourcePath": "/{proxy+}",
            "path": f"/api{path}",
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "headers": {},
        "pathParameters": {"proxy": path.removeprefix("/")},
        "multiValueQueryStringParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/items/a/b", 404, None),
        ("PUT", "/items", 405, "GET, POST"),
        ("POST", "/items/a", 405, "DELETE, GET, PATCH, PUT"),
    ],
)
def test_the_greedy_route_tells_wrong_path_from_wrong_method(load_app, method, path, status, allow):
    answer = open_app(load_app)(gateway_event(method, path), None)
    assert answer["statusCode"] == status
    assert answer["headers"].get("Allow") == allow


def test_gateway_responses_are_problems_the_document_knows():
    known = {kind.uri: kind for kind in (*openapi_operations.COMMON, *problems.CATALOGUE)}
    known |= {kind.uri: kind for kind in (openapi_operations.NOT_FOUND,)}
    for name, response in gateway.responses({}).items():
        [template] = response["responseTemplates"].values()
        document = json.loads(
            template.replace("$context.error.messageString", '"a"').replace(
                "$context.requestId", ""
            )
        )
        schema = {"$ref": "#/components/schemas/Problem", "components": DOCUMENT["components"]}
        Draft202012Validator(schema).validate(document)
        assert str(document["status"]) == response["statusCode"], name
        if document["type"] != "/problems/bad-request":
            kind = known[document["type"]]
            assert (document["status"], document["title"]) == (kind.status, kind.title), name


def test_gateway_responses_let_the_page_of_the_stage_read_them():
    origin = "gatewayresponse.header.Access-Control-Allow-Origin"
    for response in gateway.responses({"CORS_ORIGIN": "https://a.example"}).values():
        assert response["responseParameters"][origin] == "'https://a.example'"
    for response in gateway.responses({}).values():
        assert origin not in response["responseParameters"]
