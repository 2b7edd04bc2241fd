import json
import re

import pytest

FULL = {
    "name": "Kettle é",
    "description": "Boils.",
    "tags": ["kitchen", "steel"],
    "attributes": {"litres": 1, "nested": {"list": [None, True, ""]}, "": "empty name"},
}


def test_create_then_get(api):
    response = api.request("POST", "/items", FULL)
    assert response.status_code == 201
    item = response.json_body
    assert item == FULL | {
        "id": item["id"],
        "version": 1,
        "created_at": item["created_at"],
        "updated_at": item["created_at"],
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", item["created_at"])
    assert response.headers["Location"] == f"/items/{item['id']}"
    assert response.headers["Content-Type"] == "application/json"
    got = api.request("GET", response.headers["Location"])
    assert (got.status_code, got.body) == (200, response.body)
    assert got.headers["ETag"] == response.headers["ETag"]


def test_what_is_left_out_is_empty(api):
    item, _ = api.create()
    assert (item["description"], item["tags"], item["attributes"]) == ("", [], {})


def test_numbers_come_back_as_they_went_in(api):
    attributes = '{"a":1.10,"b":1e2,"c":-0,"d":12345678901234567890.123456789012345678,"e":[0.10]}'
    body = f'{{"name":"n","attributes":{attributes}}}'.encode()
    created = api.request("POST", "/items", body=body, Content_Type="application/json")
    path, etag = created.headers["Location"], created.headers["ETag"]
    patched = api.request("PATCH", path, {"description": "d"}, If_Match=etag)
    for response in (created, api.request("GET", path), patched, api.request("GET", "/items")):
        assert f'"attributes":{attributes}' in response.body.decode()


def test_not_modified(api):
    item, etag = api.create()
    path = f"/items/{item['id']}"
    for value in (etag, f'"x", {etag}', f"W/{etag}", "*"):
        response = api.request("GET", path, If_None_Match=value)
        assert (response.status_code, response.body) == (304, b"")
        assert response.headers["ETag"] == etag
    assert api.request("GET", path, If_None_Match='"x"').status_code == 200


def test_put_replaces_the_whole_item(api):
    item, etag = api.create(**FULL)
    path = f"/items/{item['id']}"
    response = api.request("PUT", path, {"name": "Pot"}, If_Match=etag)
    assert response.status_code == 200
    replaced = response.json_body
    assert replaced == {
        "id": item["id"],
        "name": "Pot",
        "description": "",
        "tags": [],
        "attributes": {},
        "version": 2,
        "created_at": item["created_at"],
        "updated_at": replaced["updated_at"],
    }
    assert replaced["updated_at"] > item["updated_at"]
    assert response.headers["ETag"] != etag
    assert api.request("GET", path).json_body == replaced


@pytest.mark.parametrize("value", ["*", '"x", {etag}'])
def test_put_with_other_forms_of_if_match(api, value):
    item, etag = api.create()
    response = api.request(
        "PUT", f"/items/{item['id']}", {"name": "b"}, If_Match=value.format(etag=etag)
    )
    assert (response.status_code, response.json_body["version"]) == (200, 2)


def test_put_creates_under_the_id_of_the_client(api, assert_problem):
    response = api.request("PUT", "/items/my-item_1", FULL, If_None_Match="*")
    assert response.status_code == 201
    assert response.headers["Location"] == "/items/my-item_1"
    assert (response.json_body["id"], response.json_body["version"]) == ("my-item_1", 1)
    again = api.request("PUT", "/items/my-item_1", FULL, If_None_Match="*")
    assert_problem(again, 412, "precondition-failed")
    assert again.headers["ETag"] == response.headers["ETag"]


def test_an_item_created_again_has_another_etag(api, assert_problem):
    first = api.request("PUT", "/items/phoenix", {"name": "a"}, If_None_Match="*")
    api.request("DELETE", "/items/phoenix")
    second = api.request("PUT", "/items/phoenix", {"name": "a"}, If_None_Match="*")
    assert second.json_body["version"] == first.json_body["version"]
    stale = api.request("PUT", "/items/phoenix", {"name": "b"}, If_Match=first.headers["ETag"])
    assert_problem(stale, 412, "precondition-failed")


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json"])
def test_patch(api, media_type):
    item, etag = api.create(**FULL)
    response = api.request(
        "PATCH",
        f"/items/{item['id']}",
        {"description": None, "tags": ["x"], "attributes": {"litres": None, "nested": {"n": 2}}},
        If_Match=etag,
        Content_Type=f"{media_type}; charset=utf-8",
    )
    assert response.status_code == 200
    assert response.json_body == item | {
        "description": "",
        "tags": ["x"],
        "attributes": {"nested": {"list": [None, True, ""], "n": 2}, "": "empty name"},
        "version": 2,
        "updated_at": response.json_body["updated_at"],
    }


def test_delete(api, assert_problem):
    item, _ = api.create()
    path = f"/items/{item['id']}"
    response = api.request("DELETE", path)
    assert (response.status_code, response.body) == (204, b"")
    assert_problem(api.request("GET", path), 404, "item-not-found")
    assert_problem(api.request("DELETE", path), 404, "item-not-found")


def test_delete_honours_if_match(api, assert_problem):
    item, etag = api.create()
    path = f"/items/{item['id']}"
    stale = api.request("DELETE", path, If_Match='"other"')
    assert_problem(stale, 412, "precondition-failed")
    assert stale.headers["ETag"] == etag
    assert api.request("DELETE", path, If_Match=etag).status_code == 204


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
class TestChangingAnItem:
    def test_needs_a_precondition(self, api, assert_problem, method):
        item, _ = api.create()
        response = api.request(method, f"/items/{item['id']}", {"name": "b"})
        assert_problem(response, 428, "precondition-required")

    @pytest.mark.parametrize("value", ['"other"', "W/{etag}"])
    def test_that_has_changed_is_refused_with_the_current_etag(
        self, api, assert_problem, method, value
    ):
        item, etag = api.create()
        path = f"/items/{item['id']}"
        response = api.request(method, path, {"name": "b"}, If_Match=value.format(etag=etag))
        assert_problem(response, 412, "precondition-failed")
        assert response.headers["ETag"] == etag
        assert api.request("GET", path).json_body == item

    def test_that_is_not_there(self, api, assert_problem, method):
        response = api.request(method, "/items/nothing", {"name": "b"}, If_Match='"x"')
        if method == "PUT":
            assert_problem(response, 412, "precondition-failed")
            assert "ETag" not in response.headers
        else:
            assert_problem(response, 404, "item-not-found")

    def test_with_faults_lists_them_all(self, api, assert_problem, method):
        item, etag = api.create()
        response = api.request(
            method,
            f"/items/{item['id']}",
            {"name": "", "tags": ["a", "a"], "description": 5},
            If_Match=etag,
        )
        assert_problem(response, 400, "invalid-item", ["/name", "/description", "/tags/1"])

    def test_cannot_set_what_the_server_sets(self, api, assert_problem, method):
        item, etag = api.create()
        document = {"name": "b", "version": 9, "colour": "red"}
        response = api.request(method, f"/items/{item['id']}", document, If_Match=etag)
        assert_problem(response, 400, "invalid-item", ["/version", "/colour"])


def test_a_patch_cannot_take_the_name_away(api, assert_problem):
    item, etag = api.create()
    response = api.request("PATCH", f"/items/{item['id']}", {"name": None}, If_Match=etag)
    assert_problem(response, 400, "invalid-item", ["/name"])


@pytest.mark.parametrize(
    ("headers", "slug", "status"),
    [
        ({"If_Match": "x"}, "invalid-precondition", 400),
        ({"If_None_Match": '"x"'}, "invalid-precondition", 400),
        ({"If_None_Match": "*", "If_Match": "*"}, "invalid-precondition", 400),
    ],
)
def test_preconditions_put_cannot_use(api, assert_problem, headers, slug, status):
    response = api.request("PUT", "/items/new", {"name": "a"}, **headers)
    assert_problem(response, status, slug)


def test_an_id_the_client_cannot_choose(api, assert_problem):
    response = api.request("PUT", "/items/a.b", {"name": "a"}, If_None_Match="*")
    assert_problem(response, 400, "invalid-item")
    for method in ("GET", "DELETE"):
        assert_problem(api.request(method, "/items/a.b"), 404, "item-not-found")


@pytest.mark.parametrize(
    ("body", "slug", "pointers"),
    [
        (b"", "malformed-json", [""]),
        (b"{", "malformed-json", [""]),
        (b"\x1f\x8b\x08\x00", "malformed-json", [""]),
        (b'{"name": "a", "attributes": {"x": NaN, "y": [-Infinity]}}', "malformed-json", None),
        (b'{"name": "a", "name": "b"}', "malformed-json", ["/name"]),
        (b'{"name": "\\ud800"}', "malformed-json", ["/name"]),
        (b"[" * 100_000, "malformed-json", [""]),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "malformed-json", [""]),
        (b'{"name": "a", "attributes": {"x": 1%s}}' % (b"1" * 38), "malformed-json", None),
        (b'{"name": "a", "attributes": {"x": 1e126}}', "malformed-json", ["/attributes/x"]),
        (b"[]", "invalid-item", [""]),
        (b'"a"', "invalid-item", [""]),
        (b"null", "invalid-item", [""]),
        (b"{}", "invalid-item", ["/name"]),
        (b'{"name": "a", "attributes": []}', "invalid-item", ["/attributes"]),
    ],
)
def test_a_body_that_is_no_item(api, assert_problem, body, slug, pointers):
    response = api.request("POST", "/items", body=body, Content_Type="application/json")
    assert_problem(response, 400, slug, pointers)


