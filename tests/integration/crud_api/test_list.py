from concurrent.futures import ThreadPoolExecutor

import pytest

from crud_api import resources


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
                lambda number: operations.create_item(api.table, {"name": f"{number}"}).id,
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


def test_a_slow_search_for_a_tag_stops_early(api, monkeypatch):
    monkeypatch.setattr("chalicelib.table.TAG_READ", 1)
    api.create(name="rare", tags=["rare"])
    fill(api, 12)
    in_four_rounds = listed(api, tag="rare")
    monkeypatch.setattr("chalicelib.table.ROUND_SECONDS", -1.0)
    in_one_round = listed(api, tag="rare")
    assert names(in_one_round) == names(in_four_rounds) == ["rare"]
    assert len(in_one_round) > len(in_four_rounds)


def test_a_tag_with_reserved_characters(api):
    api.create(name="hit", tags=["a&b=c d/é"])
    api.create(name="miss", tags=["a"])
    assert names(listed(api, tag="a%26b%3Dc%20d%2F%C3%A9")) == ["hit"]


def test_a_rare_tag_is_found_however_deep_it_lies(api, monkeypatch):
    # Reads of 2 items instead of 250 make 40 items as deep as 5,000.
    monkeypatch.setattr("chalicelib.table.TAG_READ", 2)
    api.create(name="rare", tags=["rare"])
    fill(api, 40)
    pages = listed(api, tag="rare")
    assert names(pages) == ["rare"]
    assert pages[0] == []


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
