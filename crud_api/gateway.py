"""What the items API sets at API Gateway, where Chalice has no word for it.

`python -m deploy crud_api` applies it after `chalice deploy`, and puts it into the template of a
deployment with a function per operation. The values of a stage are in `stages.toml`.
"""

import json
from collections.abc import Mapping
from typing import Any

# Status, slug and title of a gateway response type that is a problem by itself. The slugs are those
# of chalicelib/openapi_operations.py; a unit test holds them together.
_FORBIDDEN = (403, "forbidden", "Forbidden")
_INTERNAL = (500, "internal-server-error", "Internal Server Error")
_TIMEOUT = (504, "gateway-timeout", "Gateway Timeout")
_TOO_MANY = (429, "too-many-requests", "Too Many Requests")

RESPONSE_TYPES: Mapping[str, tuple[int, str, str]] = {
    "ACCESS_DENIED": _FORBIDDEN,
    "API_CONFIGURATION_ERROR": _INTERNAL,
    "BAD_REQUEST_BODY": (400, "bad-request", "Bad Request"),
    "BAD_REQUEST_PARAMETERS": (400, "bad-request", "Bad Request"),
    "DEFAULT_4XX": _FORBIDDEN,
    "DEFAULT_5XX": _INTERNAL,
    "EXPIRED_TOKEN": _FORBIDDEN,
    "INTEGRATION_FAILURE": _TIMEOUT,
    "INTEGRATION_TIMEOUT": _TIMEOUT,
    "INVALID_API_KEY": _FORBIDDEN,
    "INVALID_SIGNATURE": _FORBIDDEN,
    "MISSING_AUTHENTICATION_TOKEN": _FORBIDDEN,
    "QUOTA_EXCEEDED": _TOO_MANY,
    "REQUEST_TOO_LARGE": (413, "request-too-large", "The request is too large"),
    "RESOURCE_NOT_FOUND": (404, "not-found", "Not Found"),
    "THROTTLED": _TOO_MANY,
    "UNSUPPORTED_MEDIA_TYPE": (415, "unsupported-media-type", "Unsupported Media Type"),
    "WAF_FILTERED": _FORBIDDEN,
}
"""The types of "Gateway response types for API Gateway" that this API can meet. DEFAULT_4XX is what
remains of a signature that is wrong or not complete."""

_DETAILS = {
    413: "A request has up to 10 MB at the gateway, and 6 MB at the function.",
    429: "Too many requests: wait, then send it again.",
    500: "The server could not answer this request.",
    504: "The server did not answer in time. A write may have been done all the same.",
}
RETRY_AFTER_SECONDS = {429: 1, 504: 2}

# Formats of "Variables for access logging for API Gateway". No header, body or query is logged.
ACCESS_LOG_FORMAT = json.dumps(
    {
        "time": "$context.requestTimeEpoch",
        "requestId": "$context.requestId",
        "extendedRequestId": "$context.extendedRequestId",
        "method": "$context.httpMethod",
        "path": "$context.path",
        "resourcePath": "$context.resourcePath",
        "status": "$context.status",
        "responseLength": "$context.responseLength",
        "latency": "$context.responseLatency",
        "integrationLatency": "$context.integrationLatency",
        "integrationStatus": "$context.integration.status",
        "errorResponseType": "$context.error.responseType",
        "caller": "$context.identity.userArn",
        "sourceIp": "$context.identity.sourceIp",
        "traceId": "$context.xrayTraceId",
    },
    separators=(",", ":"),
)


def environment(*, usage_plan: bool) -> dict[str, str]:
    """Return the variables a stage has with a usage plan, or without.

    API Gateway counts a request for the plan of the API key it brings, so with a plan the routes
    ask for a key.
    """
    return {"API_KEYS": "required" if usage_plan else "none"}


def responses(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the gateway responses by type, each as PutGatewayResponse takes it.

    Each is a problem document, with the CORS headers of the stage where its environment variables
    have CORS_ORIGIN: without them a browser hides the error from the page.
    """
    return {
        kind: _response(*problem, environment.get("CORS_ORIGIN"))
        for kind, problem in RESPONSE_TYPES.items()
    }


def _response(status: int, slug: str, title: str, cors_origin: str | None) -> dict[str, Any]:
    headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    if status in RETRY_AFTER_SECONDS:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS[status])
    if cors_origin:
        headers["Access-Control-Allow-Origin"] = cors_origin
        headers["Access-Control-Expose-Headers"] = "ETag,Location,Retry-After"
    detail = _DETAILS.get(status)
    # API Gateway's own words, quoted by it, tell the caller what is wrong with a signature.
    text = "$context.error.messageString" if detail is None else json.dumps(detail)
    members = [
        f'"type":"/problems/{slug}"',
        f'"title":{json.dumps(title)}',
        f'"status":{status}',
        f'"detail":{text}',
        '"instance":"urn:uuid:$context.requestId"',
    ]
    return {
        "statusCode": str(status),
        "responseParameters": {
            f"gatewayresponse.header.{name}": f"'{value}'" for name, value in headers.items()
        },
        "responseTemplates": {"application/json": "{" + ",".join(members) + "}"},
    }
