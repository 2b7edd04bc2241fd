"""DynamoDB throttles, fails, loses an answer or is not there."""

import json
from types import SimpleNamespace

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.httpsession import URLLib3Session


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """botocore tries again at once; how often it does is what these tests look at."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))


class Raw:
    """The body of an answer, as botocore reads it."""

    def __init__(self, body):
        self.body = body

    def stream(self, *arguments, **options):
        yield self.body


def answer(request, status, code):
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}).encode()
    headers = {"content-type": "application/x-amz-json-1.0"}
    return AWSResponse(request.url, status, headers, Raw(body))


@pytest.fixture
def inject(api):
    """Let a function see each request of an operation before it is sent, and answer it."""
    events = api.table._client.meta.events

    def register(operation, function):
        events.register(f"before-send.dynamodb.{operation}", function)

    return register


def lose_first_answer(inject, operation):
    """Deliver the first request, and let botocore see a failure where the answer should be."""
    sent = []

    def deliver(request, **_):
        sent.append(request)
        if len(sent) > 1:
            return None
        delivered = URLLib3Session().send(request)
        assert delivered.status_code == 200
        return answer(request, 500, "InternalServerError")

    inject(operation, deliver)
    return sent


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ThrottlingException"),
        (400, "ProvisionedThroughputExceededException"),
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
    ],
)
def test_what_stays_unavailable_is_a_503(api, assert_problem, inject, status, code):
    sent = []

    def fail(request, **_):
        sent.append(request)
        return answer(request, status, code)

    inject("GetItem", fail)
    response = api.request("GET", "/items/x")
    members = assert_problem(response, 503, "storage-unavailable")
    assert response.headers["Retry-After"] == "2"
    assert code not in json.dumps(members)
    assert len(sent) == 3


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "/items", "PutItem"),
        ("PUT", "/items/x", "UpdateItem"),
        ("DELETE", "/items/x", "DeleteItem"),
        ("GET", "/items", "Query"),
    ],
)
def test_every_operation_answers_with_a_503(api, assert_problem, inject, method, path, operation):
    inject(operation, lambda request, **_: answer(request, 400, "ThrottlingException"))
    document = {"name": "a"} if method in ("POST", "PUT") else None
    response = api.request(method, path, document, If_Match="*")
    assert_problem(response, 503, "storage-unavailable")


def test_one_throttle_is_not_noticed(api, inject):
    answers = []

    def throttle_once(request, **_):
        answers.append(request)
        return answer(request, 400, "ThrottlingException") if len(answers) == 1 else None

    inject("PutItem", throttle_once)
    api.create()
    assert len(answers) == 2


def test_a_table_that_cannot_be_reached_is_a_503(api, assert_problem, monkeypatch):
    nowhere = boto3.client(
        "dynamodb",
        endpoint_url="http://127.0.0.1:1",
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )
    monkeypatch.setattr(api.table, "_client", nowhere)
    assert_problem(api.request("GET", "/items"), 503, "storage-unavailable")


def test_a_missing_permission_is_a_500_without_internals(
    api, assert_problem, inject, caplog, monkeypatch
):
    monkeypatch.setattr(api.module.app.log, "propagate", True)
    inject("GetItem", lambda request, **_: answer(request, 400, "AccessDeniedException"))
    response = api.request("GET", "/items/x")
    assert_problem(response, 500, "internal-server-error")
    assert b"AccessDenied" not in response.body
    assert "AccessDeniedException" in caplog.text


def test_a_create_whose_answer_was_lost(api, inject):
    sent = lose_first_answer(inject, "PutItem")
    item, etag = api.create(name="once")
    assert len(sent) == 2
    response = api.request("GET", f"/items/{item['id']}")
    assert (response.json_body, response.headers["ETag"]) == (item, etag)


def test_a_create_by_put_whose_answer_was_lost(api, inject):
    lose_first_answer(inject, "PutItem")
    response = api.request("PUT", "/items/mine", {"name": "a"}, If_None_Match="*")
    assert response.status_code == 201


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_change_whose_answer_was_lost(api, inject, method):
    item, etag = api.create()
    sent = lose_first_answer(inject, "UpdateItem")
    response = api.request(method, f"/items/{item['id']}", {"name": "b"}, If_Match=etag)
    assert len(sent) == 2
    assert (response.status_code, response.json_body["version"]) == (200, 2)


def test_a_delete_whose_answer_was_lost(api, inject):
    item, etag = api.create()
    sent = lose_first_answer(inject, "DeleteItem")
    assert api.request("DELETE", f"/items/{item['id']}", If_Match=etag).status_code == 204
    assert len(sent) == 2


@pytest.mark.parametrize("if_match", ["{etag}", "*"])
def test_a_write_between_read_and_write_of_a_patch(api, assert_problem, inject, if_match):
    item, etag = api.create()
    path = f"/items/{item['id']}"
    others = []

    def overtake(request, **_):
        if not others:
            others.append(request)
            others.append(api.request("PUT", path, {"name": "other"}, If_Match="*"))

    inject("UpdateItem", overtake)
    response = api.request("PATCH", path, {"description": "d"}, If_Match=if_match.format(etag=etag))
    assert others[1].status_code == 200
    if if_match == "*":
        assert_problem(response, 409, "edit-conflict")
    else:
        assert_problem(response, 412, "precondition-failed")
        assert response.headers["ETag"] == others[1].headers["ETag"]
    assert api.request("GET", path).json_body == others[1].json_body


def test_an_item_deleted_between_read_and_write_of_a_patch(api, assert_problem, inject):
    item, _ = api.create()
    path = f"/items/{item['id']}"
    inject("UpdateItem", lambda request, **_: api.request("DELETE", path) and None)
    response = api.request("PATCH", path, {"description": "d"}, If_Match="*")
    assert_problem(response, 404, "item-not-found")
