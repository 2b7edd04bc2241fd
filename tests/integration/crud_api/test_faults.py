"""DynamoDB throttles, fails, loses an answer or is not there."""

import json

import boto3
import pytest
from botocore.config import Config

from tests.integration.crud_api.faults import answer, cancelled, lose

ATTEMPTS = 6

LONG_PATCH = {"attributes": {"a": "x" * 3_000}}
"""Too long to be kept beside the item: it is merged into what is read."""

pytestmark = pytest.mark.usefixtures("no_pauses")


def lose_first_answer(inject, operation):
    """Deliver the first request, and let botocore see a failure where the answer should be."""
    sent = []

    def deliver(request, **_):
        sent.append(request)
        return lose(request) if len(sent) == 1 else None

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
    assert len(sent) == ATTEMPTS


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "/items", "PutItem"),
        ("PUT", "/items/{id}", "UpdateItem"),
        ("PATCH", "/items/{id}", "UpdateItem"),
        ("DELETE", "/items/{id}", "UpdateItem"),
        ("GET", "/items/{id}", "GetItem"),
        ("GET", "/items", "Query"),
    ],
)
def test_every_operation_answers_with_a_503(api, assert_problem, inject, method, path, operation):
    item, _ = api.create()
    inject(operation, lambda request, **_: answer(request, 400, "ThrottlingException"))
    document = {"name": "a"} if method in ("POST", "PUT", "PATCH") else None
    response = api.request(method, path.format(id=item["id"]), document, If_Match="*")
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


@pytest.mark.parametrize(
    ("method", "document", "operation"),
    [
        ("PUT", {"name": "b"}, "PutItem"),
        ("PATCH", {"name": "b"}, "UpdateItem"),
        ("PATCH", {"attributes": {"a": 1}}, "UpdateItem"),
        ("PATCH", {"attributes": {"a": "x" * 3_000}}, "PutItem"),
        ("PATCH", {"tags": ["new"]}, "TransactWriteItems"),
        ("DELETE", None, "UpdateItem"),
    ],
)
def test_a_change_whose_answer_was_lost(api, inject, method, document, operation):
    item, etag = api.create()
    path = f"/items/{item['id']}"
    sent = lose_first_answer(inject, operation)
    response = api.request(method, path, document, If_Match=etag)
    assert len(sent) == 2
    if method == "DELETE":
        assert response.status_code == 204
        assert api.request("GET", path).status_code == 404
    else:
        assert (response.status_code, response.json_body["version"]) == (200, 2)
        assert api.request("GET", path).json_body == response.json_body


@pytest.mark.parametrize("tags", [[], ["a", "b"]])
def test_a_delete_of_any_version_whose_answer_was_lost(api, inject, tags):
    item, _ = api.create(tags=tags)
    sent = lose_first_answer(inject, "UpdateItem")
    assert api.request("DELETE", f"/items/{item['id']}").status_code == 204
    assert len(sent) == 1  # a read says the rest


@pytest.mark.parametrize(
    ("method", "document"), [("PUT", {"name": "b"}), ("PATCH", {"attributes": {"a": 1}})]
)
def test_a_change_of_any_version_whose_answer_was_lost(api, inject, method, document):
    item, _ = api.create()
    sent = lose_first_answer(inject, "UpdateItem")
    response = api.request(method, f"/items/{item['id']}", document, If_Match="*")
    assert (response.status_code, response.json_body["version"]) == (200, 2)
    assert len(sent) == 1
    assert api.request("GET", f"/items/{item['id']}").json_body == response.json_body


@pytest.mark.parametrize("age", [1_000_000, 6_000_000])
def test_a_change_of_any_version_that_failed(api, assert_problem, inject, monkeypatch, age):
    """It is made again where nobody can have written the item since, clocks considered."""
    item, _ = api.create()
    clock = api.module.operations.clock
    later = clock.now() + age
    monkeypatch.setattr(clock, "now", lambda: later)
    failures = [lambda request: answer(request, 500, "InternalServerError")]
    inject("UpdateItem", lambda request, **_: failures.pop()(request) if failures else None)
    response = api.request("PATCH", f"/items/{item['id']}", {"name": "b"}, If_Match="*")
    if age > 5_000_000:
        assert (response.status_code, response.json_body["version"]) == (200, 2)
    else:
        members = assert_problem(response, 503, "storage-unavailable")
        assert "may have been done" in members["detail"]


