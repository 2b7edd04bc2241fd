"""The access log of a REST API's stage.

AWS: API Gateway writes a line for each request into the log group that the stage names, in the
stage's format, whose `$context` variables are those of the request and its answer; a variable
without a value is `-`. Source: Amazon API Gateway developer guide, "Variables for access logging
for API Gateway",
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html.

MiniStack 1.5.33: keeps the setting and writes nothing.

The filler: `rest_api` answers each request within `Access`, which writes the line afterwards. What
of the variables the emulator does not know, such as a trace, stays `-`.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ministack.core.responses import request_scope
from ministack.services import apigateway_v1, cloudwatch_logs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.gaps.rest_api import Response

_VARIABLE = re.compile(r"\$context((?:\.\w+)+)")
_gateway_error_response = apigateway_v1._gateway_error_response
_known: ContextVar[dict[str, Any] | None] = ContextVar("known of the request", default=None)


def install() -> None:
    """Let errors of the gateway be known to the log."""
    apigateway_v1._gateway_error_response = gateway_error_response


class Access:
    """One request to a stage, for its access log."""

    def __init__(self, api_id: str, stage_name: str, method: str, path: str) -> None:
        self._place = api_id, stage_name
        self._started = time.time()
        self._known: dict[str, Any] = {
            "apiId": api_id,
            "httpMethod": method,
            "path": f"/{stage_name}{path}",
            "requestTimeEpoch": round(self._started * 1000),
            "stage": stage_name,
        }
        _known.set(self._known)

    def write(self, response: Response) -> None:
        """Write the line of the request, where its stage has an access log."""
        api_id, stage_name = self._place
        scope = apigateway_v1.find_api_scope(api_id)
        if scope is None:
            return
        with request_scope(*scope):
            stage = apigateway_v1._stages_v1.get(api_id, {}).get(stage_name) or {}
            setting = stage.get("accessLogSettings") or {}
            if not setting.get("destinationArn") or not setting.get("format"):
                return
            status, _, content = response
            known = self._known | {
                "status": status,
                "responseLength": len(content),
                "responseLatency": round((time.time() - self._started) * 1000),
            }
            _append(
                setting["destinationArn"].split(":log-group:")[1].removesuffix(":*"),
                hashlib.md5(f"{api_id}/{stage_name}".encode(), usedforsecurity=False).hexdigest(),
                line(setting["format"], known),
            )


def note(**members: Any) -> None:
    """Add what is known of the request that is being answered."""
    known = _known.get()
    if known is not None:
        known.update(members)


def gateway_error_response(error: Any, request: dict[str, Any]) -> Any:
    """The answer of the gateway itself; the log names its type."""
    note(
        error={"responseType": error.response_type},
        requestId=request["request_id"],
        resourcePath=request["resource_path"] or "-",
    )
    return _gateway_error_response(error, request)


def line(form: str, known: Mapping[str, Any]) -> str:
    """Return the line of a format, which is JSON as a rule: values are escaped for that."""

    def value(match: re.Match[str]) -> str:
        found: Any = known
        for name in match[1][1:].split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return "-" if found is None or isinstance(found, dict) else json.dumps(str(found))[1:-1]

    return _VARIABLE.sub(value, form)


def _append(group: str, stream: str, text: str) -> None:
    name = {"logGroupName": group, "logStreamName": stream}
    if group not in cloudwatch_logs._log_groups:
        return
    if stream not in cloudwatch_logs._log_groups[group]["streams"]:
        cloudwatch_logs._create_log_stream(name)
    event = {"timestamp": round(time.time() * 1000), "message": text}
    cloudwatch_logs._put_log_events({**name, "logEvents": [event]})
