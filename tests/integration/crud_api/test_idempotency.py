"""A POST that is sent again, at once, later or while the first is being carried out."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.crud_api.faults import cancelled, lose

FULL = {"name": "a", "tags": ["t", "u"], "attributes": {"price": 1.5}}


def post(api, key, document=None, **headers):
    return api.request("POST", "/items", document or FULL, Idempotency_Key=key, **headers)


def items_with(api, tag):
    return api.request("GET", f"/items?tag={tag}").json_body["items"]


def test_the_answer_is_given_again(api, unique):
    document = FULL | {"tags": [unique]}
    first, second = post(api, unique, document), post(api, unique, document)
    assert first.status_code == second.status_code == 201
    assert second.body == first.body
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    for name in ("ETag", "Location", "Content-Type"):
        assert second.headers[name] == first.headers[name]
    assert items_with(api, unique) == [first.json_body]


def test_the_answer_is_the_first_one_also_after_the_item_has_changed(api, unique):
    first = post(api, unique)
    path = first.headers["Location"]
    api.request("PUT", path, {"name": "changed"}, If_Match=first.headers["ETag"])
    assert post(api, unique).body == first.body
    api.request("DELETE", path)
    assert post(api, unique).body == first.body
    assert api.request("GET", path).status_code == 404


def test_another_body_is_refused(api, assert_problem, unique):
    first = post(api, unique)
    response = post(api, unique, {"name": "another"})
    assert_problem(response, 422, "idempotency-key-reused")
    assert post(api, unique).body == first.body


def test_white_space_is_no_other_body(api, unique):
    first = post(api, unique)
    spaced = json.dumps(FULL, indent=4).encode()
    again = api.request(
        "POST", "/items", body=spaced, Idempotency_Key=unique, Content_Type="application/json"
    )
    assert again.body == first.body


def test_a_quoted_key_is_the_same_key(api, unique):
    assert post(api, f'"{unique}"').body == post(api, unique).body


def test_without_a_key_each_is_a_new_item(api):
    first, _ = api.create()
    second, _ = api.create()
    assert first["id"] != second["id"]


def test_a_refused_request_leaves_the_key_free(api, assert_problem, unique):
    assert_problem(post(api, unique, {"name": ""}), 400, "invalid-item")
    assert post(api, unique).status_code == 201


def test_a_key_expires(api, unique, monkeypatch):
    now = 1_900_000_000_000_000
    monkeypatch.setattr("chalicelib.clock.now", lambda: now)
    first = post(api, unique)
    day = 24 * 60 * 60 * 1_000_000
    monkeypatch.setattr("chalicelib.clock.now", lambda: now + day - 1_000_000)
    assert post(api, unique).body == first.body
    monkeypatch.setattr("chalicelib.clock.now", lambda: now + day)
    second = post(api, unique, {"name": "another"})
    assert second.status_code == 201
    assert second.json_body["id"] != first.json_body["id"]
    assert "Idempotency-Replayed" not in second.headers


def test_many_at_once_make_one_item(api, unique):
    document = FULL | {"tags": [unique]}
    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(lambda _: post(api, unique, document), range(16)))
    assert {response.status_code for response in responses} <= {201, 409}
    bodies = {response.body for response in responses if response.status_code == 201}
    assert len(bodies) == 1
    replayed = ["Idempotency-Replayed" in response.headers for response in responses]
    assert replayed.count(False) == 1
    assert [item["name"] for item in items_with(api, unique)] == ["a"]


@pytest.mark.usefixtures("no_pauses")
def test_one_in_progress_is_a_409(api, assert_problem, inject, unique):
    busy = [True]

    def conflict(request, **_):
        reasons = ["TransactionConflict", "None", "None", "None"]
        return cancelled(request, *reasons) if busy else None

    inject("TransactWriteItems", conflict)
    response = post(api, unique)
    assert_problem(response, 409, "request-in-progress")
    assert int(response.headers["Retry-After"]) > 0
    # Whatever became of the other request, it leaves nothing behind that is still in progress.
    busy.clear()
    assert post(api, unique).status_code == 201


@pytest.mark.usefixtures("no_pauses")
def test_a_lost_answer_is_no_replay(api, inject, unique):
    document = FULL | {"tags": [unique]}
    sent = []

    def lose_once(request, **_):
        sent.append(request)
        return lose(request) if len(sent) == 1 else None

    inject("TransactWriteItems", lose_once)
    response = post(api, unique, document)
    assert (response.status_code, len(sent)) == (201, 2)
    assert "Idempotency-Replayed" not in response.headers
    assert items_with(api, unique) == [response.json_body]
    assert post(api, unique, document).headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", " ", '"', '""', "a\tb", "é", "x" * 256, '"a" "b"'])
def test_a_key_that_is_none(api, assert_problem, key):
    assert_problem(post(api, key), 400, "invalid-idempotency-key")


def test_the_longest_key(api):
    key = "x" * 255
    assert post(api, key).status_code == 201


def test_the_keys_of_callers_are_their_own(api, unique):
    intents = [
        api.module.requests.Intent.of(unique, caller, {"name": "a"}) for caller in ("one", "two")
    ]
    made = [
        api.module.operations.create_item(api.table, {"name": "a"}, intent) for intent in intents
    ]
    assert [replayed for _, replayed in made] == [False, False]
    assert made[0][0].id != made[1][0].id