def test_base64_that_cannot_be_decoded(api):
    event = {
        "requestContext": {"httpMethod": "POST", "resourcePath": "/items", "path": "/items"},
        "headers": {"content-type": "application/json"},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": "a",
        "isBase64Encoded": True,
    }
    response = api.module.app(event, None)
    assert response["statusCode"] == 400
    assert json.loads(response["body"])["type"] == "/problems/malformed-json"


def test_a_list_of_faults_is_bounded(api, assert_problem):
    body = b'{"name": "a", "tags": [%s]}' % b",".join([b"1"] * 5_000)
    response = api.request("POST", "/items", body=body, Content_Type="application/json")
    members = assert_problem(response, 400, "invalid-item")
    assert len(members["errors"]) == 100
    assert members["detail"] == "The body has 5,001 faults; the first 100 are listed."
    body = b'{"name": "a", "%s": [%s]}' % (b"x" * 30_000, b",".join([b"NaN"] * 50))
    response = api.request("POST", "/items", body=body, Content_Type="application/json")
    members = assert_problem(response, 400, "malformed-json")
    assert members["detail"] == "The body has 51 faults; the first 2 are listed."


@pytest.mark.parametrize(
    ("method", "path", "header", "accepted"),
    [
        ("POST", "/items", "Accept", "application/json"),
        ("PUT", "/items/x", "Accept", "application/json"),
        ("PATCH", "/items/x", "Accept-Patch", "application/merge-patch+json, application/json"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"Content_Type": "text/plain"}, {"Content_Type": "*/*"}])
