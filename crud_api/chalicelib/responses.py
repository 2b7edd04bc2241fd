"""What the API answers with, apart from problems."""

from collections.abc import Callable, Sequence
from typing import cast

from chalice.app import Response

from .batch_operations import Result
from .items import Item, document_of_item
from .pages import Page
from .preconditions import entity_tag
from .strict_json import Json, dumps

MAX_PAGE_CHARACTERS = 1_000_000
"""Where the text of a page ends, at the first item that crosses it. A Lambda function returns at
most 6 MB, in which each quote and backslash of the text counts twice and a character up to four
times; one item more is 400 KB stored, which JSON escapes sixfold at worst."""


def item_response(
    item: Item, status_code: int, location: str | None = None, *, replayed: bool = False
) -> Response:
    """Return the representation of an item with its ETag. A cache may keep it, and must ask."""
    headers: dict[str, str | list[str]] = {
        "Content-Type": "application/json",
        "Cache-Control": "private, no-cache",
        "ETag": entity_tag(item.revision.text),
    }
    if location is not None:
        headers["Location"] = location
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(dumps(document_of_item(item)), headers, status_code)


def not_modified(item: Item) -> Response:
    """Return the answer to a conditional GET that needs no body (RFC 9110, section 15.4.5)."""
    return Response(
        "", {"Cache-Control": "private, no-cache", "ETag": entity_tag(item.revision.text)}, 304
    )


def page_response(page: Page, cursor_of: Callable[[str], str]) -> Response:
    """Return a page of items; it ends early where the answer would be too large for Lambda.

    `cursor_of` makes the cursor of a position.
    """
    texts: list[str] = []
    following = page.next
    characters = 0
    for number, item in enumerate(page.items, 1):
        text = dumps(document_of_item(item))
        texts.append(text)
        characters += len(text)
        if characters > MAX_PAGE_CHARACTERS and number < len(page.items):
            following = item.position
            break
    cursor = dumps(None if following is None else cursor_of(following))
    body = f'{{"items":[{",".join(texts)}],"next":{cursor}}}'
    return Response(body, {"Content-Type": "application/json", "Cache-Control": "no-store"})


def batch_response(results: Sequence[Result]) -> Response:
    """Return the results of a batch: of an item stored what the server has set, not all of it."""
    documents: list[Json] = []
    for result in results:
        document: dict[str, Json] = {"status": result.status}
        if result.item is not None:
            item = result.item
            document |= {
                "id": item.id,
                "etag": entity_tag(item.revision.text),
                "version": item.version,
                "created_at": item.created_at,
                "updated_at": item.updated_at,
            }
        if result.problem is not None:
            document["problem"] = cast(Json, result.problem.document())
            if "ETag" in result.problem.headers:
                document["etag"] = result.problem.headers["ETag"]
        documents.append(document)
    return Response(
        dumps({"results": documents}),
        {"Content-Type": "application/json", "Cache-Control": "no-store"},
    )


def no_content() -> Response:
    """Return the answer to a DELETE that was done."""
    return Response("", {"Cache-Control": "no-store"}, 204)
