"""Many writes in one request."""

import json

import pytest

from tests.integration.crud_api.faults import answer, cancelled


def batch(api, *operations, atomic=None):
    query = "" if atomic is None else f"?atomic={atomic}"
    return api.request("POST", f"/items:batch{query}", {"operations": list(operations)})


def create(**members):
    return {"op": "create", "item": {"name": "a", **members}}


def statuses(response):
    assert response.status_code == 200, response.body
    return [result["status"] for result in response.json_body["results"]]


def found(api, tag):
    return {
        item["id"] for item in api.request("GET", f"/items?tag={tag}&limit=100").json_body["items"]
    }


@pytest.mark.parametrize("atomic", ["false", "true"])
def test_all_kinds_at_once(api, unique, atomic):
    replaced, replaced_etag = api.create(tags=["old"])
    deleted, deleted_etag = api.create(tags=["gone"])
    anything, _ = api.create(tags=["gone"])
    response = batch(
        api,
        create(tags=[unique]),
        {"op": "create", "id": unique, "item": {"name": "mine"}},
        {
            "op": "replace",
            "id": replaced["id"],
            "if_match": replaced_etag,
            "item": {"name": "new", "tags": [unique]},
        },
        {"op": "delete", "id": deleted["id"], "if_match": deleted_etag},
        {"op": "delete", "id": anything["id"]},
        atomic=atomic,
    )
    assert statuses(response) == [201, 201, 200, 204, 204]
    first, second, third = response.json_body["results"][:3]
    assert (second["id"], third["version"]) == (unique, 2)
    for result in (first, second, third):
        got = api.request("GET", f"/items/{result['id']}")
        assert got.headers["ETag"] == result["etag"]
        for name in ("version", "created_at", "updated_at"):
            assert got.json_body[name] == result[name]
    for item in (deleted, anything):
        assert api.request("GET", f"/items/{item['id']}").status_code == 404
    assert found(api, unique) == {first["id"], replaced["id"]}
    assert not found(api, "gone") & {deleted["id"], anything["id"]}


def test_each_operation_has_its_own_result(api, unique):
    item, etag = api.create()
    response = batch(
        api,
        create(),
        {"op": "create", "id": item["id"], "item": {"name": "b"}},
        {"op": "replace", "id": f"{unique}a", "if_match": "*", "item": {"name": "b"}},
        {"op": "delete", "id": f"{unique}b"},
        create(attributes={"a": "x" * 410_000}),
    )
    assert statuses(response) == [201, 412, 412, 404, 413]
    results = response.json_body["results"]
    assert results[1]["etag"] == etag
    assert [result.get("problem", {}).get("type") for result in results] == [
        None,
        "/problems/precondition-failed",
        "/problems/precondition-failed",
        "/problems/item-not-found",
        "/problems/item-too-large",
    ]


def test_an_atomic_batch_is_done_whole_or_not_at_all(api, assert_problem, unique):
    item, etag = api.create()
    response = batch(
        api,
        create(tags=[unique]),
        {"op": "replace", "id": item["id"], "if_match": '"stale"', "item": {"name": "b"}},
        {"op": "delete", "id": f"{unique}b"},
        atomic="true",
    )
    members = assert_problem(response, 409, "batch-not-done")
    assert [result["status"] for result in members["results"]] == [424, 412, 404]
    assert found(api, unique) == set()
    assert api.request("GET", f"/items/{item['id']}").headers["ETag"] == etag


@pytest.mark.parametrize("atomic", ["false", "true"])
def test_a_hundred_items_with_tags(api, unique, atomic):
    operations = [create(name=f"{number}", tags=[unique, f"{number}"]) for number in range(100)]
    response = batch(api, *operations, atomic=atomic)
    assert statuses(response) == [201] * 100
    made = {result["id"] for result in response.json_body["results"]}
    assert found(api, unique) == made
    changed = [
        {
            "op": "replace",
            "id": result["id"],
            "if_match": result["etag"],
            "item": {"name": "b", "tags": [f"{unique}2"]},
        }
        for result in response.json_body["results"]
    ]
    assert statuses(batch(api, *changed, atomic=atomic)) == [200] * 100
    assert found(api, unique) == set()
    assert found(api, f"{unique}2") == made


def test_an_atomic_batch_beyond_one_transaction_that_fails_changes_nothing(
    api, assert_problem, unique
):
    item, etag = api.create(tags=[unique])
    operations = [create(name=f"{number}", tags=["x", f"{unique}2"]) for number in range(99)]
    stale = {"op": "replace", "id": item["id"], "if_match": etag, "item": {"name": "b"}}
    newer = api.request("PATCH", f"/items/{item['id']}", {"name": "newer"}, If_Match=etag)
    assert_problem(batch(api, *operations, stale, atomic="true"), 409, "batch-not-done")
    assert found(api, f"{unique}2") == set()
    assert api.request("GET", f"/items/{item['id']}").json_body == newer.json_body
    assert found(api, unique) == {item["id"]}


