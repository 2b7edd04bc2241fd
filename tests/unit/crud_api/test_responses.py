import json

from crud_api.chalicelib import responses
from crud_api.chalicelib.items import Content, Item
from crud_api.chalicelib.pages import Page
from crud_api.chalicelib.revisions import Revision


def item(number, description=""):
    revision = Revision.first(number, ())
    return Item(f"i{number}", Content("a", description), revision, "2026-01-02T03:04:05.000000Z")


def page_response(page):
    """The page, with positions in place of cursors."""
    return responses.page_response(page, lambda position: position)


def test_a_page_that_fits_is_sent_whole():
    newest, oldest = item(2), item(1)
    body = json.loads(page_response(Page((newest, oldest), oldest.position)).body)
    assert [found["id"] for found in body["items"]] == ["i2", "i1"]
    assert body["next"] == oldest.position
    assert json.loads(page_response(Page((newest,), None)).body)["next"] is None


def test_a_page_too_large_for_lambda_goes_on_from_where_it_was_cut():
    large = [item(number, '"' * 300_000) for number in range(9, 0, -1)]
    body = page_response(Page(tuple(large), None)).body
    # Lambda sends the body as a JSON string in its result.
    assert len(json.dumps(body)) < 6 * 1024 * 1024
    page = json.loads(body)
    assert [found["id"] for found in page["items"]] == ["i9", "i8"]
    assert page["next"] == large[1].position


def test_a_page_cut_at_its_last_item_has_its_own_next():
    large = tuple(item(number, "x" * 600_000) for number in (2, 1))
    assert json.loads(page_response(Page(large, None)).body)["next"] is None


def test_the_worst_single_item_fits():
    # A control character is 1 byte stored, 6 in JSON, 7 where that JSON is a JSON string again.
    worst = item(1, "\x01" * 400 * 1024)
    response = page_response(Page((worst, worst), None)).to_dict()
    assert len(json.dumps(response)) < 6 * 1024 * 1024