def test_a_media_type_that_is_not_read(
    api, assert_problem, method, path, header, accepted, headers
):
    response = api.request(method, path, body=b'{"name": "a"}', If_Match="*", **headers)
    assert_problem(response, 415, "unsupported-media-type")
    assert response.headers[header] == accepted


def test_a_get_may_have_any_content_type(api):
    assert api.request("GET", "/items", Content_Type="text/plain").status_code == 200


def test_a_large_item(api, assert_problem):
    text = "é" * 100_000  # two bytes each
    item, etag = api.create(attributes={"a": text})
    path = f"/items/{item['id']}"
    assert api.request("GET", path).json_body["attributes"] == {"a": text}
    too_large = {"name": "a", "attributes": {"a": text, "b": text, "c": text}}
    members = assert_problem(api.request("POST", "/items", too_large), 413, "item-too-large")
    assert "409,600" in members["detail"]
    response = api.request("PUT", path, too_large, If_Match=etag)
    assert_problem(response, 413, "item-too-large")
    assert api.request("GET", path).json_body == item


def test_the_largest_item_is_one_dynamodb_takes(api):
    low, high = 400_000, 409_600
    while high - low > 1:
        middle = (low + high) // 2
        response = api.request("POST", "/items", {"name": "a", "attributes": {"a": "x" * middle}})
        low, high = (middle, high) if response.status_code == 201 else (low, middle)
    largest = {"name": "a", "attributes": {"a": "x" * low}}
    created = api.request("POST", "/items", largest)
    replaced = api.request(
        "PUT", created.headers["Location"], largest, If_Match=created.headers["ETag"]
    )
    assert (created.status_code, replaced.status_code) == (201, 200)


def test_an_unknown_method(api, assert_problem):
    response = api.request("DELETE", "/items")
    assert_problem(response, 405, "method-not-allowed")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "POST"}


