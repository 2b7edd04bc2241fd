"""The contract as a model: clients who write, retry and wait, over a storage that fails.

Hypothesis looks for a sequence of requests after which the API and the model disagree: an update
that is lost, an item there twice, one back from the dead, an ETag that is good twice, a list that
misses an item or has a deleted one. `CRUD_API_MODEL_EXAMPLES` sets how many sequences it tries.
"""

import os
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from crud_api import resources
from tests.integration.crud_api.faults import Chaos

EXAMPLES = int(os.environ.get("CRUD_API_MODEL_EXAMPLES", "15"))
DAY = 24 * 60 * 60 * 1_000_000

TAGS = ["red", "green", "blue"]
TAG_LISTS = st.lists(st.sampled_from(TAGS), max_size=3, unique=True)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.integers(-5, 5) | st.text('é\x00"', max_size=2) | st.none() | st.just({"c": [1]}),
    max_size=2,
)
DOCUMENTS = st.fixed_dictionaries(
    {"name": st.text("xyz", min_size=1, max_size=3)},
    optional={"description": st.text(max_size=3), "tags": TAG_LISTS, "attributes": ATTRIBUTES},
).filter(lambda document: "\ud800" not in str(document))
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text("xyz", min_size=1, max_size=3),
        "description": st.none() | st.just("changed"),
        "tags": st.none() | TAG_LISTS,
        "attributes": st.none() | ATTRIBUTES,
    },
)
CLIENT_IDS = st.sampled_from(["id-1", "id-2", "id-3"])
WHOLE = {"description": "", "tags": [], "attributes": {}}


