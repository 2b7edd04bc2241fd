"""REST APIs imported from OpenAPI, and API Gateway's limits and errors in front of functions.

AWS: ImportRestApi and PutRestApi take an OpenAPI document with binary media types, minimum
compression size, policy, integrations, their responses and gateway responses; PutRestApi keeps the
API's id. An integration has 29 seconds and a request 10 MB, of which a function takes 6 MB. A
function that fails, or that answers without a proxy response, gives `502 Internal server error`.
Sources, Amazon API Gateway developer guide: "Develop REST APIs using OpenAPI in API Gateway",
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api.html; "Amazon
API Gateway quotas",
https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html; "Handle Lambda errors in
API Gateway",
https://docs.aws.amazon.com/apigateway/latest/developerguide/handle-errors-in-lambda-integration.html.

MiniStack 1.5.33: has neither operation; CloudFormation's `Body` import drops everything but
methods and their integration's address, and gives an updated API a new id; there is no time-out, no
limit, no compression and no metric, a function's error message reaches the client, and a stack's
stage has no access log.

The filler: the missing parts of the import, both operations over it, and checks around the data
plane. Compressed requests are not unpacked.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import apigateway_v1, cloudwatch
from ministack.services.cloudformation import provisioners

from sandbox.gaps import access_logs, permissions, throttling

Response = tuple[int, dict[str, Any], bytes]

INTEGRATION_TIMEOUT_MS = 29_000
REQUEST_LIMIT = 10 * 1024 * 1024
FUNCTION_REQUEST_LIMIT = 6 * 1024 * 1024

_handle_request = apigateway_v1.handle_request
_handle_execute = apigateway_v1.handle_execute
_import_rest_api = apigateway_v1._import_rest_api
_import_operation = apigateway_v1._import_operation
_invoke_lambda_proxy = apigateway_v1._invoke_lambda_proxy_v1
_call_lambda = apigateway_v1._call_lambda_raw
_proxy_response = apigateway_v1._lambda_proxy_response
_stage_handlers = dict(provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Stage"])
_update_stack_api = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]["update"]


class GatewayError(Exception):
    """An error of API Gateway itself, answered by the gateway response of its type."""

    def __init__(self, response_type: str, text: str, error_type: str) -> None:
        super().__init__(text)
        self.response_type = response_type
        self.text = text
        self.error_type = error_type


def request_too_long() -> GatewayError:
    """The error of a request that is larger than the gateway, or a function, takes."""
    return GatewayError("REQUEST_TOO_LARGE", "Request Too Long", "RequestTooLargeException")


def install() -> None:
    """Add the operations, complete the import and guard the data plane."""
    apigateway_v1.handle_request = handle_request
    apigateway_v1.handle_execute = handle_execute
    apigateway_v1._import_rest_api = import_rest_api
    apigateway_v1._import_operation = import_operation
    apigateway_v1._invoke_lambda_proxy_v1 = invoke_lambda_proxy
    apigateway_v1._call_lambda_raw = call_lambda
    apigateway_v1._lambda_proxy_response = proxy_response
    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]["update"] = update_stack_api
    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Stage"] |= {
        "create": create_stack_stage,
        "update": update_stack_stage,
    }


async def handle_request(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> Response:
    """Answer ImportRestApi and PutRestApi; leave every other operation to the emulator."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["restapis"]:
        if method == "POST" and len(parts) == 1 and first(query.get("mode")) == "import":
            return import_operation_response(body, query)
        if method == "PUT" and len(parts) == 2:
            return put_operation_response(parts[1], body)
    response: Response = await _handle_request(method, path, headers, body, query)
    if parts[:1] == ["restapis"] and method == "PATCH" and len(parts) == 2 and response[0] == 200:
        # Patch values are strings, and '' is how a client switches compression off.
        api = apigateway_v1._rest_apis[parts[1]]
        api["minimumCompressionSize"] = size_or_none(api["minimumCompressionSize"])
        return view(parts[1])
    return response


def import_operation_response(body: bytes, query: dict[str, Any]) -> Response:
    """ImportRestApi."""
    specification = parse(body)
    if specification is None:
        return invalid_specification()
    types = query.get("endpointConfigurationTypes")
    base = {"endpointConfiguration": {"types": [types] if isinstance(types, str) else types}}
    return view(apigateway_v1._import_rest_api(specification, base if types else {}), 201)


