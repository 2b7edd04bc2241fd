"""Reading what a request carries: a strict JSON body, preconditions, the query of the list."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chalice.app import Request

from problem_details import Problem

from . import cursors, problems, strict_json
from .preconditions import EntityTags, InvalidEntityTagsError, parse_entity_tags
from .strict_json import Json

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

DEFAULT_LIMIT = 20
MAX_LIMIT = 100


@dataclass(frozen=True)
class ListQuery:
    """The query of the list: how many items, after which position, with which tag."""

    limit: int
    after: str | None
    tag: str | None


def json_body(request: Request, media_types: Sequence[str]) -> Json:
    """Return the JSON value of the body. Problem: another media type, or not strict JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in media_types:
        accepted = ", ".join(media_types)
        # RFC 5789, section 3.1 for PATCH; RFC 9110, section 15.5.16 for the others.
        header = "Accept-Patch" if request.method == "PATCH" else "Accept"
        raise Problem(
            problems.UNSUPPORTED_MEDIA_TYPE,
            f"Send {accepted}; the Content-Type is {media_type or 'missing'}.",
            headers={header: accepted},
        )
    try:
        body = request.raw_body
    except ValueError:
        # Base64 that does not decode, or text that has no UTF-8 form.
        fault = strict_json.Fault("", "cannot be decoded")
        raise problems.of_faults(problems.MALFORMED_JSON, [fault]) from None
    try:
        return strict_json.loads(body if isinstance(body, bytes) else body.encode())
    except strict_json.InvalidJsonError as error:
        raise problems.of_faults(problems.MALFORMED_JSON, error.faults) from error


def precondition(request: Request, name: str) -> EntityTags | None:
    """Return the value of If-Match or If-None-Match, None without one. Problem: malformed."""
    value = request.headers.get(name)
    if value is None:
        return None
    try:
        return parse_entity_tags(value)
    except InvalidEntityTagsError as error:
        raise Problem(problems.INVALID_PRECONDITION, f"{name} {error}.") from error


def list_query(request: Request) -> ListQuery:
    """Return the query of the list. Problem: an unknown, repeated or invalid parameter."""
    parameters = _single_parameters(request, ("limit", "cursor", "tag"))
    limit = parameters.get("limit", str(DEFAULT_LIMIT))
    if re.fullmatch("[1-9][0-9]{0,2}", limit) is None or int(limit) > MAX_LIMIT:
        raise _invalid_query("limit", f"must be a number from 1 to {MAX_LIMIT}")
    if parameters.get("tag") == "":
        raise _invalid_query("tag", "is empty")
    after = None
    if "cursor" in parameters:
        try:
            after = cursors.decode(parameters["cursor"])
        except cursors.InvalidCursorError as error:
            raise _invalid_query("cursor", str(error)) from error
    return ListQuery(int(limit), after, parameters.get("tag"))


def _single_parameters(request: Request, known: Sequence[str]) -> dict[str, str]:
    query = request.query_params
    parameters = {}
    for name in query or ():
        if name not in known:
            raise _invalid_query(name, f"is not one of {', '.join(known)}")
        values = query.getlist(name) if query else []
        if len(values) != 1:
            raise _invalid_query(name, "is there more than once")
        parameters[name] = values[0]
    return parameters


def _invalid_query(name: str, detail: str) -> Problem:
    return Problem(problems.INVALID_QUERY, f"The query parameter {name} {detail}.")
