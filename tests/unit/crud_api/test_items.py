import pytest

from crud_api.chalicelib.items import (
    Content,
    InvalidItemError,
    Item,
    content_of,
    document_of_content,
    document_of_item,
    is_id,
)
from crud_api.chalicelib.revisions import Revision, TagRows
from crud_api.chalicelib.strict_json import Fault, Number


def faults(document):
    with pytest.raises(InvalidItemError) as caught:
        content_of(document)
    return caught.value.faults


def test_the_smallest_item():
    assert content_of({"name": "a"}) == Content("a")


def test_a_full_item_comes_back_as_it_went_in():
    document = {
        "name": "é" * 200,
        "description": "d" * 4_000,
        "tags": [f"tag {number}" for number in range(20)],
        "attributes": {"price": Number("1.10"), "": [None, True, {"a": "b"}]},
    }
    assert document_of_content(content_of(document)) == document


def test_the_representation_adds_what_the_server_sets():
    revision = Revision(1, 3, b"nonce678", TagRows.of(["t"]))
    item = Item("x", Content("a", tags=("t",)), revision, "updated")
    assert document_of_item(item) == {
        "id": "x",
        "name": "a",
        "description": "",
        "tags": ["t"],
        "attributes": {},
        "version": 3,
        "created_at": "1970-01-01T00:00:00.000001Z",
        "updated_at": "updated",
    }
    assert item.position == "1970-01-01T00:00:00.000001Z#x"


@pytest.mark.parametrize("document", [None, [], "a", Number("1"), True])
def test_only_an_object_can_be_an_item(document):
    assert faults(document) == (Fault("", "must be an object"),)


@pytest.mark.parametrize(
    ("members", "pointer", "detail"),
    [
        ({"name": ""}, "/name", "must have 1 to 200 characters, not 0"),
        ({"name": "a" * 201}, "/name", "must have 1 to 200 characters, not 201"),
        ({"name": Number("5")}, "/name", "must be a string"),
        ({"name": None}, "/name", "must be a string"),
        (
            {"description": "d" * 4_001},
            "/description",
            "must have 0 to 4,000 characters, not 4,001",
        ),
        ({"description": None}, "/description", "must be a string"),
        ({"tags": "a"}, "/tags", "must be an array of strings"),
        ({"tags": list("abcdefghijklmnopqrstu")}, "/tags", "must have at most 20 elements, not 21"),
        ({"tags": ["a", ""]}, "/tags/1", "must have 1 to 100 characters, not 0"),
        ({"tags": ["a", Number("1")]}, "/tags/1", "must be a string"),
        ({"tags": ["a", "b", "a"]}, "/tags/2", "is there more than once"),
        ({"attributes": []}, "/attributes", "must be an object"),
        ({"version": Number("1")}, "/version", "is set by the server; leave it out"),
        ({"a/b": True}, "/a~1b", "is no member of an item: name, description, tags, attributes"),
    ],
)
def test_one_fault(members, pointer, detail):
    assert faults({"name": "a"} | members) == (Fault(pointer, detail),)


def test_all_faults_are_reported_at_once():
    document = {"id": "x", "description": Number("1"), "tags": ["", ""], "attributes": None, "z": 1}
    assert [fault.pointer for fault in faults(document)] == [
        "/id",
        "/z",
        "/name",
        "/description",
        "/tags/0",
        "/tags/1",
        "/tags/1",
        "/attributes",
    ]


@pytest.mark.parametrize("text", ["a", "A-_9", "0" * 64])
def test_an_id(text):
    assert is_id(text)


@pytest.mark.parametrize("text", ["", "0" * 65, "a.b", "a/b", "é", "a\n", "a b", "٣"])
def test_no_id(text):
    assert not is_id(text)
