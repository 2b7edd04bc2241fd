from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_api.chalicelib import identifiers, keys
from image_api.chalicelib.notifications import ObjectCreated, objects_created


def record(key: Any, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {"eventName": name, "s3": {"bucket": {"name": "sources"}, "object": {"key": key}}}


def test_every_record_is_read():
    event = {"Records": [record("a"), record("b", "s3:ObjectCreated:Post")]}
    assert objects_created(event) == (
        ObjectCreated("sources", "a"),
        ObjectCreated("sources", "b"),
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
    assert objects_created({"Records": [record(encoded)]}) == (ObjectCreated("sources", key),)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_key_comes_back_as_it_was(key):
    assert objects_created({"Records": [record(quote_plus(key))]})[0].key == key


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
        {"Records": [record("a", "ObjectRemoved:Delete")]},
        {"Records": [record("a", "ObjectRemoved:DeleteMarkerCreated")]},
        [],
        None,
        "Records",
    ],
)
def test_events_about_nothing_new_give_nothing(event):
    assert objects_created(event) == ()


def test_a_record_that_cannot_be_read_does_not_hide_the_next():
    assert objects_created({"Records": [{}, record("a")]}) == (ObjectCreated("sources", "a"),)


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
