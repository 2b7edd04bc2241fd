"""The catalogue of problem types, and how the pure core's errors become problems."""

from collections.abc import Iterable

from problem_details import FieldError, Problem, ProblemType, type_of_status

from .preconditions import entity_tag
from .strict_json import Fault

MALFORMED_JSON = ProblemType("malformed-json", "The body is not strict JSON", 400)
INVALID_ITEM = ProblemType("invalid-item", "The body is not a valid item", 400)
INVALID_QUERY = ProblemType("invalid-query", "A query parameter is not valid", 400)
INVALID_PRECONDITION = ProblemType("invalid-precondition", "A precondition is not valid", 400)
ITEM_NOT_FOUND = ProblemType("item-not-found", "There is no such item", 404)
EDIT_CONFLICT = ProblemType("edit-conflict", "The item was changed at the same time", 409)
PRECONDITION_FAILED = ProblemType("precondition-failed", "The item is not in that state", 412)
ITEM_TOO_LARGE = ProblemType("item-too-large", "The item is too large to store", 413)
UNSUPPORTED_MEDIA_TYPE = type_of_status(415)
PRECONDITION_REQUIRED = ProblemType("precondition-required", "A precondition is required", 428)
STORAGE_UNAVAILABLE = ProblemType("storage-unavailable", "The storage is not available", 503)

CATALOGUE = (
    MALFORMED_JSON,
    INVALID_ITEM,
    INVALID_QUERY,
    INVALID_PRECONDITION,
    ITEM_NOT_FOUND,
    EDIT_CONFLICT,
    PRECONDITION_FAILED,
    ITEM_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    PRECONDITION_REQUIRED,
    STORAGE_UNAVAILABLE,
)

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


def precondition_failed(detail: str, revision: str | None) -> Problem:
    """Return the problem that a precondition did not hold, with the current ETag if any."""
    headers = {} if revision is None else {"ETag": entity_tag(revision)}
    return Problem(PRECONDITION_FAILED, detail, headers=headers)
