"""Chalice middleware that makes every error a problem document and keeps its CORS headers."""

import logging
from collections.abc import Callable

from chalice.app import CORSConfig, Request, Response

from .problem import CONTENT_TYPE, Problem, type_of_status

GetResponse = Callable[[Request | None], Response]
"""What a middleware calls to get the response of the handlers inside it."""

logger = logging.getLogger(__name__)

_INTERNAL_ERROR = "The server could not answer this request. The fault is logged."


def problem_middleware(request: Request | None, get_response: GetResponse) -> Response:
    """Answer `Problem` with its document, and rewrite Chalice's own error responses into documents.

    The document of an unexpected exception never holds the exception's text; the traceback goes to
    the log. `request` is None where Chalice could not read the event.
    """
    instance = _instance(request)
    try:
        response = get_response(request)
    except Problem as problem:
        return problem.response(instance)
    except Exception:
        # Outside this middleware Chalice would answer with a document of its own form.
        logger.exception("Unexpected error")
        return Problem(type_of_status(500), _INTERNAL_ERROR).response(instance)
    if response.status_code < 400 or response.headers.get("Content-Type") == CONTENT_TYPE:
        return response
    return _problem_of(response).response(instance)


def cors_middleware(cors: CORSConfig) -> Callable[[Request | None, GetResponse], Response]:
    """Return a middleware that adds the headers of `cors` to every response which lacks them.

    Chalice adds them to what a view returns, not to what middleware returns nor to its own 405: a
    browser would hide those errors from the page. Register it before `problem_middleware`, so that
    it is the outer one.
    """
    cors_headers = cors.get_access_control_headers()

    def add_cors_headers(request: Request | None, get_response: GetResponse) -> Response:
        response = get_response(request)
        response.headers = {**cors_headers, **response.headers}
        return response

    return add_cors_headers


def _instance(request: Request | None) -> str | None:
    """Return the URN of the Lambda request ID, under which the log has this request."""
    context = None if request is None else request.lambda_context
    return None if context is None else f"urn:uuid:{context.aws_request_id}"


def _problem_of(response: Response) -> Problem:
    """Return the problem that says what Chalice's error response says."""
    detail = _INTERNAL_ERROR
    # Below 500 the message was written for the client, by Chalice or by a view's ChaliceViewError.
    if response.status_code < 500 and isinstance(response.body, dict):
        detail = str(response.body.get("Message", ""))
    headers = {
        name: value
        for name, value in response.headers.items()
        if isinstance(value, str) and name.lower() != "content-type"
    }
    return Problem(type_of_status(response.status_code), detail, headers=headers)
