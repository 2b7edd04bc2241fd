"""Reading what a request carries: a strict JSON body, preconditions, the query of the list."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chalice.app import Request

from api_access import caller
from problem_details import Problem

from . import cursors, idempotency, problems, strict_json
from .idempotency import Intent
from .preconditions import EntityTags, InvalidEntityTagsError, parse_entity_tags
from .retries import Deadline
from .strict_json import Fault, Json

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

DEFAULT_LIMIT = 20
MAX_LIMIT = 100


@dataclass(frozen=True)
class ListQuery:
    """The query of the list: how many items, after which cursor, with which tag."""

    limit: int
    cursor: str | None
    tag: str | None


def deadline(request: Request) -> Deadline:
    """Return when the answer has to be ready."""
    return Deadline.of(request.lambda_context)


def check_accept(request: Request, media_type: str) -> None:
    """Raise the problem 406 where the Accept field excludes the media type of the answer."""
    value = request.headers.get("accept")
    if value is not None and not _accepts(value, media_type):
        raise Problem(
            problems.NOT_ACCEPTABLE,
            f"The answer is {media_type}; Accept excludes it.",
        )


def intent(request: Request, document: Json) -> Intent | None:
    """Return the intent of the Idempotency-Key, None without one. Problem: it is malformed."""
    value = request.headers.get("idempotency-key")
    if value is None:
        return None
    try:
        return Intent.of(idempotency.parse_key(value), caller(request), document)
    except idempotency.InvalidKeyError as error:
        raise Problem(problems.INVALID_IDEMPOTENCY_KEY, f"Idempotency-Key {error}.") from error


def no_intent(request: Request) -> None:
    """Raise the problem that this request takes no Idempotency-Key, where it has one."""
    if "idempotency-key" in request.headers:
        raise Problem(
            problems.INVALID_IDEMPOTENCY_KEY,
            "A batch takes no Idempotency-Key: name the ID of each item to create it once.",
        )


def atomic(request: Request) -> bool:
    """Return the parameter `atomic` of a batch. Problem: an unknown, repeated or invalid one."""
    value = _single_parameters(request, ("atomic",)).get("atomic", "false")
    if value not in ("true", "false"):
        raise invalid_query("atomic", "must be true or false")
    return value == "true"


def json_body(
    request: Request,
    media_types: Sequence[str],
    faults_of: Callable[[Json], Sequence[Fault]],
    max_depth: int = strict_json.MAX_DEPTH,
) -> Json:
    """Return the JSON value of the body. Problem: another media type, or not strict JSON.

    `faults_of` tells what else is wrong with a body that is not strict JSON, so that the problem
    lists all at once.
    """
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
        body = body if isinstance(body, bytes) else body.encode()
        return strict_json.loads(body, max_depth)
    except strict_json.InvalidJsonError as error:
        places = {fault.pointer for fault in error.faults}
        others = () if error.rest is None else faults_of(error.rest)
        faults = [*error.faults, *(fault for fault in others if fault.pointer not in places)]
        raise problems.of_faults(problems.MALFORMED_JSON, faults) from error


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
        raise invalid_query("limit", f"must be a number from 1 to {MAX_LIMIT}")
    if parameters.get("tag") == "":
        raise invalid_query("tag", "is empty")
    return ListQuery(int(limit), parameters.get("cursor"), parameters.get("tag"))


def position(
    query: ListQuery, scope: cursors.Scope, keys: Callable[[bytes], Sequence[cursors.Key]]
) -> str | None:
    """Return the position the cursor of the query stands for, None without one."""
    if query.cursor is None:
        return None
    try:
        return cursors.decode(query.cursor, scope, keys)
    except cursors.InvalidCursorError as error:
        raise invalid_query("cursor", str(error)) from error


def _single_parameters(request: Request, known: Sequence[str]) -> dict[str, str]:
    query = request.query_params
    parameters = {}
    for name in query or ():
        if name not in known:
            raise invalid_query(name, f"is not one of {', '.join(known)}")
        values = query.getlist(name) if query else []
        if len(values) != 1:
            raise invalid_query(name, "is there more than once")
        parameters[name] = values[0]
    return parameters


def invalid_query(name: str, detail: str) -> Problem:
    """Return the problem of a query parameter."""
    return Problem(problems.INVALID_QUERY, f"The query parameter {name} {detail}.")


def _accepts(field_value: str, media_type: str) -> bool:
    """Whether an Accept field takes the media type (RFC 9110, section 12.5.1).

    The most specific range that has the type counts; its weight 0 excludes it. A range with
    parameters other than the weight has it too: there is one representation to choose.
    """
    kind = media_type.partition("/")[0]
    weights: dict[str, bool] = {}
    for part in field_value.split(","):
        media_range, *parameters = (text.strip().lower() for text in part.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        weights[media_range] = re.fullmatch(r"0(\.0*)?", weight) is None
    if not any(weights.keys() - {""}):
        return True
    for media_range in (media_type, f"{kind}/*", "*/*"):
        if media_range in weights:
            return weights[media_range]
    return False
