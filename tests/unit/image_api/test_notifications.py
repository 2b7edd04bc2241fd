from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_api.chalicelib import identifiers, keys
from image_api.chalicelib.notifications import ObjectChange, is_older, object_changes


def record(key: Any, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {"eventName": name, "s3": {"bucket": {"name": "sources"}, "object": {"key": key}}}


def test_every_record_is_read():
    event = {"Records": [record("a"), record("b", "s3:ObjectCreated:Post")]}
    assert object_changes(event) == (
        ObjectChange("sources", "a", ""),
        ObjectChange("sources", "b", ""),
    )


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("a+b%2B", "a b+"),
        ("a%252Bb", "a%2Bb"),
        ("caf%C3%A9.jpg", "café.jpg"),
        ("50%+off%zz", "50% off%zz"),
        ("images%2Fx", "images/x"),
    ],
)
def test_keys_are_decoded_once(encoded, key):
    assert object_changes({"Records": [record(encoded)]}) == (ObjectChange("sources", key, ""),)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_key_comes_back_as_it_was(key):
    assert object_changes({"Records": [record(quote_plus(key))]})[0].key == key


@pytest.mark.parametrize(
    "event",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-01T00:00:00.000Z"},
        {"Records": []},
        {"Records": None},
        {"Records": "no"},
        {"Records": [None, 3, "x", [], {}]},
        {"Records": [{"eventName": "ObjectCreated:Put"}]},
        {"Records": [record(None)]},
        {"Records": [record("%FF")]},
        {"Records": [record("a", "LifecycleExpiration:Delete")]},
        {"Records": [record("a", "ObjectRestore:Completed")]},
        [],
        None,
        "Records",
    ],
)
def test_events_about_other_things_give_nothing(event):
    assert object_changes(event) == ()


def test_a_record_that_cannot_be_read_does_not_hide_the_next():
    assert object_changes({"Records": [{}, record("a")]}) == (ObjectChange("sources", "a", ""),)


def test_only_the_keys_of_uploads_name_images():
    image_id = identifiers.new_id()
    assert keys.image_id(keys.source(image_id)) == image_id
    for key in (
        image_id,
        f"images/{image_id}/",
        f"images/images/{image_id}",
        f"images/{image_id}\0",
        f"images/{image_id}+",
        "images/../secret",
        "images/",
        keys.manifest(image_id),
    ):
        assert keys.image_id(key) is None


@pytest.mark.parametrize(
    "name",
    ["ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "s3:ObjectRemoved:Delete"],
)
def test_removals_are_changes_too(name):
    assert object_changes({"Records": [record("a", name)]}) == (ObjectChange("sources", "a", ""),)


@pytest.mark.parametrize(
    ("sequencer", "read"),
    [("0055AED6DCD90281E5", "0055AED6DCD90281E5"), ("x", ""), ("", ""), (7, ""), (None, "")],
)
def test_a_sequencer_is_hexadecimal_or_none(sequencer, read):
    created = record("a")
    created["s3"]["object"]["sequencer"] = sequencer
    assert object_changes({"Records": [created]})[0].sequencer == read


@pytest.mark.parametrize(
    ("sequencer", "than", "older"),
    [
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6", True),
        ("0055AED6DCD90281E6", "0055AED6DCD90281E5", False),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E5", False),
        ("0055aed6dcd90281e5", "0055AED6DCD90281E6", True),
        ("1", "2F", True),
        # Padded on the right, as AWS says, the first is the later one; as numbers it is the other.
        ("9", "10", False),
        ("10", "9", False),
        ("", "1", False),
        ("1", "", False),
    ],
)
def test_an_event_is_older_only_beyond_doubt(sequencer, than, older):
    assert is_older(sequencer, than) is older
