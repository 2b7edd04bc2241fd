"""The use cases of the HTTP API: take an image, show it, list images, delete one."""

from __future__ import annotations

import base64
import binascii
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from problem_details import Problem

from . import identifiers, problems
from .formats import read_header
from .presets import PRESETS
from .refusals import Refusal, TooLarge
from .storage import StorageUnavailable
from .uploads import MAX_BODY_BYTES, MalformedForm, file_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .storage import ImageStore

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
# Showing an image is two requests to S3, so a page of them is read side by side.
READERS = 8
RETRY_AFTER = "2"  # seconds

Document = dict[str, Any]


def create(store: ImageStore, content_type: str, body: bytes) -> str:
    """Store an upload whose header is sound and return its id. Raises Problem."""
    try:
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"The body has {len(body):,} bytes; the limit is {MAX_BODY_BYTES:,}.")
        data = file_in(content_type, body)
        header = read_header(data, max(preset.width for preset in PRESETS))
    except MalformedForm as error:
        raise Problem(problems.MALFORMED_FORM, str(error)) from error
    except Refusal as refusal:
        raise problems.refused(refusal) from refusal
    image_id = identifiers.new_id()
    with _reporting_outages():
        store.put_source(image_id, data, header.format.media_type)
    return image_id


def show(store: ImageStore, image_id: str) -> Document:
    """Return the document of an image. Raises Problem."""
    document = None
    if identifiers.is_id(image_id):
        with _reporting_outages():
            document = _document(store, image_id)
    if document is None:
        raise _not_found(image_id)
    return document


def page(store: ImageStore, query: Mapping[str, str]) -> tuple[list[Document], str | None]:
    """Return a page of image documents, newest first, and the cursor of the next page.

    `query` may hold `limit` (1 to 100) and `cursor` (from the page before). Raises Problem.
    """
    for parameter in sorted(query.keys() - {"limit", "cursor"}):
        raise _invalid(parameter[:64], "There are limit and cursor.")
    limit, after = _limit(query.get("limit")), _after(query.get("cursor"))
    with _reporting_outages():
        found = store.list_sources(limit, after)
        with ThreadPoolExecutor(READERS) as readers:
            documents = list(readers.map(lambda image: _document(store, image), found.image_ids))
    # One deleted between the listing and the reading is left out.
    shown = [document for document in documents if document is not None]
    return shown, None if found.next is None else _cursor(found.next)


def delete(store: ImageStore, image_id: str) -> None:
    """Delete an image and its renditions. Raises Problem.

    The source goes first: `processing.process` relies on it. Cut short, the deletion can be asked
    for again: the image counts as found as long as its manifest is there.
    """
    if not identifiers.is_id(image_id):
        raise _not_found(image_id)
    with _reporting_outages():
        manifest = store.get_manifest(image_id)
        if manifest is None and store.find_source(image_id) is None:
            raise _not_found(image_id)
        store.delete_source(image_id)
        # Processing may have ended since the manifest was read.
        manifest = store.get_manifest(image_id) or manifest
        listed = [rendition.key for rendition in manifest.renditions] if manifest else []
        store.delete_renditions(image_id, listed)


def _document(store: ImageStore, image_id: str) -> Document | None:
    source = store.find_source(image_id)
    if source is None:
        return None
    document: Document = {
        "id": image_id,
        "status": "pending",
        "created_at": identifiers.created_at(image_id),
        "source": {"media_type": source.media_type, "bytes": source.bytes},
        "renditions": [],
        "problem": None,
    }
    manifest = store.get_manifest(image_id)
    if manifest is None:
        return document
    if manifest.source is not None:
        document["source"] |= {
            "media_type": manifest.source.media_type,
            "width": manifest.source.width,
            "height": manifest.source.height,
        }
    return document | {
        "status": manifest.status,
        "renditions": [
            {
                "preset": rendition.preset,
                "format": rendition.format,
                "width": rendition.width,
                "height": rendition.height,
                "bytes": rendition.bytes,
                "url": store.url(rendition.key),
            }
            for rendition in manifest.renditions
        ],
        "problem": manifest.problem,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise _invalid("limit", f"It must be a whole number from 1 to {MAX_LIMIT}.")


def _cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _after(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        name = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        name = ""
    # S3 keys have up to 1,024 bytes and XML carries no NUL.
    if not name or "\0" in name or len(name.encode()) > 1000:
        raise _invalid("cursor", "It must be the `next` of an earlier page, unchanged.")
    return name


def _invalid(parameter: str, rule: str) -> Problem:
    return Problem(
        problems.INVALID_QUERY, f"The query parameter {parameter!r} is not valid. {rule}"
    )


def _not_found(image_id: str) -> Problem:
    return Problem(problems.IMAGE_NOT_FOUND, f"There is no image {image_id[:64]!r}.")


@contextmanager
def _reporting_outages() -> Iterator[None]:
    try:
        yield
    except StorageUnavailable as error:
        raise Problem(
            problems.STORAGE_UNAVAILABLE,
            "The storage does not answer now. Try again in a moment.",
            headers={"Retry-After": RETRY_AFTER},
        ) from error