def merged(target, patch):
    """RFC 7396, written once more."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            inner = result.get(name)
            result[name] = merged(inner if isinstance(inner, dict) else {}, value)
        else:
            result[name] = value
    return result


@dataclass
class Model:
    """What the API must hold: items by ID, every ETag it gave, and the keys in use."""

    items: dict = field(default_factory=dict)
    etags: dict = field(default_factory=dict)
    used_etags: set = field(default_factory=set)
    keys: dict = field(default_factory=dict)
    order: list = field(default_factory=list)


@dataclass(frozen=True)
class Seen:
    """An item as some client saw it last."""

    id: str
    etag: str


class Contract(RuleBasedStateMachine):
    """Set by the fixture: the app, its clock, and how to get an empty table."""

    api = None
    clock = None
    new_table = None
    contract = None

    seen = Bundle("seen")
    posts = Bundle("posts")

    @initialize(seed=st.integers(0, 2**32), share=st.sampled_from([0.0, 0.15, 0.4]))
    def begin(self, seed, share):
        self.model = Model()
        # Nothing is left of the sequence before: the same choices have the same outcome again.
        self.generator = random.Random(seed)
        self.clock.reset()
        type(self).new_table()
        self.chaos = Chaos(random.Random(seed), share)
        self.api.table._client.meta.events.register_last(
            "before-send.dynamodb", self.chaos, unique_id="chaos"
        )

    def teardown(self):
        self.api.table._client.meta.events.unregister("before-send.dynamodb", unique_id="chaos")

    def request(self, method, path, document=None, **headers):
        """One client's request; after a 503 it is for the caller to find out what became of it."""
        self.clock.advance(1)
        response = self.api.request(method, path, document, **headers)
        body = response.body.decode()
        assert response.status_code < 500 or response.status_code == 503, body
        if response.status_code >= 400:
            assert response.headers["Content-Type"] == "application/problem+json"
            assert "Exception" not in body
            assert "Traceback" not in body
        if response.status_code == 503:
            assert int(response.headers["Retry-After"]) > 0
        return response

    def calm(self):
        """The same without faults: how a test looks at the state."""
        chaos = self.chaos

        class Calm:
            def __enter__(self):
                self.share, chaos.share = chaos.share, 0.0

            def __exit__(self, *_):
                chaos.share = self.share

        return Calm()

    def stored(self, response):
        """Take over an item as a successful write returned it."""
        item, etag = response.json_body, response.headers["ETag"]
        assert etag not in self.model.used_etags
        self.model.used_etags.add(etag)
        if item["id"] not in self.model.items:
            self.model.order.append(item["id"])
        self.model.items[item["id"]] = item
        self.model.etags[item["id"]] = etag
        return Seen(item["id"], etag)

    def removed(self, item_id):
        del self.model.items[item_id], self.model.etags[item_id]
        self.model.order.remove(item_id)

    def settle(self, item_id):
        """After a 503 to a write of a known ID: look, and take over what is there."""
        with self.calm():
            got = self.request("GET", f"/items/{item_id}")
        if got.status_code == 404:
            if item_id in self.model.items:
                self.removed(item_id)
            return None
        if got.headers["ETag"] == self.model.etags.get(item_id):
            assert got.json_body == self.model.items[item_id]
            return None
        if item_id in self.model.items:
            before = self.model.items[item_id]
            assert got.json_body["created_at"] == before["created_at"]
            # Carried out once, not twice.
            assert got.json_body["version"] == before["version"] + 1
        return self.stored(got)

    @rule(target=seen, document=DOCUMENTS)
    def post(self, document):
        before = set(self.model.items)
        response = self.request("POST", "/items", document)
        if response.status_code == 503:
            # The client never learns the ID. A list shows whether the item is there.
            with self.calm():
                listed = self.listed()
            new = [item for item in listed if item["id"] not in before]
            assert len(new) <= 1
            if new:
                with self.calm():
                    return self.stored(self.request("GET", f"/items/{new[0]['id']}"))
            return multiple()
        assert response.status_code == 201
        assert response.json_body["id"] not in self.model.items
        assert self.content(response.json_body) == WHOLE | document
        return self.stored(response)

    @rule(target=posts, document=DOCUMENTS, number=st.integers(0, 2))
    def new_key(self, document, number):
        return f"key-{number}", document

    @rule(target=seen, sent=posts)
    def post_once(self, sent):
        key, document = sent
        response = self.request("POST", "/items", document, Idempotency_Key=key)
        known = self.model.keys.get(key)
        if known is not None and self.clock.now >= known["expires"]:
            known = None
        for _ in range(20):
            if response.status_code not in (503, 409):
                break
            # What an idempotency key is for: send it again until there is an answer.
            with self.calm():
                response = self.request("POST", "/items", document, Idempotency_Key=key)
        if known is not None:
            if known["document"] != document:
                assert response.status_code == 422
                return multiple()
            assert response.status_code == 201
            assert response.body == known["body"]
            assert response.headers["Idempotency-Replayed"] == "true"
            return multiple()
        assert response.status_code == 201
        created = response.json_body
        expires = (self.clock.now // 1_000_000 + 24 * 60 * 60) * 1_000_000
        self.model.keys[key] = {
            "document": document,
            "body": response.body,
            "expires": expires,
        }
        assert self.content(created) == WHOLE | document
        return self.stored(response)

    @rule(target=seen, item_id=CLIENT_IDS, document=DOCUMENTS)
    def create_by_put(self, item_id, document):
        response = self.request("PUT", f"/items/{item_id}", document, If_None_Match="*")
        if response.status_code == 503:
            return self.settle(item_id) or multiple()
        if item_id in self.model.items:
            assert response.status_code == 412
            assert response.headers["ETag"] == self.model.etags[item_id]
            return multiple()
        assert response.status_code == 201
        assert response.json_body["version"] == 1
        assert self.content(response.json_body) == WHOLE | document
        return self.stored(response)

    @rule(target=seen, known=seen, document=DOCUMENTS, if_match=st.sampled_from(["seen", "*"]))
    def put(self, known, document, if_match):
        condition = known.etag if if_match == "seen" else "*"
        response = self.request("PUT", f"/items/{known.id}", document, If_Match=condition)
        return self.changed(known, condition, response, lambda _: WHOLE | document, missing=412)

    @rule(target=seen, known=seen, patch=PATCHES, if_match=st.sampled_from(["seen", "*"]))
    def patch(self, known, patch, if_match):
        condition = known.etag if if_match == "seen" else "*"
        response = self.request("PATCH", f"/items/{known.id}", patch, If_Match=condition)

        def expected(before):
            return WHOLE | merged(self.content(before), patch)

        return self.changed(known, condition, response, expected, missing=404)

    def changed(self, known, condition, response, expected, *, missing):
        before = self.model.items.get(known.id)
        if response.status_code == 503:
            return self.settle(known.id) or multiple()
        if before is None:
            assert response.status_code == missing
            return multiple()
        if condition not in ("*", self.model.etags[known.id]):
            assert response.status_code == 412
            assert response.headers["ETag"] == self.model.etags[known.id]
            return multiple()
        assert response.status_code == 200, response.body
        after = response.json_body
        assert self.content(after) == expected(before)
        assert after["version"] == before["version"] + 1
        assert after["created_at"] == before["created_at"]
        assert after["updated_at"] >= after["created_at"]
        return self.stored(response)

    @rule(known=consumes(seen), if_match=st.sampled_from(["seen", "*", None]))
    def delete(self, known, if_match):
        headers = {} if if_match is None else {"If_Match": "*"}
        if if_match == "seen":
            headers = {"If_Match": known.etag}
        response = self.request("DELETE", f"/items/{known.id}", **headers)
        if response.status_code == 503:
            self.settle(known.id)
        elif known.id not in self.model.items:
            # After a failure nobody can tell an item that is gone from one that never was.
            assert response.status_code in ((404,) if self.chaos.share == 0 else (204, 404))
        elif if_match == "seen" and known.etag != self.model.etags[known.id]:
            assert response.status_code == 412
            assert response.headers["ETag"] == self.model.etags[known.id]
        else:
            assert response.status_code == 204
            self.removed(known.id)

    @rule(known=seen, document=DOCUMENTS, atomic=st.booleans())
    def batch(self, known, document, atomic):
        """A new item, and a change of one that may be stale."""
        operations = [
            {"op": "create", "item": document},
            {"op": "replace", "id": known.id, "if_match": known.etag, "item": document},
        ]
        before = set(self.model.items)
        fresh = self.model.etags.get(known.id) == known.etag
        response = self.request(
            "POST", f"/items:batch?atomic={str(atomic).lower()}", {"operations": operations}
        )
        with self.calm():
            listed = {item["id"]: item for item in self.listed()}
            new = [item_id for item_id in listed if item_id not in before]
            assert len(new) <= 1
            for item_id in new:
                self.stored(self.request("GET", f"/items/{item_id}"))
        created = bool(new)
        if response.status_code == 503:
            replaced = self.settle(known.id) is not None
            assert not atomic or created == replaced
            return
        if atomic and not fresh:
            assert response.status_code == 409
            assert not created
            return
        results = response.json_body["results"]
        if results[0]["status"] == 201:
            assert new == [results[0]["id"]]
        if results[1]["status"] == 200:
            assert fresh
            assert self.settle(known.id).etag == results[1]["etag"]
        elif results[1]["status"] == 503:
            self.settle(known.id)
        else:
            assert results[1]["status"] == 412
            assert not fresh

    @rule(known=seen)
    def get(self, known):
        response = self.request("GET", f"/items/{known.id}", If_None_Match=known.etag)
        if response.status_code == 503:
            return
        if known.id not in self.model.items:
            assert response.status_code == 404
        elif known.etag == self.model.etags[known.id]:
            assert response.status_code == 304
        else:
            assert (response.status_code, response.json_body) == (200, self.model.items[known.id])

    @rule(seconds=st.sampled_from([1, 3_600, 90_000]))
    def wait(self, seconds):
        self.clock.advance(seconds * 1_000_000)

    @rule(microseconds=st.sampled_from([0, 1_000, 2_000_000]))
    def another_machine(self, microseconds):
        """The next requests are answered by a machine whose clock is behind."""
        self.clock.behind = microseconds

    @invariant()
    def the_lists_are_what_they_should_be(self):
        if not hasattr(self, "model"):
            return
        with self.calm():
            assert {item["id"]: item for item in self.listed()} == self.model.items
            tag = self.generator.choice(TAGS)
            tagged = {k: item for k, item in self.model.items.items() if tag in item["tags"]}
            assert {item["id"]: item for item in self.listed(tag)} == tagged

    def listed(self, tag=None):
        items, cursor = [], ""
        while cursor is not None:
            query = f"limit={self.generator.choice([1, 2, 100])}"
            query += f"&tag={tag}" if tag else ""
            query += f"&cursor={cursor}" if cursor else ""
            page = self.request("GET", f"/items?{query}").json_body
            items += page["items"]
            cursor = page["next"]
        positions = [(item["created_at"], item["id"]) for item in items]
        assert positions == sorted(positions, reverse=True)
        assert len(set(positions)) == len(positions)
        return items

    @staticmethod
    def content(item):
        return {name: item[name] for name in ("name", *WHOLE)}


class InTurn:
    """In the place of a pool of threads: the same requests meet the same faults in every run."""

    map = staticmethod(map)


class Clock:
    """A clock that only the test moves; `behind` is how far this machine's is off."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.true = 1_900_000_000_000_000
        self.behind = 0

    @property
    def now(self):
        return self.true - self.behind

    def advance(self, microseconds):
        self.true += microseconds


@pytest.mark.usefixtures("no_pauses")
def test_the_contract_holds(api, aws, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("chalicelib.clock.now", lambda: clock.now)
    monkeypatch.setattr(api.table, "_pool", InTurn)
    monkeypatch.setattr("chalicelib.batch_operations._POOL", InTurn)
    client = aws.client("dynamodb")
    name = api.outputs["TableName"]
    definition = resources.template().to_dict()["Resources"]["Items"]["Properties"]
    created = []

    def new_table():
        created.append(f"{name}-{len(created)}")
        client.create_table(
            TableName=created[-1],
            **{
                key: definition[key]
                for key in (
                    "AttributeDefinitions",
                    "BillingMode",
                    "GlobalSecondaryIndexes",
                    "KeySchema",
                )
            },
        )
        monkeypatch.setattr(api.table, "_name", created[-1])

    Contract.api, Contract.clock, Contract.new_table = api, clock, staticmethod(new_table)
    run_state_machine_as_test(
        Contract,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    for table in created:
        client.delete_table(TableName=table)
