"""Sixteen clients who do everything at once, over a storage that fails.

What was acknowledged is there afterwards, exactly once. `CRUD_API_TRAFFIC_SECONDS` sets how long
they go on.
"""

import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from crud_api import resources
from tests.integration.crud_api.faults import Chaos

CLIENTS = 16
SECONDS = float(os.environ.get("CRUD_API_TRAFFIC_SECONDS", "6"))
SHARED = 4
"""Items that all clients change, besides those of their own."""


@pytest.fixture
def outputs(deploy_stack, unique):
    """A table of this test's own: what it lists is what it made."""
    return deploy_stack(f"crud-api-{unique}", resources.template(), {"DeletionProtection": "false"})


class Writer:
    """One client: it does what comes to its mind, and notes what was acknowledged."""

    def __init__(self, api, number, shared, until):
        self.api = api
        self.number = number
        self.shared = shared
        self.until = until
        self.generator = random.Random(number)
        self.items = {}
        self.unknown = set()
        self.marks = Counter()
        self.unknown_marks = Counter()
        self.statuses = Counter()
        self.keys = 0

    def request(self, method, path, document=None, **headers):
        response = self.api.request(method, path, document, **headers)
        self.statuses[response.status_code] += 1
        assert response.status_code < 500 or response.status_code == 503, response.body
        return response

    def run(self):
        actions = [self.create, self.create_once, self.change, self.delete, self.mark, self.mark]
        while time.monotonic() < self.until:
            self.generator.choice(actions)()
        return self

    def note(self, response):
        self.items[response.json_body["id"]] = (response.headers["ETag"], response.json_body)

    def create(self):
        tags = [f"client-{self.number}", f"{self.generator.randrange(3)}"]
        name = f"{self.number}-{time.monotonic_ns()}"
        response = self.request("POST", "/items", {"name": name, "tags": tags})
        if response.status_code == 201:
            self.note(response)
        else:
            self.unknown.add(name)

    def create_once(self):
        """Send it again until there is an answer: then it is there, and once."""
        self.keys += 1
        key = f"{self.number}-{self.keys}"
        document = {"name": f"once-{key}", "tags": [f"client-{self.number}"]}
        for _ in range(200):
            response = self.request("POST", "/items", document, Idempotency_Key=key)
            if response.status_code == 201:
                self.note(response)
                return
        raise AssertionError("no answer")

    def own(self):
        return self.generator.choice(list(self.items)) if self.items else None

    def change(self):
        item_id = self.own()
        if item_id is None:
            return
        etag, _ = self.items[item_id]
        tags = [f"client-{self.number}", f"{self.generator.randrange(3)}"]
        response = self.request(
            "PATCH", f"/items/{item_id}", {"tags": tags, "description": "changed"}, If_Match=etag
        )
        if response.status_code == 503:
            self.look(item_id)
        else:
            # Nobody else writes it.
            assert response.status_code == 200, response.body
            self.note(response)

    def delete(self):
        item_id = self.own()
        if item_id is None:
            return
        condition = {} if self.generator.random() < 0.5 else {"If_Match": self.items[item_id][0]}
        response = self.request("DELETE", f"/items/{item_id}", **condition)
        if response.status_code == 503:
            self.look(item_id)
        else:
            assert response.status_code == 204, response.body
            del self.items[item_id]

    def look(self, item_id):
        response = self.request("GET", f"/items/{item_id}")
        while response.status_code == 503:
            response = self.request("GET", f"/items/{item_id}")
        if response.status_code == 404:
            del self.items[item_id]
        else:
            self.note(response)

    def mark(self):
        """Add a mark to an item everybody changes."""
        item_id = self.generator.choice(self.shared)
        current = self.request("GET", f"/items/{item_id}")
        if current.status_code != 200:
            return
        mark = f"{self.number:x}"
        document = {"name": "shared", "description": current.json_body["description"] + mark}
        etag = current.headers["ETag"]
        response = self.request("PUT", f"/items/{item_id}", document, If_Match=etag)
        if response.status_code == 200:
            self.marks[item_id] += 1
        elif response.status_code == 503:
            self.unknown_marks[item_id] += 1
        else:
            assert response.status_code == 412, response.body


def all_items(api, tag):
    items, cursor = [], ""
    while cursor is not None:
        query = f"limit=100&tag={tag}" + (f"&cursor={cursor}" if cursor else "")
        page = api.request("GET", f"/items?{query}").json_body
        items += page["items"]
        cursor = page["next"]
    return items


def test_what_was_acknowledged_is_there_once(api, monkeypatch):
    monkeypatch.setattr("chalicelib.retries.FIRST_PAUSE", 0.002)
    shared = [api.create(name="shared")[0]["id"] for _ in range(SHARED)]
    chaos = Chaos(random.Random(0), 0.15)
    events = api.table._client.meta.events
    events.register_last("before-send.dynamodb", chaos, unique_id="chaos")
    until = time.monotonic() + SECONDS
    with ThreadPoolExecutor(CLIENTS) as pool:
        writers = [Writer(api, number, shared, until) for number in range(CLIENTS)]
        writers = list(pool.map(Writer.run, writers))
    events.unregister("before-send.dynamodb", unique_id="chaos")
    assert chaos.injected > 20

    for writer in writers:
        listed = all_items(api, f"client-{writer.number}")
        by_id = {item["id"]: item for item in listed}
        assert len(by_id) == len(listed)
        for item_id, (etag, item) in writer.items.items():
            assert by_id.pop(item_id) == item
            assert api.request("GET", f"/items/{item_id}").headers["ETag"] == etag
        # Anything else is what a client was told may have been done, once each.
        names = Counter(item["name"] for item in by_id.values())
        assert set(names) <= writer.unknown
        assert set(names.values()) <= {1}
    for item_id in shared:
        item = api.request("GET", f"/items/{item_id}").json_body
        marks = Counter(item["description"])
        for writer in writers:
            most = writer.marks[item_id] + writer.unknown_marks[item_id]
            assert writer.marks[item_id] <= marks[f"{writer.number:x}"] <= most
        assert item["version"] == 1 + len(item["description"])
    statuses = sum((writer.statuses for writer in writers), Counter())
    print(f"{statuses.total()} requests, {chaos.injected} faults: {dict(statuses)}")
    assert statuses[201] > 0
    assert statuses[200] > 0
    assert statuses[204] > 0
