import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from crud_api import resources
from tests.integration.crud_api.faults import answer


@pytest.fixture
def outputs(deploy_stack, unique):
    """A table of each test's own: what it lists is what it made."""
    return deploy_stack(f"crud-api-{unique}", resources.template(), {"DeletionProtection": "false"})


def listed(api, **parameters):
    """All pages, as lists of items."""
    pages = []
    while True:
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        response = api.request("GET", f"/items?{query}")
        assert response.status_code == 200, response.body
        assert response.json_body.keys() == {"items", "next"}
        pages.append(response.json_body["items"])
        if response.json_body["next"] is None:
            return pages
        parameters["cursor"] = response.json_body["next"]


def names(pages):
    return [item["name"] for page in pages for item in page]


def fill(api, count, **members):
    for number in range(count):
        api.create(name=f"{number}", **members)


def test_an_empty_list(api):
    response = api.request("GET", "/items")
    assert (response.status_code, response.json_body) == (200, {"items": [], "next": None})


@pytest.mark.parametrize("limit", [1, 4, 7, 23, 100])
def test_pages_are_complete_and_newest_first(api, limit):
    fill(api, 23)
    pages = listed(api, limit=limit)
    assert names(pages) == [f"{number}" for number in reversed(range(23))]
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert pages[-1]


def test_the_default_page_has_twenty(api):
    fill(api, 21)
    assert [len(page) for page in listed(api)] == [20, 1]


def test_listed_items_are_the_items(api):
    item, etag = api.create(name="first", tags=["t"], attributes={"n": 1})
    changed = api.request("PATCH", f"/items/{item['id']}", {"name": "new"}, If_Match=etag)
    assert listed(api) == [[changed.json_body]]


def test_changes_between_pages_do_not_move_the_rest(api):
    fill(api, 6)
    first = api.request("GET", "/items?limit=2").json_body
    api.create(name="newer")
    newest = first["items"][0]
    api.request("DELETE", f"/items/{newest['id']}")
    api.request("PATCH", f"/items/{first['items'][1]['id']}", {"name": "changed"}, If_Match="*")
    rest = listed(api, limit=2, cursor=first["next"])
    assert names(rest) == ["3", "2", "1", "0"]


def test_items_created_at_once_are_all_listed_once(api):
    operations = api.module.operations
    with ThreadPoolExecutor(16) as pool:
        made = list(
            pool.map(
                lambda number: operations.create_item(api.table, {"name": f"{number}"})[0].id,
                range(64),
            )
        )
    found = [item for page in listed(api, limit=9) for item in page]
    assert sorted(item["id"] for item in found) == sorted(made)
    times = [item["created_at"] for item in found]
    assert times == sorted(times, reverse=True)


def test_a_tag(api):
    for number in range(30):
        tags = ["even", "number"] if number % 2 == 0 else ["number"]
        api.create(name=f"{number}", tags=tags)
    expected = [f"{number}" for number in reversed(range(0, 30, 2))]
    assert names(listed(api, limit=4, tag="even")) == expected
    assert names(listed(api, tag="even")) == expected
    assert names(listed(api, tag="eve")) == []
    assert len(names(listed(api, limit=100, tag="number"))) == 30


def test_a_tag_with_reserved_characters(api):
    api.create(name="hit", tags=["a&b=c d/é"])
    api.create(name="miss", tags=["a"])
    assert names(listed(api, tag="a%26b%3Dc%20d%2F%C3%A9")) == ["hit"]


def test_large_items_fill_several_pages_of_dynamodb(api):
    for number in range(16):
        api.create(name=f"{number}", attributes={"a": "x" * 300_000})
    pages = listed(api, limit=100)
    assert names(pages) == [f"{number}" for number in reversed(range(16))]
    assert len(pages) > 1


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1e1",
        "limit=0000100000",
        "limit=5&limit=6",
        "cursor=",
        "cursor=abc",
        "cursor=%C3%A9",
        "tag=",
        "tags=a",
    ],
)
def test_a_query_that_is_not_valid(api, assert_problem, query):
    members = assert_problem(api.request("GET", f"/items?{query}"), 400, "invalid-query")
    assert query.split("=")[0] in members["detail"]


def test_a_tag_leads_to_the_items_that_have_it_now(api):
    item, etag = api.create(tags=["old", "kept"])
    path = f"/items/{item['id']}"
    changed = api.request("PATCH", path, {"tags": ["kept", "new"]}, If_Match=etag)
    assert names(listed(api, tag="old")) == []
    assert listed(api, tag="kept") == listed(api, tag="new") == [[changed.json_body]]
    same = {"name": "b", "tags": ["new", "kept"]}
    replaced = api.request("PUT", path, same, If_Match=changed.headers["ETag"])
    assert listed(api, tag="kept") == listed(api, tag="new") == [[replaced.json_body]]
    api.request("PUT", path, {"name": "c"}, If_Match="*")
    assert names(listed(api, tag="kept")) == []
    assert names(listed(api)) == ["c"]