@pytest.mark.usefixtures("no_pauses")
def test_what_dynamodb_leaves_is_sent_again(api, inject, unique):
    sizes = []

    def leave_most(request, **_):
        [(name, requests)] = json.loads(request.body)["RequestItems"].items()
        sizes.append(len(requests))
        if len(sizes) > 3:
            return None
        left = {name: requests}
        return answer(request, 200, "", UnprocessedItems=left)

    inject("BatchWriteItem", leave_most)
    response = batch(api, *(create(name=f"{number}") for number in range(5)))
    assert statuses(response) == [201] * 5
    assert sizes == [5] * 4


@pytest.mark.usefixtures("no_pauses")
def test_what_dynamodb_never_takes_is_told(api, inject):
    def leave_one(request, **_):
        [(name, requests)] = json.loads(request.body)["RequestItems"].items()
        left = [entry for entry in requests if entry["PutRequest"]["Item"]["name"]["S"] == "last"]
        kept = {**json.loads(request.body), "RequestItems": {name: left}}
        if len(left) < len(requests):
            for entry in requests:
                if entry not in left:
                    api.table._client.put_item(TableName=name, Item=entry["PutRequest"]["Item"])
        return answer(request, 200, "", UnprocessedItems=kept["RequestItems"])

    inject("BatchWriteItem", leave_one)
    response = batch(api, create(name="first"), create(name="last"))
    assert statuses(response) == [201, 503]
    results = response.json_body["results"]
    assert results[1]["problem"]["type"] == "/problems/storage-unavailable"
    assert api.request("GET", f"/items/{results[0]['id']}").status_code == 200


@pytest.mark.usefixtures("no_pauses")
def test_an_atomic_batch_in_conflict_is_made_again(api, inject):
    sent = []

    def conflict_once(request, **_):
        sent.append(request)
        return cancelled(request, "None", "TransactionConflict") if len(sent) == 1 else None

    inject("TransactWriteItems", conflict_once)
    assert statuses(batch(api, create(), create(), atomic="true")) == [201, 201]
    assert len(sent) == 2


def test_an_item_that_changes_while_an_atomic_batch_is_read(api, inject):
    item, _ = api.create()
    others = []

    def overtake(request, **_):
        if not others:
            others.append(None)
            others[0] = api.request("PUT", f"/items/{item['id']}", {"name": "b"}, If_Match="*")

    inject("TransactWriteItems", overtake)
    replace = {"op": "replace", "id": item["id"], "if_match": "*", "item": {"name": "c"}}
    response = batch(api, replace, atomic="true")
    assert statuses(response) == [200]
    assert response.json_body["results"][0]["version"] == 3


def test_an_atomic_batch_that_is_too_large(api, assert_problem):
    large = [create(attributes={"a": "x" * 400_000}) for _ in range(11)]
    assert_problem(batch(api, *large, atomic="true"), 413, "batch-too-large")
    assert statuses(batch(api, *large)) == [201] * 11


def test_all_faults_at_once(api, assert_problem):
    response = batch(
        api,
        {"op": "create", "item": {"name": "", "tags": [1]}},
        {"op": "replace", "id": "x", "item": {"name": "a"}},
        {"op": "delete", "id": "a.b", "if_match": "x", "item": {}},
        {"op": "upsert"},
        "delete",
        {"op": "delete", "id": "x"},
    )
    assert_problem(
        response,
        400,
        "invalid-batch",
        [
            "/operations/0/item/name",
            "/operations/0/item/tags/0",
            "/operations/1/if_match",
            "/operations/2/item",
            "/operations/2/id",
            "/operations/2/if_match",
            "/operations/3/op",
            "/operations/4",
            "/operations/5/id",
        ],
    )


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ([], [""]),
        ({}, ["/operations"]),
        ({"operations": {}}, ["/operations"]),
        ({"operations": []}, ["/operations"]),
        ({"operations": [create()] * 101}, ["/operations"]),
        ({"operations": [create()], "atomic": True}, ["/atomic"]),
    ],
)
def test_what_is_no_batch(api, assert_problem, document, pointers):
    response = api.request("POST", "/items:batch", document)
    assert_problem(response, 400, "invalid-batch", pointers)


def test_attributes_may_be_as_deep_as_in_an_item(api, assert_problem):
    def nested(depth):
        return {"a": nested(depth - 1)} if depth > 1 else {}

    assert statuses(batch(api, create(attributes=nested(32)))) == [201]
    deep = batch(api, create(attributes=nested(33)))
    members = assert_problem(deep, 400, "malformed-json")
    assert members["errors"][0]["pointer"].startswith("/operations/0/item/attributes/a")


@pytest.mark.parametrize("query", ["atomic=yes", "atomic=", "atomic=true&atomic=true", "all=true"])
def test_a_query_that_is_not_valid(api, assert_problem, query):
    response = api.request("POST", f"/items:batch?{query}", {"operations": [create()]})
    assert_problem(response, 400, "invalid-query")


def test_an_idempotency_key_is_not_ignored(api, assert_problem):
    document = {"operations": [create()]}
    response = api.request("POST", "/items:batch", document, Idempotency_Key="k")
    assert_problem(response, 400, "invalid-idempotency-key")