def put_operation_response(api_id: str, body: bytes) -> Response:
    """PutRestApi with mode=overwrite, the mode that Chalice and CloudFormation use."""
    specification = parse(body)
    if specification is None:
        return invalid_specification()
    if api_id not in apigateway_v1._rest_apis:
        return error("NotFoundException", "Invalid API identifier specified", 404)
    overwrite(api_id, specification)
    return view(api_id)


def parse(body: bytes) -> dict[str, Any] | None:
    """The OpenAPI document, or None where the body is not a JSON object."""
    try:
        specification = json.loads(body)
    except ValueError:
        return None
    return specification if isinstance(specification, dict) else None


def invalid_specification() -> Response:
    """The answer to an import that is no document."""
    return error("BadRequestException", "Invalid OpenAPI input.", 400)


def overwrite(api_id: str, specification: dict[str, Any]) -> None:
    """Replace resources and authorizers; the id, the root resource, stages and tags stay."""
    api = apigateway_v1._rest_apis[api_id]
    resources = apigateway_v1._resources[api_id]
    root = next(resource for resource in resources.values() if resource["path"] == "/")
    root["resourceMethods"] = {}
    apigateway_v1._resources[api_id] = {root["id"]: root}
    apigateway_v1._authorizers_v1[api_id] = {}
    api.update(api_settings(specification))
    title = (specification.get("info") or {}).get("title")
    api["name"] = str(title or api["name"])
    schemes = apigateway_v1._import_security_schemes(api_id, specification)
    for path, item in (specification.get("paths") or {}).items():
        security = specification.get("security")
        apigateway_v1._import_path_item(api_id, path, item, schemes, security)
    import_gateway_responses(api_id, specification)


