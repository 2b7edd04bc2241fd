"""What to answer where no route has the path and method of a request.

API Gateway answers such a request by itself with 403 "Missing Authentication Token", unless a
greedy route takes it: it looks for the pair of path and method, and falls back to `/{proxy+}` also
where the path exists and only the method does not.
"""

import re
from collections.abc import Collection, Mapping

from chalice.app import Request

from problem_details import Problem, type_of_status

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
"""What API Gateway passes on, without OPTIONS, which Chalice answers where CORS is on."""

GREEDY = "/{proxy+}"


def unrouted_path(request: Request) -> str:
    """Return the path that the greedy route took, without the stage in front."""
    parameters = request.uri_params or {}
    # The second is what `chalice local` calls it.
    return "/" + (parameters.get("proxy") or parameters.get("proxy+") or "")


def refusal(routes: Mapping[str, Collection[str]], path: str) -> Problem:
    """Return the problem of a path and method without a route: 405 with Allow, or 404.

    `routes` maps the path templates of the API to their methods.
    """
    for template, methods in routes.items():
        if _matches(template, path):
            allow = ", ".join(sorted(methods))
            return Problem(type_of_status(405), f"{path} takes {allow}.", headers={"Allow": allow})
    return Problem(type_of_status(404), f"There is nothing at {path}.")


def _matches(template: str, path: str) -> bool:
    pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
    return re.fullmatch(pattern, path) is not None
