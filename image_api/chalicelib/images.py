"""The use cases of the HTTP API: take an image or an upload, show it, list images, delete one."""

from __future__ import annotations

import base64
import binascii
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from problem_details import FieldError, Problem

from . import identifiers, manifests, problems
from .admission import inspect
from .formats import FORMATS
from .presets import PRESETS
from .refusals import Refusal, TooLarge
from .srcset import srcset
from .storage import StorageUnavailable
from .sweeping import sweep
from .telemetry import BYTES, COUNT, Metrics
from .uploads import MAX_BODY_BYTES, MalformedForm, file_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .manifests import Manifest
    from .storage import ImageStore, PresignedPost, StoredSource

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
# Showing an image is two requests to S3, so a page of them is read side by side.
READERS = 8
RETRY_AFTER = "2"  # seconds
# A file whose first bytes will tell what it is, whatever it is called.
ANY_FILE = "application/octet-stream"

Document = dict[str, Any]


def create(store: ImageStore, content_type: str, body: bytes, memory: int) -> str:
    """Store an upload whose header is sound and return its id. Raises Problem.

    `memory` is that of the function that will decode it, in bytes.
    """
    image_id = identifiers.new_id()
    metrics = Metrics()
    metrics.add("Uploads", 1, COUNT)
    metrics.add("UploadedBytes", len(body), BYTES)
    try:
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(
                f"The body has {len(body):,} bytes; it may have {MAX_BODY_BYTES:,}. "
                "POST to uploads for a form that takes larger files."
            )
        data = file_in(content_type, body)
        header = inspect(data, PRESETS, memory)
    except MalformedForm as error:
        raise Problem(problems.MALFORMED_FORM, str(error)) from error
    except Refusal as refusal:
        # The way that does take a larger file; relative to the request's URL, like every link.
        extensions = {"links": {"uploads": "uploads"}} if isinstance(refusal, TooLarge) else {}
        problem = problems.refused(refusal, extensions)
        metrics.add("Rejections", 1, COUNT)
        metrics.emit(image_id=image_id, problem=problem.problem_type.slug)
        raise problem from refusal
    with _reporting_outages():
        store.put_source(image_id, data, header.format.media_type)
    metrics.emit(image_id=image_id)
    return image_id


def begin_upload(store: ImageStore, body: bytes, max_bytes: int) -> tuple[str, PresignedPost]:
    """Return the id of an image to come, and the form that uploads it to S3.

    `body` may be empty, or JSON with the `content_type` of the file. Raises Problem.
    """
    image_id = identifiers.new_id()
    return image_id, store.presign_upload(image_id, _content_type(body), max_bytes)


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

    The source goes first: `sweep` relies on it. Cut short, the deletion can be asked
    for again: the image counts as found as long as its manifest is there. The event of the removal
    would do the same in a moment, but whoever was told 204 may look at once.
    """
    if not identifiers.is_id(image_id):
        raise _not_found(image_id)
    with _reporting_outages():
        if store.find_source(image_id) is None and store.get_manifest(image_id) is None:
            raise _not_found(image_id)
        store.delete_source(image_id)
        sweep(store, image_id)


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
        "srcset": {},
        "problem": None,
    }
    stored = store.get_manifest(image_id)
    manifest = None if stored is None else stored.manifest
    if manifest is None or not manifest.is_result_of(source.version):
        if _is_given_up(manifest, source, time.time()):
            problem = problems.processing_failed().document()
            return document | {"status": "failed", "problem": problem}
        return document
    if manifest.source is not None:
        document["source"] |= {
            "media_type": manifest.source.media_type,
            "width": manifest.source.width,
            "height": manifest.source.height,
        }
    renditions = [
        {
            "preset": rendition.preset,
            "format": rendition.format,
            "media_type": rendition.media_type,
            "width": rendition.width,
            "height": rendition.height,
            "bytes": rendition.bytes,
            "url": store.url(rendition.key, rendition.media_type),
        }
        for rendition in manifest.renditions
    ]
    return document | {
        "status": manifest.status,
        "renditions": renditions,
        "srcset": srcset(renditions, manifest.source),
        "problem": manifest.problem,
    }


def _is_given_up(manifest: Manifest | None, source: StoredSource, now: float) -> bool:
    """Tell whether an upload without a result has none to come, unless someone sends for it again.

    Lambda has tried as often as it does, or the upload is older than Lambda keeps an event: then
    also no attempt may have got so far as to be noted.
    """
    if manifest is not None and manifest.is_attempt_at(source.version):
        if now < manifest.running_until:
            return False
        if manifest.attempts >= manifests.INVOCATIONS:
            return True
    return now - source.uploaded > manifests.GIVEN_UP_AFTER


def _content_type(body: bytes) -> str:
    """Return the media type the upload is to have, as `content_type` in the body says."""
    known = sorted(each.media_type for each in FORMATS)
    if not body.strip():
        return ANY_FILE
    errors = []
    try:
        members = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(
            problems.INVALID_BODY, "The body is not JSON. It may also be left out."
        ) from error
    if not isinstance(members, dict):
        errors.append(FieldError("", "It must be an object."))
        members = {}
    chosen = members.pop("content_type", ANY_FILE)
    if chosen not in (ANY_FILE, *known):
        errors.append(FieldError("/content_type", f"It must be one of {', '.join(known)}."))
    for name in sorted(members):
        pointer = name[:64].replace("~", "~0").replace("/", "~1")
        errors.append(FieldError(f"/{pointer}", "There is only content_type."))
    if errors:
        raise Problem(problems.INVALID_BODY, "The body says what the API cannot do.", errors)
    return str(chosen)


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
