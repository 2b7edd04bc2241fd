"""What an operation asks of DynamoDB and what that costs: the table of docs/crud_api.md.

The embedded AWS counts capacity as AWS does, with two exceptions: it has a query at half a unit
whatever it reads, so how much a query reads is looked at too; and it does not count BatchGetItem,
which the fixture `spent` does by the rule of AWS.
`CRUD_API_LIST_ITEMS` sets how many items the largest list has.
"""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from crud_api import resources

GUIDE = (Path(resources.__file__).parent.parent / "docs" / "crud_api.md").read_text()
LIST_ITEMS = int(os.environ.get("CRUD_API_LIST_ITEMS", "2000"))


@pytest.fixture
def outputs(deploy_stack, unique):
    return deploy_stack(f"crud-api-{unique}", resources.template(), {"DeletionProtection": "false"})


def documented():
    """Rows of the table in the guide: what is asked, and the three columns."""
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| ([\d.]+) \| ([\d.]+) \|$",
        GUIDE[GUIDE.index("## What it costs") :],
        re.MULTILINE,
    )
    return {what: (requests, float(table), float(index)) for what, requests, table, index in rows}


def measured(spent, create):
    """The same, as DynamoDB counts it. Every item here has less than 1 KB."""

    def cost(method, path, document=None, **headers):
        response, names, table, index = spent(method, path, document, **headers)
        counted = {name: names.count(name) for name in sorted(set(names), key=names.index)}
        text = ", ".join(
            f"{count} {name}" if count > 1 else name for name, count in counted.items()
        )
        return response, (text, table, index)

    costs = {}

    def row(what, *request, **headers):
        response, costs[what] = cost(*request, **headers)
        return response

    plain = row("`POST /items`", "POST", "/items", {"name": "a"})
    tagged = row("`POST /items`, 2 tags", "POST", "/items", {"name": "a", "tags": ["s", "t"]})
    once = {"Idempotency_Key": "key"}
    row("`POST /items` with `Idempotency-Key`", "POST", "/items", {"name": "a"}, **once)
    path, tagged_path = plain.headers["Location"], tagged.headers["Location"]
    row("`GET /items/{id}`", "GET", path)
    replaced = row(
        "`PUT`, the tags as they were",
        *("PUT", tagged_path, {"name": "b", "tags": ["t", "s"]}),
        If_Match=tagged.headers["ETag"],
    )
    retagged = row(
        "`PUT`, 1 tag in place of 2",
        *("PUT", tagged_path, {"name": "b", "tags": ["u"]}),
        If_Match=replaced.headers["ETag"],
    )
    row(
        "`PATCH` of name, description, attributes",
        *("PATCH", path, {"name": "b", "description": "c", "attributes": {"a": 1}}),
        If_Match=plain.headers["ETag"],
    )
    retagged = row(
        "`PATCH`, 1 tag in place of 1",
        *("PATCH", tagged_path, {"tags": ["v"]}),
        If_Match=retagged.headers["ETag"],
    )
    row("`PUT`, `If-Match: *`", "PUT", path, {"name": "c"}, If_Match="*")
    row("`DELETE`", "DELETE", path)
    row("`DELETE` with an ETag, 1 tag", "DELETE", tagged_path, If_Match=retagged.headers["ETag"])
    any_version = create(tags=["t"])
    row("`DELETE` without an ETag, 1 tag", "DELETE", f"/items/{any_version['id']}")
    for _ in range(25):
        create(tags=["page"])
    row("`GET /items`, 20 items", "GET", "/items")
    row("`GET /items?tag`, 20 items", "GET", "/items?tag=page")
    many = {"operations": [{"op": "create", "item": {"name": "a"}} for _ in range(100)]}
    row("`POST /items:batch`, 100 new items", "POST", "/items:batch", many)
    row("the same, atomic", "POST", "/items:batch?atomic=true", many)
    return costs


def test_the_guide_says_what_operations_cost(api, spent):
    assert measured(spent, lambda **members: api.create(**members)[0]) == documented()


@pytest.fixture
def patient(api, monkeypatch):
    """The embedded AWS sorts a whole partition for each query; a long list takes it seconds."""
    client = boto3.client("dynamodb", config=Config(read_timeout=60, max_pool_connections=20))
    monkeypatch.setattr(api.table, "_client", client)


def fill(api, count):
    operations = [
        {"op": "create", "item": {"name": "a", "tags": ["all"]}} for _ in range(min(count, 100))
    ]
    with ThreadPoolExecutor(4) as pool:
        for response in pool.map(
            lambda _: api.request("POST", "/items:batch", {"operations": operations}),
            range(-(-count // 100)),
        ):
            assert {result["status"] for result in response.json_body["results"]} == {201}


@pytest.mark.timeout(3_600)
def test_a_page_costs_the_same_however_long_the_list(api, patient, spent):
    for number in range(3):
        api.create(name=f"{number}", tags=["rare"])
    read = []
    api.table._client.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: read.append(parsed["ScannedCount"])
    )

    def pages():
        """The cost of the first page and of one further on, of all items and of those of a tag."""
        costs = []
        for query in ("limit=20", "limit=20&tag=all", "limit=20&tag=rare"):
            cursor = ""
            for _ in range(2):
                read.clear()
                response, names, table, index = spent("GET", f"/items?{query}{cursor}")
                page = json.loads(response.body)
                # Never more than the page needs of each shard.
                assert max(read) <= 21
                costs.append((query, names, table, index))
                if page["next"] is None:
                    assert len(page["items"]) == 3
                    break
                assert len(page["items"]) == 20
                cursor = f"&cursor={page['next']}"
        return costs

    fill(api, 100)
    few = pages()
    fill(api, LIST_ITEMS - 100)
    assert pages() == few
    print(f"{LIST_ITEMS} items: {few}")
