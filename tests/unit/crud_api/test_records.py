import uuid

import boto3
import pytest
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from crud_api.chalicelib import records
from crud_api.chalicelib.items import Content, Item
from crud_api.chalicelib.revisions import Revision
from crud_api.chalicelib.strict_json import Number

CLIENT = boto3.client(
    "dynamodb", region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-"
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SHARDS = 4
CONTENTS = st.builds(
    Content,
    TEXT,
    TEXT,
    st.lists(TEXT, max_size=3, unique=True).map(tuple),
    st.dictionaries(TEXT, TEXT | st.just(Number("1.10")) | st.none(), max_size=3),
)


def item_with(item_id, content=None):
    content = content or Content("a")
    revision = Revision.first(1_700_000_000_000_000, content.tags)
    return Item(item_id, content, revision, "2026-01-02T03:04:05.678901Z")


ITEMS = st.builds(item_with, st.from_regex("[a-z0-9]{1,9}", fullmatch=True), CONTENTS)


@given(ITEMS)
def test_an_item_comes_back_from_its_record(item):
    assert records.item_of(records.record_of_item(item, SHARDS)) == item


@given(ITEMS)
def test_a_record_is_one_dynamodb_takes(item):
    with Stubber(CLIENT) as stubber:  # validates the parameters against the service model
        stubber.add_response("put_item", {}, {"TableName": ANY, "Item": ANY})
        CLIENT.put_item(TableName="items", Item=records.record_of_item(item, SHARDS))


def test_ids_spread_over_all_shards():
    counts = [0] * SHARDS
    for number in range(400):
        item_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{number}.example"))
        counts[int(records.record_of_item(item_with(item_id), SHARDS)[records.LIST]["S"])] += 1
    assert min(counts) > 400 / SHARDS / 2


@given(ITEMS)
def test_an_item_has_a_row_for_each_tag(item):
    rows = records.records_of_tags(item, SHARDS)
    assert [row[records.KEY]["S"] for row in rows] == records.tag_rows(item.id, item.revision.rows)
    listed = [row[records.LIST]["S"].partition("#")[2] for row in rows]
    assert listed == list(item.content.tags)
    assert all(row[records.POSITION]["S"] == item.position for row in rows)
    assert not {item.id} & {row[records.KEY]["S"] for row in rows}


def test_attributes_that_are_no_object_are_not_read_as_an_item():
    record = records.record_of_item(item_with("x"), SHARDS)
    with pytest.raises(ValueError, match="attributes of item x"):
        records.item_of(record | {"attributes": {"S": "[]"}})


def test_the_size_counts_names_and_utf8():
    assert records.stored_bytes({"ab": {"S": "é"}, "c": {"L": [{"S": "xyz"}]}}) == 4 + 1 + 3 + 4
    assert records.stored_bytes({"n": {"N": "5"}}) == 1 + 21


def test_an_idempotency_key_comes_back_from_its_record():
    replay = records.Replay("k" * 64, "r" * 64, "item", "revision", 1_700_000_000)
    record = records.record_of_replay(replay)
    assert records.replay_of(record) == replay
    assert record[records.KEY]["S"].startswith("#")  # no ID does
