"""The catalogue of problem types, and how the pure core's errors become problems."""

from collections.abc import Iterable

from problem_details import FieldError, Problem, ProblemType, type_of_status

from .items import Item
from .preconditions import entity_tag
from .strict_json import Fault

MALFORMED_JSON = ProblemType("malformed-json", "The body is not strict JSON", 400)
INVALID_ITEM = ProblemType("invalid-item", "The body is not a valid item", 400)
INVALID_BATCH = ProblemType("invalid-batch", "The body is not a valid batch", 400)
INVALID_QUERY = ProblemType("invalid-query", "A query parameter is not valid", 400)
INVALID_PRECONDITION = ProblemType("invalid-precondition", "A precondition is not valid", 400)
INVALID_IDEMPOTENCY_KEY = ProblemType(
    "invalid-idempotency-key", "The idempotency key is not valid", 400
)
ITEM_NOT_FOUND = ProblemType("item-not-found", "There is no such item", 404)
NOT_ACCEPTABLE = type_of_status(406)
EDIT_CONFLICT = ProblemType("edit-conflict", "The item was changed at the same time", 409)
REQUEST_IN_PROGRESS = ProblemType(
    "request-in-progress", "A request with this idempotency key is in progress", 409
)
BATCH_NOT_DONE = ProblemType("batch-not-done", "Nothing of the batch was done", 409)
PRECONDITION_FAILED = ProblemType("precondition-failed", "The item is not in that state", 412)
ITEM_TOO_LARGE = ProblemType("item-too-large", "The item is too large to store", 413)
BATCH_TOO_LARGE = ProblemType("batch-too-large", "The batch is too large for one step", 413)
UNSUPPORTED_MEDIA_TYPE = type_of_status(415)
IDEMPOTENCY_KEY_REUSED = ProblemType(
    "idempotency-key-reused", "The idempotency key was sent with another request", 422
)
FAILED_DEPENDENCY = type_of_status(424)
PRECONDITION_REQUIRED = ProblemType("precondition-required", "A precondition is required", 428)
STORAGE_UNAVAILABLE = ProblemType("storage-unavailable", "The storage is not available", 503)

CATALOGUE = (
    MALFORMED_JSON,
    INVALID_ITEM,
    INVALID_BATCH,
    INVALID_QUERY,
    INVALID_PRECONDITION,
    INVALID_IDEMPOTENCY_KEY,
    ITEM_NOT_FOUND,
    NOT_ACCEPTABLE,
    EDIT_CONFLICT,
    REQUEST_IN_PROGRESS,
    BATCH_NOT_DONE,
    PRECONDITION_FAILED,
    ITEM_TOO_LARGE,
    BATCH_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    IDEMPOTENCY_KEY_REUSED,
    FAILED_DEPENDENCY,
    PRECONDITION_REQUIRED,
    STORAGE_UNAVAILABLE,
)

RETRY_AFTER_SECONDS = 2

MAX_ERRORS = 100
MAX_POINTER_CHARACTERS = 65_536
"""A body can hold a million faults, and each pointer repeats names from it: what is reported is
bounded, so that the answer stays under the 6 MB a Lambda function may return."""


def of_faults(problem_type: ProblemType, faults: Iterable[Fault]) -> Problem:
    """Return the problem that lists all faults of a body, as far as the limits above go."""
    faults = tuple(faults)
    errors: list[FieldError] = []
    characters = 0
    for fault in faults[:MAX_ERRORS]:
        characters += len(fault.pointer)
        if characters > MAX_POINTER_CHARACTERS:
            break
        errors.append(FieldError(fault.pointer, fault.detail))
    count = "1 fault" if len(faults) == 1 else f"{len(faults):,} faults"
    detail = f"The body has {count}"
    if len(errors) < len(faults):
        detail += f"; the first {len(errors):,} are listed"
    return Problem(problem_type, f"{detail}.", errors)


def not_found(item_id: str) -> Problem:
    """Return the problem that there is no item with this ID."""
    return Problem(ITEM_NOT_FOUND, f"There is no item {item_id!r}.")


def missing(item_id: str) -> Problem:
    """Return the problem that there is no item for If-Match to match (RFC 9110, 13.1.1)."""
    return precondition_failed(f"There is no item {item_id!r}.", None)


def exists(item_id: str, current: Item | None) -> Problem:
    """Return the problem that the ID is taken."""
    revision = None if current is None else current.revision.text
    return precondition_failed(f"There is an item {item_id!r} already.", revision)


def stale(item_id: str, current: Item) -> Problem:
    """Return the problem that the item is not as the client has seen it."""
    return precondition_failed(
        f"Item {item_id!r} has another ETag now: it was changed at {current.updated_at}.",
        current.revision.text,
    )


def precondition_failed(detail: str, revision: str | None) -> Problem:
    """Return the problem that a precondition did not hold, with the current ETag if any."""
    headers = {} if revision is None else {"ETag": entity_tag(revision)}
    return Problem(PRECONDITION_FAILED, detail, headers=headers)


def edit_conflict() -> Problem:
    """Return the problem that other writes came between, again and again."""
    return Problem(
        EDIT_CONFLICT,
        "Other writes came between; send the request again.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def in_progress() -> Problem:
    """Return the problem that the same request is being carried out now."""
    return Problem(
        REQUEST_IN_PROGRESS,
        "Send the request again to get the answer of the one in progress.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def too_large(error: Exception) -> Problem:
    """Return the problem that an item is too large; the text of `error` says by how much."""
    return Problem(ITEM_TOO_LARGE, f"The item would have {error}.")


def unavailable(*, unsure: bool) -> Problem:
    """Return the problem that DynamoDB gave no answer; `unsure`: but may have done the write."""
    detail = f"Try again in {RETRY_AFTER_SECONDS} seconds."
    if unsure:
        detail += " A write may have been done all the same."
    return Problem(STORAGE_UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
