"""The problem document of RFC 9457, "Problem Details for HTTP APIs"."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from chalice.app import ChaliceUnhandledError, Response

CONTENT_TYPE = "application/problem+json"

_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "errors"})


@dataclass(frozen=True)
class ProblemType:
    """One kind of problem, defined as RFC 9457, section 4 asks.

    `slug` names it within the API (lower case, hyphens), `title` is a short summary that is the
    same in every occurrence, and `status` is the HTTP status code it is sent with.
    """

    slug: str
    title: str
    status: int

    @property
    def uri(self) -> str:
        """The `type` member: a relative reference with a full path (RFC 9457, section 3.1.1)."""
        return f"/problems/{self.slug}"


@dataclass(frozen=True)
class FieldError:
    """One fault in a request. `pointer` is a JSON Pointer (RFC 6901) into the request body."""

    pointer: str
    detail: str


class Problem(ChaliceUnhandledError):
    """An error the client is told about.

    Chalice lets a `ChaliceUnhandledError` pass from a view to the middleware ("Middleware", Chalice
    documentation), where `problem_middleware` turns it into its response.

    `detail` says what went wrong this time and, where the client can act, what to do. `errors`
    lists the faults of a request body. `headers` go into the response (Retry-After, ETag), and
    `extensions` are further members of the document; ValueError where one has a name that the
    document itself defines.
    """

    def __init__(
        self,
        problem_type: ProblemType,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{problem_type.slug}: {detail}")
        self.problem_type = problem_type
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})
        taken = self.extensions.keys() & _MEMBERS
        if taken:
            raise ValueError(f"an extension cannot be named {', '.join(sorted(taken))}")

    def document(self, instance: str | None = None) -> dict[str, object]:
        """Return the members of the problem document.

        `instance` is a URI reference to this occurrence; without one the member is left out.
        """
        document: dict[str, object] = {
            "type": self.problem_type.uri,
            "title": self.problem_type.title,
            "status": self.problem_type.status,
            "detail": self.detail,
        }
        if instance is not None:
            document["instance"] = instance
        if self.errors:
            document["errors"] = [
                {"pointer": error.pointer, "detail": error.detail} for error in self.errors
            ]
        return document | self.extensions

    def response(self, instance: str | None = None) -> Response:
        """Return the problem as a Chalice response, which no cache stores."""
        return Response(
            # Escaped to ASCII: a pointer may quote a lone surrogate, which has no UTF-8 form.
            body=json.dumps(self.document(instance), separators=(",", ":")),
            status_code=self.problem_type.status,
            headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", **self.headers},
        )


def type_of_status(status: int) -> ProblemType:
    """Return the problem type that says no more than its HTTP status code (4xx or 5xx) does.

    Its title is the status phrase, as RFC 9457, section 4.2.1 asks of a problem without semantics
    of its own. Chalice's own errors get these types. ValueError where `status` is not registered.
    """
    phrase = HTTPStatus(status).phrase
    return ProblemType(phrase.lower().replace(" ", "-"), phrase, status)