@pytest.mark.parametrize("if_match", [True, False])
def test_a_deleted_item_leaves_its_key_for_an_hour(api, aws, if_match):
    item, etag = api.create(tags=["a", "b"])
    condition = {"If_Match": etag} if if_match else {}
    assert api.request("DELETE", f"/items/{item['id']}", **condition).status_code == 204
    assert names(listed(api)) == names(listed(api, tag="a")) == []
    [row] = aws.client("dynamodb").scan(TableName=api.outputs["TableName"])["Items"]
    assert row.keys() == {"id", "position", "expires"}
    assert 3_500 < int(row["expires"]["N"]) - time.time() < 3_700


def test_a_row_that_is_left_over_is_not_shown(api, inject):
    """The rows of a deleted item could not be removed; the next item of its ID has others."""
    item, _ = api.create(tags=["t"])
    inject("BatchWriteItem", lambda request, **_: answer(request, 400, "ValidationException"))
    # The item is gone, and that is what was asked.
    assert api.request("DELETE", f"/items/{item['id']}").status_code == 204
    assert names(listed(api, tag="t")) == []
    again = api.request("PUT", f"/items/{item['id']}", {"name": "b"}, If_None_Match="*")
    assert again.status_code == 201
    assert names(listed(api, tag="t")) == []


def test_a_list_over_many_shards(api, monkeypatch):
    monkeypatch.setattr(api.table, "_shards", 16)
    fill(api, 20, tags=["t"])
    # Raised again: items written under fewer shards are found where they are.
    monkeypatch.setattr(api.table, "_shards", 64)
    fill(api, 3, tags=["t"])
    expected = [*["2", "1", "0"], *[f"{number}" for number in reversed(range(20))]]
    assert names(listed(api, limit=7)) == names(listed(api, limit=7, tag="t")) == expected


class TestCursors:
    def test_a_cursor_is_good_for_its_list_alone(self, api, assert_problem):
        fill(api, 3, tags=["t"])
        whole = api.request("GET", "/items?limit=1").json_body["next"]
        tagged = api.request("GET", "/items?limit=1&tag=t").json_body["next"]
        for query in (f"cursor={whole}&tag=t", f"cursor={tagged}", f"cursor={tagged}&tag=u"):
            members = assert_problem(api.request("GET", f"/items?{query}"), 400, "invalid-query")
            assert "cursor" in members["detail"]

    def test_the_limit_may_change(self, api):
        fill(api, 5)
        cursor = api.request("GET", "/items?limit=1").json_body["next"]
        rest = api.request("GET", f"/items?limit=50&cursor={cursor}").json_body
        assert names([rest["items"]]) == ["3", "2", "1", "0"]

    def test_a_cursor_is_good_for_its_caller_alone(self, api, assert_problem, monkeypatch):
        fill(api, 2)
        monkeypatch.setattr("app.caller", lambda request: "ann")
        cursor = api.request("GET", "/items?limit=1").json_body["next"]
        assert api.request("GET", f"/items?cursor={cursor}").status_code == 200
        monkeypatch.setattr("app.caller", lambda request: "bob")
        assert_problem(api.request("GET", f"/items?cursor={cursor}"), 400, "invalid-query")

    def test_a_cursor_that_was_altered(self, api, assert_problem):
        fill(api, 2)
        cursor = api.request("GET", "/items?limit=1").json_body["next"]
        for place in range(0, len(cursor), 7):
            other = "A" if cursor[place] != "A" else "B"
            altered = cursor[:place] + other + cursor[place + 1 :]
            assert_problem(api.request("GET", f"/items?cursor={altered}"), 400, "invalid-query")

    def test_a_rotation_of_the_key_interrupts_nobody(self, api, aws, assert_problem, monkeypatch):
        monkeypatch.setattr("chalicelib.cursor_keys.ASK_AGAIN_SECONDS", 0.0)
        fill(api, 3)
        keys, module = api.module.cursor_keys, api.module.cursor_keys.__class__
        lagging = module(keys._make_client, keys._secret)
        deadline = api.module.requests.Deadline.of(None)
        lagging.current(deadline)  # read before the rotation, and kept for five minutes
        first = api.request("GET", "/items?limit=1").json_body["next"]

        def rotate():
            aws.client("secretsmanager").put_secret_value(
                SecretId=api.outputs["CursorSecretName"], SecretString=os.urandom(32).hex()
            )

        rotate()
        fresh = module(keys._make_client, keys._secret)
        monkeypatch.setattr(api.module, "cursor_keys", fresh)
        second = api.request("GET", f"/items?limit=1&cursor={first}").json_body["next"]
        # Signed with the new key; a function that still has the old one looks it up.
        monkeypatch.setattr(api.module, "cursor_keys", lagging)
        assert api.request("GET", f"/items?cursor={second}").status_code == 200
        rotate()
        rotate()
        monkeypatch.setattr(api.module, "cursor_keys", module(keys._make_client, keys._secret))
        assert_problem(api.request("GET", f"/items?cursor={first}"), 400, "invalid-query")

    def test_forged_cursors_do_not_make_the_key_be_read_each_time(self, api, monkeypatch):
        fill(api, 2)
        api.request("GET", "/items?limit=1")
        asked = []
        api.module.cursor_keys._client.meta.events.register(
            "before-send.secrets-manager", lambda request, **_: asked.append(request)
        )
        for number in range(5):
            api.request("GET", f"/items?cursor={'A' * (60 + number)}")
        assert len(asked) <= 2
