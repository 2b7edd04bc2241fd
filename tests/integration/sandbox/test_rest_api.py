from __future__ import annotations

import json

import httpx
import pytest
from troposphere import Output, Ref, Template, apigateway

ANSWERS = """
import base64, time
def handler(event, context):
    query = event["queryStringParameters"] or {}
    kind = query.get("kind")
    if kind == "raise":
        raise RuntimeError("a secret of the inside")
    if kind == "text":
        return "no proxy response"
    if kind == "slow":
        time.sleep(3)
    if kind == "echo":
        return {"statusCode": 200, "isBase64Encoded": True, "body": event["body"],
                "headers": {"Content-Type": "image/png"}}
    if kind == "large":
        return {"statusCode": 200, "body": "a" * 5000}
    return {"statusCode": 200, "body": event["path"]}
"""


def document(function_arn, title, path="/things"):
    uri = (
        f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    )
    proxy = {
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": uri,
            "timeoutInMillis": 1500,
        },
        "responses": {},
    }
    origin = "method.response.header.Access-Control-Allow-Origin"
    preflight = {
        "responses": {"204": {"headers": {"Access-Control-Allow-Origin": {"type": "string"}}}},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": {"application/json": '{"statusCode": 204}'},
            "responses": {
                "default": {
                    "statusCode": "204",
                    "responseParameters": {origin: "'https://app.example.com'"},
                }
            },
        },
    }
    return {
        "swagger": "2.0",
        "info": {"title": title, "version": "1.0"},
        "paths": {path: {"get": proxy, "post": proxy, "options": preflight}},
        "x-amazon-apigateway-binary-media-types": ["image/png"],
        "x-amazon-apigateway-minimum-compression-size": 1024,
    }


