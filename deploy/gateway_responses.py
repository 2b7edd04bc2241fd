"""Gateway responses as problem documents: what API Gateway answers by itself, in the APIs' form.

A part's module `gateway` makes its responses of these. Source: Amazon API Gateway Developer Guide,
"Gateway response types for API Gateway".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_FORBIDDEN = (403, "forbidden", "Forbidden")
_INTERNAL = (500, "internal-server-error", "Internal Server Error")
_TIMEOUT = (504, "gateway-timeout", "Gateway Timeout")
_UNAUTHORIZED = (401, "unauthorized", "Unauthorized")
_TOO_MANY = (429, "too-many-requests", "Too Many Requests")

# Status, slug and title of each type that a Chalice API can meet. DEFAULT_4XX is what remains of a
# signature that is wrong or not complete. REQUEST_TOO_LARGE is the part's own (`TooLarge`).
RESPONSE_TYPES: Mapping[str, tuple[int, str, str]] = {
    "ACCESS_DENIED": _FORBIDDEN,
    "API_CONFIGURATION_ERROR": _INTERNAL,
    "AUTHORIZER_CONFIGURATION_ERROR": _INTERNAL,
    "AUTHORIZER_FAILURE": _INTERNAL,
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
    "RESOURCE_NOT_FOUND": (404, "not-found", "Not Found"),
    "THROTTLED": _TOO_MANY,
    "UNAUTHORIZED": _UNAUTHORIZED,
    "UNSUPPORTED_MEDIA_TYPE": (415, "unsupported-media-type", "Unsupported Media Type"),
    "WAF_FILTERED": _FORBIDDEN,
}

_DETAILS = {
    401: "Send a valid token of the API's user pool: Authorization: Bearer TOKEN.",
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
        "user": "$context.authorizer.claims.sub",
        "sourceIp": "$context.identity.sourceIp",
        "traceId": "$context.xrayTraceId",
    },
    separators=(",", ":"),
)


@dataclass(frozen=True)
class TooLarge:
    """The problem of a request over the gateway's or the function's size, as the part words it."""

    slug: str
    title: str
    detail: str
    extensions: Mapping[str, object] = field(default_factory=dict)


def responses(
    too_large: TooLarge, cors_origin: str | None, expose_headers: str
) -> dict[str, dict[str, Any]]:
    """Return the gateway responses by type, each as PutGatewayResponse takes it.

    Each is a problem document, with CORS headers where there is an origin: without them a browser
    hides the error from the page.
    """
    cors = {}
    if cors_origin:
        cors["Access-Control-Allow-Origin"] = cors_origin
        cors["Access-Control-Expose-Headers"] = expose_headers
    too_large_response = _response(
        413, too_large.slug, too_large.title, too_large.detail, too_large.extensions, cors
    )
    return {"REQUEST_TOO_LARGE": too_large_response} | {
        kind: _response(*problem, _DETAILS.get(problem[0]), {}, cors)
        for kind, problem in RESPONSE_TYPES.items()
    }


def _response(
    status: int,
    slug: str,
    title: str,
    detail: str | None,
    extensions: Mapping[str, object],
    cors: Mapping[str, str],
) -> dict[str, Any]:
    headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    if status in RETRY_AFTER_SECONDS:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS[status])
    if status == _UNAUTHORIZED[0]:
        # RFC 9110, section 15.5.2, asks for it.
        headers["WWW-Authenticate"] = "Bearer"
    headers |= cors
    # API Gateway's own words, quoted by it, tell the caller what is wrong with a signature.
    text = "$context.error.messageString" if detail is None else json.dumps(detail)
    members = [
        f'"type":"/problems/{slug}"',
        f'"title":{json.dumps(title)}',
        f'"status":{status}',
        f'"detail":{text}',
        '"instance":"urn:uuid:$context.requestId"',
    ]
    members += [
        f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}"
        for name, value in extensions.items()
    ]
    return {
        "statusCode": str(status),
        "responseParameters": {
            f"gatewayresponse.header.{name}": f"'{value}'" for name, value in headers.items()
        },
        "responseTemplates": {"application/json": "{" + ",".join(members) + "}"},
    }