def import_rest_api(specification: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
    """Create an API from a document; what the request itself sets comes first."""
    given = {name: value for name, value in (base_data or {}).items() if value}
    api_id = str(_import_rest_api(specification, api_settings(specification) | given))
    import_gateway_responses(api_id, specification)
    return api_id


def import_gateway_responses(api_id: str, specification: dict[str, Any]) -> None:
    """Replace the API's own gateway responses by those of the document."""
    apigateway_v1._gateway_responses[api_id] = {}
    responses = specification.get("x-amazon-apigateway-gateway-responses") or {}
    for response_type, response in responses.items():
        apigateway_v1._put_gateway_response(api_id, response_type, response)


def api_settings(specification: dict[str, Any]) -> dict[str, Any]:
    """The settings of the API itself in the document's extensions."""
    settings: dict[str, Any] = {}
    if "x-amazon-apigateway-binary-media-types" in specification:
        types = specification["x-amazon-apigateway-binary-media-types"]
        settings["binaryMediaTypes"] = list(types)
    size = size_or_none(specification.get("x-amazon-apigateway-minimum-compression-size"))
    if size is not None:
        settings["minimumCompressionSize"] = size
    if specification.get("x-amazon-apigateway-policy"):
        settings["policy"] = specification["x-amazon-apigateway-policy"]
    return settings


def import_operation(
    api_id: str,
    resource_id: str,
    http_method: str,
    operation: dict[str, Any] | None,
    scheme_map: dict[str, Any] | None = None,
    default_security: list[Any] | None = None,
) -> None:
    """Import one method with its responses and everything its integration says."""
    _import_operation(api_id, resource_id, http_method, operation, scheme_map, default_security)
    place = (api_id, resource_id, http_method)
    for status, response in ((operation or {}).get("responses") or {}).items():
        names = [f"method.response.header.{name}" for name in response.get("headers") or {}]
        data: dict[str, Any] = {"responseParameters": dict.fromkeys(names, False)}
        apigateway_v1._put_method_response(*place, str(status), data)
    source = (operation or {}).get("x-amazon-apigateway-integration")
    if not source:
        return
    methods = apigateway_v1._resources[api_id][resource_id]["resourceMethods"]
    methods[http_method]["methodIntegration"] |= {
        "requestTemplates": source.get("requestTemplates") or {},
        "requestParameters": source.get("requestParameters") or {},
        "passthroughBehavior": str(source.get("passthroughBehavior", "when_no_match")).upper(),
        "contentHandling": source.get("contentHandling"),
        "timeoutInMillis": int(source.get("timeoutInMillis", INTEGRATION_TIMEOUT_MS)),
    }
    for pattern, response in (source.get("responses") or {}).items():
        status = str(response.get("statusCode", "200"))
        data = {
            "selectionPattern": "" if pattern == "default" else pattern,
            "responseParameters": response.get("responseParameters") or {},
            "responseTemplates": response.get("responseTemplates") or {},
        }
        apigateway_v1._put_integration_response(*place, status, data)


def update_stack_api(
    physical_id: str,
    old: dict[str, Any],
    new: dict[str, Any],
    stack_name: str,
    logical_id: str | None = None,
) -> tuple[str, dict[str, Any]]:
    """A changed `Body` is PutRestApi, so the API's address survives the update."""
    specification = new.get("Body")
    if specification != old.get("Body") and isinstance(specification, dict):
        overwrite(physical_id, specification)
        new = {**new, "Body": old.get("Body")}
    updated: tuple[str, dict[str, Any]] = _update_stack_api(
        physical_id, old, new, stack_name, logical_id
    )
    return updated


def create_stack_stage(
    logical_id: str, new: dict[str, Any], stack_name: str
) -> tuple[str, dict[str, Any]]:
    """A stage with its access log."""
    created: tuple[str, dict[str, Any]] = _stage_handlers["create"](logical_id, new, stack_name)
    set_access_log(new)
    return created


def update_stack_stage(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str
) -> tuple[str, dict[str, Any]]:
    """A changed stage with its access log."""
    updated: tuple[str, dict[str, Any]] = _stage_handlers["update"](
        physical_id, old, new, stack_name
    )
    set_access_log(new)
    return updated


def set_access_log(properties: dict[str, Any]) -> None:
    """Set what the properties of a stack's stage say of its access log."""
    setting = properties.get("AccessLogSetting") or {}
    stage = apigateway_v1._stages_v1[properties["RestApiId"]][properties["StageName"]]
    names = {"DestinationArn": "destinationArn", "Format": "format"}
    stage["accessLogSettings"] = {names[name]: value for name, value in setting.items()}


async def handle_execute(
    api_id: str,
    stage_name: str,
    method: str,
    path: str,
    headers: dict[str, Any],
    body: bytes,
    query: dict[str, Any],
) -> Response:
    """Answer one request to a deployed API."""
    started = time.monotonic()
    request = (api_id, stage_name, method, path, headers, body, query)
    access = access_logs.Access(api_id, stage_name, method, path)
    response = compressed(api_id, headers, await respond(*request))
    access.write(response)
    record_metrics(api_id, stage_name, response[0], time.monotonic() - started)
    return response


async def respond(
    api_id: str,
    stage_name: str,
    method: str,
    path: str,
    headers: dict[str, Any],
    body: bytes,
    query: dict[str, Any],
) -> Response:
    """The answer within API Gateway's limits of size and time."""
    try:
        if len(body or b"") > REQUEST_LIMIT:
            raise request_too_long()
        if not throttling.admits(api_id, stage_name):
            raise GatewayError("THROTTLED", "Too Many Requests", "TooManyRequestsException")
        response: Response = await _handle_execute(
            api_id, stage_name, method, path, headers, body, query
        )
    except GatewayError as failure:
        return gateway_response(failure, api_id, stage_name, path, headers, query)
    return response


def gateway_response(
    failure: GatewayError,
    api_id: str,
    stage_name: str,
    path: str,
    headers: dict[str, Any],
    query: dict[str, Any],
) -> Response:
    """The answer as the gateway responses of the stage's deployment have it."""
    scope = apigateway_v1.find_api_scope(api_id)
    stages = apigateway_v1._stages_v1.get_scoped(*scope, api_id) if scope else None
    if not stages or stage_name not in stages:
        return message("Forbidden", 403, "ForbiddenException")
    error = apigateway_v1._GatewayError(failure.response_type, failure.text, failure.error_type)
    request = {
        "api_id": api_id,
        "stage": stages[stage_name],
        "stage_name": stage_name,
        "request_id": new_uuid(),
        "resource_path": path,
        "headers": headers,
        "query_params": query,
        "path_params": {},
    }
    with request_scope(*scope):
        response: Response = apigateway_v1._gateway_error_response(error, request)
    return response


async def invoke_lambda_proxy(
    integration: dict[str, Any], *arguments: object, **options: object
) -> Response:
    """Answer from the function, within the integration's time.

    The function is not cancelled: like AWS's, it runs on after the client got its answer.
    """
    task = asyncio.ensure_future(_invoke_lambda_proxy(integration, *arguments, **options))
    limit = int(integration.get("timeoutInMillis") or INTEGRATION_TIMEOUT_MS) / 1000
    done, _ = await asyncio.wait({task}, timeout=limit)
    if not done:
        raise GatewayError(
            "INTEGRATION_TIMEOUT", "Endpoint request timed out", "InternalServerErrorException"
        )
    response: Response = task.result()
    return response


def record_metrics(api_id: str, stage_name: str, status: int, seconds: float) -> None:
    """Record one request in the metrics of the API's stage."""
    scope = apigateway_v1.find_api_scope(api_id)
    if scope is None:
        return
    with request_scope(*scope):
        dimensions = {"ApiName": apigateway_v1._rest_apis[api_id]["name"], "Stage": stage_name}
        metrics = (
            ("Count", 1, "Count"),
            ("4XXError", int(400 <= status < 500), "Count"),
            ("5XXError", int(status >= 500), "Count"),
            ("Latency", seconds * 1000, "Milliseconds"),
        )
        for name, value, unit in metrics:
            cloudwatch.record_metric("AWS/ApiGateway", name, value, unit, dimensions)


def compressed(api_id: str, headers: dict[str, Any], response: Response) -> Response:
    """The response in gzip where the API and the client allow it."""
    status, response_headers, content = response
    scope = apigateway_v1.find_api_scope(api_id)
    api = apigateway_v1._rest_apis.get_scoped(*scope, api_id) if scope else None
    size = size_or_none((api or {}).get("minimumCompressionSize"))
    encoded = any(name.lower() == "content-encoding" for name in response_headers)
    wanted = "gzip" in str(headers.get("accept-encoding", ""))
    if size is None or len(content) < size or encoded or not wanted:
        return response
    return status, response_headers | {"Content-Encoding": "gzip"}, gzip.compress(content, 6)


async def call_lambda(
    function_ref: str,
    event: dict[str, Any],
    *,
    account_id: str | None = None,
    region: str | None = None,
) -> tuple[dict[str, Any] | None, str | None]:
    """Invoke the function of an integration, where its policy lets API Gateway.

    Raises GatewayError.
    """
    if len(json.dumps(event, ensure_ascii=False).encode()) > FUNCTION_REQUEST_LIMIT:
        raise request_too_long()
    context = event["requestContext"]
    account, region = account_id or get_account_id(), region or get_region()
    source = (
        f"arn:aws:execute-api:{region}:{account}:{context['apiId']}/{context['stage']}/"
        f"{context['httpMethod']}{context['resourcePath']}"
    )
    if not permissions.may_invoke(function_ref, "apigateway.amazonaws.com", source, account):
        return None, "Invalid permissions on Lambda function"
    begun = time.monotonic()
    result: tuple[dict[str, Any] | None, str | None] = await _call_lambda(
        function_ref, event, account_id=account_id, region=region
    )
    latency = round((time.monotonic() - begun) * 1000)
    access_logs.note(**context, integrationLatency=latency, integration={"status": 200})
    return result


def proxy_response(result: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """The proxy response in a function's result; 502 where there is none.

    The cause is in the function's log and never in the answer.
    """
    body = result.get("body")
    well_formed = isinstance(body, dict) and "statusCode" in body and not result.get("error")
    if result.get("throttle") or well_formed:
        response: tuple[dict[str, Any] | None, str | None] = _proxy_response(result)
        return response
    status, headers, content = message("Internal server error", 502, "InternalServerErrorException")
    return {"statusCode": status, "headers": headers, "body": content.decode()}, None


def view(api_id: str, status: int = 200) -> Response:
    """The API as the control plane shows it."""
    api = apigateway_v1._rest_apis[api_id]
    response: Response = apigateway_v1._v1_response(apigateway_v1._rest_api_view(api), status)
    return response


def error(code: str, text: str, status: int) -> Response:
    """An error of the control plane."""
    response: Response = apigateway_v1._v1_error(code, text, status)
    return response


def message(text: str, status: int, error_type: str) -> Response:
    """An error of the data plane, as API Gateway's default gateway responses give it."""
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": error_type}
    return status, headers, json.dumps({"message": text}).encode()


def size_or_none(value: object) -> int | None:
    """A compression size as a number; None where compression is off."""
    return int(str(value)) if str(value).isdigit() else None


def first(value: object) -> object:
    """The first of a query parameter's values."""
    return value[0] if isinstance(value, list) and value else value