def test_the_happy_path_is_one_request_to_dynamodb(api):
    calls = []
    api.table._client.meta.events.register(
        "before-send.dynamodb", lambda request, **_: calls.append(request.headers["X-Amz-Target"])
    )

    def requests_of(method, path, document=None, **headers):
        calls.clear()
        response = api.request(method, path, document, **headers)
        assert response.status_code < 300
        return [call.decode().split(".")[1] for call in calls], response

    sent, created = requests_of("POST", "/items", {"name": "a"})
    path, etag = created.headers["Location"], created.headers["ETag"]
    assert sent == ["PutItem"]
    assert requests_of("GET", path)[0] == ["GetItem"]
    assert requests_of("GET", "/items?limit=1")[0] == [*["Query"] * 4, "BatchGetItem"]
    sent, replaced = requests_of("PUT", path, {"name": "b"}, If_Match=etag)
    assert sent == ["PutItem"]
    sent, patched = requests_of("PATCH", path, {"name": "c"}, If_Match=replaced.headers["ETag"])
    assert sent == ["UpdateItem"]
    for patch in (
        {"attributes": {"a": {"b": 1, "c": 2}}},
        {"attributes": {"a": {"c": None}}, "name": "d", "tags": []},
        {"attributes": None, "description": None},
    ):
        sent, patched = requests_of("PATCH", path, patch, If_Match=patched.headers["ETag"])
        assert sent == ["UpdateItem"]
        sent, patched = requests_of("PATCH", path, patch, If_Match="*")
        assert sent == ["UpdateItem"]
    sent, replaced = requests_of("PUT", path, {"name": "e"}, If_Match="*")
    assert sent == ["UpdateItem"]
    assert requests_of("DELETE", path, If_Match=replaced.headers["ETag"])[0] == ["UpdateItem"]


def test_tags_that_change_take_a_second_request(api, spent):
    """The rows of the old tags are known by the ETag or by the item; a transaction returns none."""
    item, etag = api.create(tags=["a"])
    path = f"/items/{item['id']}"
    patched, names, *_ = spent("PATCH", path, {"tags": ["b"]}, If_Match=etag)
    assert names == ["GetItem", "TransactWriteItems"]
    # The condition of the first is not met by other tags, which tells what is there.
    patched, names, *_ = spent("PATCH", path, {"tags": ["c", "d"]}, If_Match="*")
    assert patched.json_body["tags"] == ["c", "d"]
    assert names == ["UpdateItem", "TransactWriteItems"]
    replaced, names, *_ = spent("PUT", path, {"name": "b"}, If_Match="*")
    assert (replaced.json_body["tags"], replaced.json_body["version"]) == ([], 4)
    assert names == ["UpdateItem", "TransactWriteItems"]


def test_patches_are_kept_until_they_have_no_room(api, spent):
    item, _ = api.create(attributes={"n": {"kept": 1.10, "gone": 2}})
    path = f"/items/{item['id']}"
    sent = []
    for number in range(60):
        patch = {"attributes": {"n": {"gone": None, "": number}, "é": [number]}}
        patched, names, *_ = spent("PATCH", path, patch, If_Match="*")
        sent.append(names)
        expected = {"n": {"kept": 1.10, "": number}, "é": [number]}
        assert patched.json_body["attributes"] == expected
        assert patched.json_body["version"] == number + 2
        assert api.request("GET", path).json_body == patched.json_body
    assert sent.count(["UpdateItem"]) == 59
    # Without room the item is rewritten, which the condition that failed needs no read for.
    assert sent.count(["UpdateItem", "PutItem"]) == 1
    long = {"attributes": {"long": "x" * 2_048}}
    assert spent("PATCH", path, long, If_Match="*")[1] == ["GetItem", "PutItem"]


def test_patches_do_not_make_an_item_too_large(api, assert_problem, spent):
    item, etag = api.create(attributes={"a": "x" * 409_000})
    path = f"/items/{item['id']}"
    response = api.request("PATCH", path, {"attributes": {"b": "y" * 1_500}}, If_Match=etag)
    assert_problem(response, 413, "item-too-large")
    smaller = api.request("PATCH", path, {"attributes": {"a": "y" * 1_500}}, If_Match=etag)
    assert smaller.json_body["attributes"] == {"a": "y" * 1_500}
    assert smaller.json_body["version"] == 2


def test_an_item_is_read_consistently(api):
    sent = []
    api.table._client.meta.events.register(
        "before-send.dynamodb.GetItem", lambda request, **_: sent.append(json.loads(request.body))
    )
    item, _ = api.create()
    api.request("GET", f"/items/{item['id']}")
    # The embedded AWS always reads so; on AWS a create might not be seen without it.
    assert [parameters["ConsistentRead"] for parameters in sent] == [True]
