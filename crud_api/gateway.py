"""What the items API sets at API Gateway, where Chalice has no word for it.

`python -m deploy crud_api` applies it after `chalice deploy`, and puts it into the template of a
deployment with a function per operation. The values of a stage are in `stages.toml`.
"""

from collections.abc import Mapping
from typing import Any

from deploy import gateway_responses
from deploy.gateway_responses import ACCESS_LOG_FORMAT, TooLarge

__all__ = ["ACCESS_LOG_FORMAT", "environment", "responses"]

# A problem by itself; a unit test holds it and those of the shared module together with
# chalicelib/openapi_operations.py.
TOO_LARGE = TooLarge(
    "request-too-large",
    "The request is too large",
    "A request has up to 10 MB at the gateway, and 6 MB at the function.",
)


def environment(*, usage_plan: bool) -> dict[str, str]:
    """Return the variables a stage has with a usage plan, or without.

    API Gateway counts a request for the plan of the API key it brings, so with a plan the routes
    ask for a key.
    """
    return {"API_KEYS": "required" if usage_plan else "none"}


def responses(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the gateway responses by type, with the CORS headers of the stage's CORS_ORIGIN."""
    return gateway_responses.responses(
        TOO_LARGE, environment.get("CORS_ORIGIN"), "ETag,Location,Retry-After"
    )