def test_a_change_of_any_version_is_not_made_again_over_the_next(api, assert_problem, inject):
    item, _ = api.create()
    path = f"/items/{item['id']}"
    others = []

    def lose_and_overtake(request, **_):
        if others:
            return None
        others.append(None)
        lost = lose(request)
        others.append(api.request("PATCH", path, {"name": "other"}, If_Match="*"))
        return lost

    inject("UpdateItem", lose_and_overtake)
    response = api.request("PATCH", path, {"name": "mine"}, If_Match="*")
    assert_problem(response, 503, "storage-unavailable")
    assert (others[1].status_code, others[1].json_body["version"]) == (200, 3)
    assert api.request("GET", path).json_body == others[1].json_body


def delete_after_losing(api, inject, operation, path_of):
    """The first answer of an operation is lost, and another client deletes what was created."""
    deleted = []

    def lose_and_delete(request, **_):
        if deleted:
            return None
        deleted.append(None)
        lost = lose(request)
        deleted.append(api.request("DELETE", path_of(request)))
        return lost

    inject(operation, lose_and_delete)
    return deleted


@pytest.mark.parametrize("tags", [[], ["t"]])
def test_what_was_created_and_deleted_is_not_created_again(api, inject, tags):
    """The answer to the create was lost; who listed the item has deleted it before the retry."""

    def path_of(request):
        body = json.loads(request.body)
        if tags:
            body = body["TransactItems"][0]["Put"]
        return f"/items/{body['Item']['id']['S']}"

    deleted = delete_after_losing(api, inject, "TransactWriteItems" if tags else "PutItem", path_of)
    item, _ = api.create(tags=tags)
    assert deleted[1].status_code == 204
    assert api.request("GET", f"/items/{item['id']}").status_code == 404


def test_what_was_put_and_deleted_is_not_put_again(api, inject, unique):
    path = f"/items/{unique}"
    deleted = delete_after_losing(api, inject, "PutItem", lambda _: path)
    response = api.request("PUT", path, {"name": "a"}, If_None_Match="*")
    assert (response.status_code, deleted[1].status_code) == (201, 204)
    assert api.request("GET", path).status_code == 404
    # The ID is free for another item all the same.
    again = api.request("PUT", path, {"name": "b"}, If_None_Match="*")
    assert again.status_code == 201
    assert api.request("GET", path).json_body == again.json_body


@pytest.mark.parametrize("change", ["PATCH", "DELETE"])
def test_what_a_batch_created_is_not_created_again(api, inject, change):
    others = []

    def lose_and_change(request, **_):
        if others:
            return None
        others.append(None)
        lost = lose(request)
        [(_, [entry, _])] = json.loads(request.body)["RequestItems"].items()
        path = f"/items/{entry['PutRequest']['Item']['id']['S']}"
        document = {"name": "changed"} if change == "PATCH" else None
        others.append(api.request(change, path, document, If_Match="*"))
        return lost

    inject("BatchWriteItem", lose_and_change)
    operations = [{"op": "create", "item": {"name": "a"}} for _ in range(2)]
    results = api.request("POST", "/items:batch", {"operations": operations}).json_body["results"]
    assert [result["status"] for result in results] == [201, 201]
    assert others[1].status_code in (200, 204)
    got = [api.request("GET", f"/items/{result['id']}") for result in results]
    assert [response.status_code for response in got] == [404 if change == "DELETE" else 200, 200]
    if change == "PATCH":
        assert got[0].json_body["name"] == "changed"


