"""The catalogue of this API's problem types (RFC 9457)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from problem_details import Problem, ProblemType

from .refusals import (
    CorruptImage,
    Empty,
    Refusal,
    TooLarge,
    TooManyPixels,
    UnsupportedFormat,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

EMPTY = ProblemType("empty", "The upload is empty", 400)
MALFORMED_FORM = ProblemType("malformed-form", "The form cannot be read", 400)
INVALID_BODY = ProblemType("invalid-body", "The request body is not valid", 400)
INVALID_QUERY = ProblemType("invalid-query", "A query parameter is not valid", 400)
IMAGE_NOT_FOUND = ProblemType("image-not-found", "There is no such image", 404)
TOO_LARGE = ProblemType("too-large", "The upload has too many bytes", 413)
UNSUPPORTED_FORMAT = ProblemType("unsupported-format", "The image format is not taken", 415)
TOO_MANY_PIXELS = ProblemType("too-many-pixels", "The image has too many pixels", 422)
CORRUPT_IMAGE = ProblemType("corrupt-image", "The image is damaged", 422)
PROCESSING_FAILED = ProblemType("processing-failed", "The image could not be processed", 500)
STORAGE_UNAVAILABLE = ProblemType("storage-unavailable", "The storage does not answer", 503)

REFUSALS: dict[type[Refusal], ProblemType] = {
    Empty: EMPTY,
    TooLarge: TOO_LARGE,
    UnsupportedFormat: UNSUPPORTED_FORMAT,
    TooManyPixels: TOO_MANY_PIXELS,
    CorruptImage: CORRUPT_IMAGE,
}


def processing_failed() -> Problem:
    """Return the problem of an image for which no attempt is left."""
    return Problem(
        PROCESSING_FAILED,
        "The image could not be processed, for a reason that is not its own. "
        "It is kept, and can be processed again.",
    )


def refused(refusal: Refusal, extensions: Mapping[str, object] | None = None) -> Problem:
    """Return the problem that tells the client of a refusal; `extensions` are further members."""
    return Problem(REFUSALS[type(refusal)], str(refusal), extensions=extensions)