@pytest.fixture
def api(aws, unique, create_function):
    """An imported and deployed API: its id, its URL and its function's ARN."""
    client = aws.client("apigateway")
    function = create_function(ANSWERS, Timeout=10)
    imported = client.import_rest_api(body=json.dumps(document(function, unique)))
    client.create_deployment(restApiId=imported["id"], stageName="api")
    aws.client("lambda").add_permission(
        FunctionName=function,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:111111111111:{imported['id']}/*",
    )
    url = f"{aws.endpoint}/restapis/{imported['id']}/api/_user_request_"
    yield imported["id"], url, function
    client.delete_rest_api(restApiId=imported["id"])


def test_an_imported_api_has_the_settings_of_its_document(aws, api, unique):
    imported = aws.client("apigateway").get_rest_api(restApiId=api[0])
    assert imported["name"] == unique
    assert imported["binaryMediaTypes"] == ["image/png"]
    assert imported["minimumCompressionSize"] == 1024


def test_put_replaces_the_resources_and_keeps_the_id(aws, api, unique):
    api_id, url, function = api
    client = aws.client("apigateway")
    put = client.put_rest_api(
        restApiId=api_id,
        mode="overwrite",
        body=json.dumps(document(function, f"{unique}-new", "/others")),
    )
    assert (put["id"], put["name"]) == (api_id, f"{unique}-new")
    client.create_deployment(restApiId=api_id, stageName="api")
    assert httpx.get(f"{url}/others").text == "/others"
    assert httpx.get(f"{url}/things").status_code == 403


def test_an_import_that_is_no_document_is_refused(aws):
    client = aws.client("apigateway")
    with pytest.raises(client.exceptions.BadRequestException):
        client.import_rest_api(body=b"[]")


def test_an_empty_compression_size_switches_compression_off(aws, api):
    operation = {"op": "replace", "path": "/minimumCompressionSize", "value": ""}
    updated = aws.client("apigateway").update_rest_api(
        restApiId=api[0], patchOperations=[operation]
    )
    assert "minimumCompressionSize" not in updated


def test_bytes_go_through_a_binary_media_type_unchanged(api):
    content = bytes(range(256))
    headers = {"Content-Type": "image/png", "Accept": "image/png"}
    answer = httpx.post(f"{api[1]}/things?kind=echo", content=content, headers=headers)
    assert answer.content == content


def test_a_preflight_is_answered_without_the_function(api):
    answer = httpx.options(f"{api[1]}/things")
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com"


def test_long_answers_are_compressed(api):
    answer = httpx.get(f"{api[1]}/things?kind=large", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.text == "a" * 5000


def test_requests_are_in_the_access_log_of_the_stage(aws, api, unique):
    logs = aws.client("logs")
    group = f"/aws/apigateway/{unique}"
    logs.create_log_group(logGroupName=group)
    names = (
        "httpMethod path resourcePath status responseLength integration.status error.responseType"
    )
    form = json.dumps({name: f"$context.{name}" for name in names.split()})
    arn = f"arn:aws:logs:us-east-1:111111111111:log-group:{group}"
    aws.client("apigateway").update_stage(
        restApiId=api[0],
        stageName="api",
        patchOperations=[
            {"op": "replace", "path": f"/accessLogSettings/{name}", "value": value}
            for name, value in (("destinationArn", arn), ("format", form))
        ],
    )
    httpx.get(f"{api[1]}/things")
    httpx.get(f"{api[1]}/nothing")
    events = logs.filter_log_events(logGroupName=group)["events"]
    lines = [tuple(json.loads(event["message"]).values()) for event in events]
    assert lines[0] == ("GET", "/api/things", "/things", "200", "7", "200", "-")
    assert lines[1][:4] == ("GET", "/api/nothing", "-", "403")
    assert lines[1][5:] == ("-", "MISSING_AUTHENTICATION_TOKEN")
    logs.delete_log_group(logGroupName=group)


@pytest.mark.parametrize("kind", ["raise", "text"])
def test_a_function_that_fails_gives_502_and_no_internals(api, kind):
    answer = httpx.get(f"{api[1]}/things?kind={kind}")
    assert answer.status_code == 502
    assert answer.json() == {"message": "Internal server error"}


def test_a_function_that_takes_too_long_gives_504(api):
    answer = httpx.get(f"{api[1]}/things?kind=slow")
    assert answer.status_code == 504
    assert answer.json() == {"message": "Endpoint request timed out"}
    assert answer.elapsed.total_seconds() < 2.5


@pytest.mark.parametrize("size", [5_000_000, 11_000_000])
def test_a_request_beyond_the_limits_gives_413(api, size):
    # 5 MB are 6.7 MB in base64, more than a function takes; 10 MB are more than the API takes.
    answer = httpx.post(
        f"{api[1]}/things", content=b"\0" * size, headers={"Content-Type": "image/png"}
    )
    assert answer.status_code == 413


def test_an_api_without_permission_to_invoke_gives_500(aws, api):
    aws.client("lambda").remove_permission(FunctionName=api[2], StatementId="api")
    assert httpx.get(f"{api[1]}/things").status_code == 500


def test_requests_are_counted(api, unique, metric_sum):
    for kind in ("none", "none", "raise"):
        httpx.get(f"{api[1]}/things?kind={kind}")
    dimensions = {"ApiName": unique, "Stage": "api"}
    assert metric_sum("AWS/ApiGateway", "Count", **dimensions) == 3
    assert metric_sum("AWS/ApiGateway", "5XXError", **dimensions) == 1
    assert metric_sum("AWS/ApiGateway", "4XXError", **dimensions) == 0


def test_a_changed_body_in_a_stack_keeps_the_id(aws, unique, deploy_stack):
    def template(title):
        built = Template()
        built.add_resource(
            apigateway.RestApi("Api", Body=document("arn:aws:lambda:::function:none", title))
        )
        built.add_output(Output("Id", Value=Ref("Api")))
        return built

    name = f"api-{unique}"
    api_id = deploy_stack(name, template("before"))["Id"]
    client = aws.client("cloudformation")
    client.update_stack(StackName=name, TemplateBody=template("after").to_json())
    client.get_waiter("stack_update_complete").wait(
        StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    assert aws.client("apigateway").get_rest_api(restApiId=api_id)["name"] == "after"


def test_gateway_responses_of_a_document_are_imported_and_replaced(aws, api, unique):
    api_id, url, function = api
    client = aws.client("apigateway")
    own = {"statusCode": "410", "responseTemplates": {"application/json": '{"gone": true}'}}
    for responses, status in (({"MISSING_AUTHENTICATION_TOKEN": own}, 410), ({}, 403)):
        body = document(function, unique) | {"x-amazon-apigateway-gateway-responses": responses}
        client.put_rest_api(restApiId=api_id, mode="overwrite", body=json.dumps(body))
        client.create_deployment(restApiId=api_id, stageName="api")
        answer = httpx.get(f"{url}/nothing")
        assert answer.status_code == status
        assert (answer.json() == {"gone": True}) is (status == 410)


def test_errors_of_size_and_time_are_gateway_responses_too(aws, api):
    api_id, url, _function = api
    client = aws.client("apigateway")
    own = {"application/json": '{"kind": "$context.error.responseType"}'}
    for kind in ("REQUEST_TOO_LARGE", "INTEGRATION_TIMEOUT"):
        client.put_gateway_response(restApiId=api_id, responseType=kind, responseTemplates=own)
    client.create_deployment(restApiId=api_id, stageName="api")
    for size in (5_000_000, 11_000_000):
        large = httpx.post(
            f"{url}/things", content=b"\0" * size, headers={"Content-Type": "image/png"}
        )
        assert (large.status_code, large.json()) == (413, {"kind": "REQUEST_TOO_LARGE"})
    slow = httpx.get(f"{url}/things?kind=slow")
    assert (slow.status_code, slow.json()) == (504, {"kind": "INTEGRATION_TIMEOUT"})


def test_a_stage_of_a_stack_has_its_access_log(aws, unique, deploy_stack):
    template = Template()
    api = template.add_resource(
        apigateway.RestApi("Api", Body=document("arn:aws:lambda:us-east-1:1:function:f", unique))
    )
    deployment = template.add_resource(
        apigateway.Deployment("Deployment", RestApiId=Ref(api), DependsOn="Api")
    )
    log = "arn:aws:logs:us-east-1:111111111111:log-group:access"
    template.add_resource(
        apigateway.Stage(
            "Stage",
            RestApiId=Ref(api),
            DeploymentId=Ref(deployment),
            StageName="api",
            AccessLogSetting=apigateway.AccessLogSetting(
                DestinationArn=log, Format="$context.status"
            ),
        )
    )
    template.add_output(Output("Id", Value=Ref(api)))
    outputs = deploy_stack(f"test-{unique}", template)
    stage = aws.client("apigateway").get_stage(restApiId=outputs["Id"], stageName="api")
    assert stage["accessLogSettings"] == {"destinationArn": log, "format": "$context.status"}