def test_a_delete_of_any_version_that_failed_is_made_again(api, inject, monkeypatch):
    item, _ = api.create()
    # The item is older than clocks differ, so it cannot have been created after the first try.
    clock = api.module.operations.clock
    later = clock.now() + 6_000_000
    monkeypatch.setattr(clock, "now", lambda: later)
    failures = [lambda request: answer(request, 500, "InternalServerError")]
    inject("UpdateItem", lambda request, **_: failures.pop()(request) if failures else None)
    assert api.request("DELETE", f"/items/{item['id']}").status_code == 204
    assert api.request("GET", f"/items/{item['id']}").status_code == 404


def test_a_delete_whose_answer_was_lost_leaves_the_next_item_of_that_id_alone(
    api, assert_problem, inject, unique
):
    path = f"/items/{unique}"
    api.request("PUT", path, {"name": "first"}, If_None_Match="*")
    again = []

    def lose_and_create(request, **_):
        if again:
            return None
        again.append(None)
        lost = lose(request)
        again.append(api.request("PUT", path, {"name": "second"}, If_None_Match="*"))
        return lost

    inject("UpdateItem", lose_and_create)
    members = assert_problem(api.request("DELETE", path), 503, "storage-unavailable")
    assert "may have been done" in members["detail"]
    assert again[1].status_code == 201
    assert api.request("GET", path).json_body == again[1].json_body


def test_an_outcome_nobody_can_know_is_a_503(api, assert_problem, inject):
    """The first try landed, its answer was lost, and another writer came before the second."""
    item, etag = api.create()
    path = f"/items/{item['id']}"
    others = []

    def lose_and_overtake(request, **_):
        if others:
            return None
        others.append(None)
        lost = lose(request)
        others.append(api.request("PUT", path, {"name": "other"}, If_Match="*"))
        return lost

    inject("PutItem", lose_and_overtake)
    response = api.request("PUT", path, {"name": "mine"}, If_Match=etag)
    members = assert_problem(response, 503, "storage-unavailable")
    assert "may have been done" in members["detail"]
    assert (others[1].status_code, others[1].json_body["version"]) == (200, 3)


@pytest.mark.parametrize("if_match", ["{etag}", "*"])
def test_a_write_between_read_and_write_of_a_patch(api, assert_problem, inject, if_match):
    item, etag = api.create()
    path = f"/items/{item['id']}"
    others = []

    def overtake(request, **_):
        if not others:
            others.append(request)
            others.append(api.request("PUT", path, {"name": "other"}, If_Match="*"))

    inject("PutItem", overtake)
    response = api.request("PATCH", path, LONG_PATCH, If_Match=if_match.format(etag=etag))
    assert others[1].status_code == 200
    if if_match == "*":
        # The patch is applied to what is there now.
        assert response.status_code == 200
        assert (response.json_body["name"], response.json_body["version"]) == ("other", 3)
    else:
        assert_problem(response, 412, "precondition-failed")
        assert response.headers["ETag"] == others[1].headers["ETag"]
    assert api.request("GET", path).json_body["version"] == (3 if if_match == "*" else 2)


def test_a_patch_that_is_always_overtaken_gives_up(api, assert_problem, inject):
    item, _ = api.create()
    path = f"/items/{item['id']}"
    inside = []

    def overtake(request, **_):
        if not inside:
            inside.append(None)
            api.request("PUT", path, {"name": "other"}, If_Match="*")
            inside.pop()

    inject("PutItem", overtake)
    response = api.request("PATCH", path, LONG_PATCH, If_Match="*")
    assert_problem(response, 409, "edit-conflict")
    assert response.headers["Retry-After"]


def test_an_item_deleted_between_read_and_write_of_a_patch(api, assert_problem, inject):
    item, _ = api.create()
    path = f"/items/{item['id']}"
    inject("PutItem", lambda request, **_: api.request("DELETE", path) and None)
    response = api.request("PATCH", path, LONG_PATCH, If_Match="*")
    assert_problem(response, 404, "item-not-found")


def test_a_transaction_in_conflict_is_made_again(api, inject):
    sent = []

    def conflict_twice(request, **_):
        sent.append(json.loads(request.body)["ClientRequestToken"])
        return cancelled(request, "TransactionConflict", "None") if len(sent) < 3 else None

    inject("TransactWriteItems", conflict_twice)
    item, _ = api.create(tags=["a"])
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert api.request("GET", f"/items/{item['id']}").json_body == item


