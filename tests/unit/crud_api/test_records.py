import uuid

import boto3
import pytest
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from crud_api.chalicelib import pages, records
from crud_api.chalicelib.items import Content, Item
from crud_api.chalicelib.strict_json import Number

CLIENT = boto3.client(
    "dynamodb", region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-"
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ITEMS = st.builds(
    Item,
    st.from_regex("[a-z0-9]{1,9}", fullmatch=True),
    st.builds(
        Content,
        TEXT,
        TEXT,
        st.lists(TEXT, max_size=3).map(tuple),
        st.dictionaries(TEXT, TEXT | st.just(Number("1.10")) | st.none(), max_size=3),
    ),
    st.integers(1, 10**9),
    TEXT,
    st.just("2026-01-02T03:04:05.678901Z"),
    st.just("2026-01-02T03:04:05.678901Z"),
)


@given(ITEMS)
def test_an_item_comes_back_from_its_record(item):
    assert records.item_of(records.record_of_item(item)) == item


@given(ITEMS)
def test_a_record_is_one_dynamodb_takes(item):
    with Stubber(CLIENT) as stubber:  # validates the parameters against the service model
        stubber.add_response("put_item", {}, {"TableName": ANY, "Item": ANY})
        CLIENT.put_item(TableName="items", Item=records.record_of_item(item))


def test_ids_spread_over_all_shards():
    counts = [0] * pages.SHARDS
    for number in range(400):
        item_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{number}.example"))
        item = Item(item_id, Content("a"), 1, "r", "c", "u")
        counts[int(records.record_of_item(item)[records.SHARD]["N"])] += 1
    assert min(counts) > 400 / pages.SHARDS / 2


def test_attributes_that_are_no_object_are_not_read_as_an_item():
    record = records.record_of_item(Item("x", Content("a"), 1, "r", "c", "u"))
    with pytest.raises(ValueError, match="attributes of item x"):
        records.item_of(record | {"attributes": {"S": "[]"}})


def test_the_size_counts_names_and_utf8():
    assert records.stored_bytes({"ab": {"S": "é"}, "c": {"L": [{"S": "xyz"}]}}) == 4 + 1 + 3 + 4
    assert records.stored_bytes({"n": {"N": "5"}}) == 1 + 21
