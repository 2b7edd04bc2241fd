"""What the image API sets at API Gateway, where Chalice has no word for it.

`python -m deploy image_api` applies it after `chalice deploy`.
"""

from collections.abc import Mapping
from typing import Any

from deploy import gateway_responses
from deploy.gateway_responses import ACCESS_LOG_FORMAT, TooLarge

__all__ = ["ACCESS_LOG_FORMAT", "environment", "responses"]

# As the app says it of a body that just reaches it; a unit test holds the two together.
TOO_LARGE = TooLarge(
    "too-large",
    "The upload has too many bytes",
    "The body has too many bytes; it may have 4,500,000. "
    "POST to uploads for a form that takes larger files.",
    {"links": {"uploads": "uploads"}},
)


def environment(*, usage_plan: bool) -> dict[str, str]:
    """Return no variables. Raises ValueError with a usage plan: no route asks for an API key."""
    if usage_plan:
        raise ValueError("image_api has no API keys: take gateway.usage_plan out of stages.toml")
    return {}


def responses(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the gateway responses by type, with the CORS headers of the stage's CORS_ORIGIN."""
    return gateway_responses.responses(
        TOO_LARGE, environment.get("CORS_ORIGIN"), "Location,Retry-After"
    )
