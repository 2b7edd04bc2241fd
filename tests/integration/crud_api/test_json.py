"""JSON that readers disagree on, as the API takes it: lossless, or 400 with pointers."""

import json
from decimal import Decimal

import pytest

from tests.unit.crud_api.json_suite import ACCEPTED, REFUSED, WHOLE_TEXTS, embedded


def post(api, body):
    return api.request("POST", "/items", body=body, Content_Type="application/json")


def by_decimal(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def test_what_is_accepted_comes_back(api):
    for name, value in ACCEPTED.items():
        created = post(api, embedded(value))
        assert created.status_code == 201, name
        read = api.request("GET", created.headers["Location"]).body
        assert by_decimal(read)["attributes"] == {"value": by_decimal(value)}, name
        # A patch of something else leaves it as it is.
        patch = {"description": "d"}
        etag = created.headers["ETag"]
        patched = api.request("PATCH", created.headers["Location"], patch, If_Match=etag).body
        assert by_decimal(patched)["attributes"] == {"value": by_decimal(value)}, name


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/items"), ("PUT", "/items/x"), ("PATCH", "/items/x")]
)
def test_what_is_refused_is_a_400(api, assert_problem, method, path):
    texts = {name: embedded(value) for name, value in REFUSED.items()} | WHOLE_TEXTS
    for body in texts.values():
        response = api.request(
            method, path, body=body, Content_Type="application/json", If_Match="*"
        )
        members = assert_problem(response, 400, "malformed-json")
        assert members["errors"]


def test_all_faults_at_once_of_the_text_and_of_the_item(api, assert_problem):
    body = b'{"name": 5, "tags": ["a", NaN, "a"], "attributes": {"x": 1e999, "x": 2}, "colour": 1}'
    pointers = ["/tags/1", "/attributes/x", "/colour", "/name", "/tags/2"]
    assert_problem(post(api, body), 400, "malformed-json", pointers)
    patched = api.request(
        "PATCH", "/items/x", body=body, Content_Type="application/json", If_Match="*"
    )
    assert_problem(patched, 400, "malformed-json", pointers)
    batch = b'{"operations": [{"op": "create", "item": ' + body + b"}]}"
    response = api.request("POST", "/items:batch", body=batch, Content_Type="application/json")
    nested = [f"/operations/0/item{pointer}" for pointer in pointers]
    assert_problem(response, 400, "malformed-json", nested)


def test_all_faults_of_a_patch_at_once_before_any_request(api, assert_problem):
    """The item is not there, and is not asked for."""
    patch = {
        "name": None,
        "tags": [1],
        "attributes": [],
        "version": None,
        "description": "d" * 4_001,
    }
    response = api.request("PATCH", "/items/nothing", patch, If_Match="*")
    pointers = ["/version", "/name", "/description", "/tags/0", "/attributes"]
    assert_problem(response, 400, "invalid-item", pointers)