@pytest.mark.parametrize(
    ("operation", "document"), [("PutItem", {"name": "b"}), ("UpdateItem", {"name": "b"})]
)
def test_a_write_in_conflict_with_a_transaction_is_made_again(api, inject, operation, document):
    item, etag = api.create()
    sent = []

    def conflict_once(request, **_):
        sent.append(request)
        return answer(request, 400, "TransactionConflictException") if len(sent) == 1 else None

    inject(operation, conflict_once)
    method = "PUT" if operation == "PutItem" else "PATCH"
    response = api.request(method, f"/items/{item['id']}", document, If_Match=etag)
    assert (response.status_code, len(sent)) == (200, 2)


def test_a_conflict_that_stays_is_a_503(api, assert_problem, inject):
    inject("TransactWriteItems", lambda request, **_: cancelled(request, "TransactionConflict"))
    response = api.request("POST", "/items", {"name": "a", "tags": ["t"]})
    members = assert_problem(response, 503, "storage-unavailable")
    assert response.headers["Retry-After"] == "2"
    assert "may have been done" not in members["detail"]


def test_no_attempt_begins_that_could_not_end_in_time(api, assert_problem, inject, monkeypatch):
    sent = []

    def fail(request, **_):
        sent.append(request)
        return answer(request, 500, "InternalServerError")

    inject("GetItem", fail)
    # 5 seconds are left, 1 of them for the answer: an attempt may take 4.
    context = "chalice.local.LambdaContext.get_remaining_time_in_millis"
    monkeypatch.setattr(context, lambda self: 5_000)
    assert_problem(api.request("GET", "/items/x"), 503, "storage-unavailable")
    assert len(sent) == 1


def test_keys_left_over_by_a_read_are_read_again(api, inject, unique):
    made = [api.create(name=f"{number}", tags=[unique])[0] for number in range(3)]
    asked = []

    def leave_all(request, **_):
        wanted = json.loads(request.body)["RequestItems"]
        asked.append(wanted)
        if len(asked) > 2:
            return None
        return answer(
            request, 200, "", Responses={name: [] for name in wanted}, UnprocessedKeys=wanted
        )

    inject("BatchGetItem", leave_all)
    assert api.request("GET", f"/items?tag={unique}").json_body["items"] == made[::-1]
    assert len(asked) == 3


def test_keys_that_are_always_left_over_are_a_503(api, assert_problem, inject):
    api.create()

    def leave_all(request, **_):
        wanted = json.loads(request.body)["RequestItems"]
        return answer(
            request, 200, "", Responses={name: [] for name in wanted}, UnprocessedKeys=wanted
        )

    inject("BatchGetItem", leave_all)
    assert_problem(api.request("GET", "/items?limit=3"), 503, "storage-unavailable")


def test_a_cursor_key_that_cannot_be_read_is_a_503(api, assert_problem, monkeypatch):
    api.create()
    api.create()
    nowhere = boto3.client(
        "secretsmanager",
        endpoint_url="http://127.0.0.1:1",
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )
    monkeypatch.setattr(api.module.cursor_keys, "_make_client", lambda: nowhere)
    assert_problem(api.request("GET", "/items?limit=1"), 503, "storage-unavailable")


def test_a_patch_without_room_after_a_failure(api, inject):
    """The first try failed; the second finds no room for a patch more, so nothing was done."""
    item, etag = api.create()
    path = f"/items/{item['id']}"
    attributes = {"attributes": {"a": "x" * 1_900}}
    etag = api.request("PATCH", path, attributes, If_Match=etag).headers["ETag"]
    failures = [lambda request: answer(request, 500, "InternalServerError")]
    inject("UpdateItem", lambda request, **_: failures.pop()(request) if failures else None)
    response = api.request("PATCH", path, {"attributes": {"b": "y" * 200}}, If_Match=etag)
    assert (response.status_code, response.json_body["version"]) == (200, 3)
    assert response.json_body["attributes"] == attributes["attributes"] | {"b": "y" * 200}
