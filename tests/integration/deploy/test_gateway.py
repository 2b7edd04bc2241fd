"""What `python -m deploy` sets at API Gateway, in the embedded AWS, which enforces it."""

import json

import httpx
import pytest

from deploy.errors import SettingsError
from deploy.gateway import Gateway, GatewaySettings, Throttle, UsagePlan, delete_usage_plan

ANSWER = {"statusCode": "410", "responseTemplates": {"application/json": '{"gone":true}'}}


def document(title, *, keys=False):
    """An API that answers by itself, at /things."""
    method = {
        "responses": {"200": {}},
        "security": [{"api_key": []}] if keys else [],
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": {"application/json": '{"statusCode": 200}'},
            "responses": {"default": {"statusCode": "200"}},
        },
    }
    return {
        "swagger": "2.0",
        "info": {"title": title, "version": "1"},
        "paths": {"/things": {"get": method}},
        "securityDefinitions": {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}},
    }


@pytest.fixture
def client(aws):
    return aws.client("apigateway")


@pytest.fixture
def api_id(client, unique):
    api = client.import_rest_api(body=json.dumps(document(unique)))["id"]
    client.create_deployment(restApiId=api, stageName="api")
    yield api
    client.delete_rest_api(restApiId=api)


@pytest.fixture
def url(aws, api_id):
    return f"{aws.endpoint}/restapis/{api_id}/api/_user_request_"


def test_gateway_responses_are_set_deployed_and_left_alone(client, api_id, url):
    gateway = Gateway(client, api_id, "api")
    assert httpx.get(f"{url}/nothing").status_code == 403
    assert gateway.set_responses({"MISSING_AUTHENTICATION_TOKEN": ANSWER}) == 1
    answer = httpx.get(f"{url}/nothing")
    assert (answer.status_code, answer.json()) == (410, {"gone": True})
    deployments = client.get_deployments(restApiId=api_id)["items"]
    assert gateway.set_responses({"MISSING_AUTHENTICATION_TOKEN": ANSWER}) == 0
    assert client.get_deployments(restApiId=api_id)["items"] == deployments


def test_a_stage_is_throttled_and_logged(client, api_id, url):
    gateway = Gateway(client, api_id, "api")
    log = "arn:aws:logs:us-east-1:111111111111:log-group:/aws/apigateway/test"
    changed = gateway.set_stage(Throttle(1, 2), log, "$context.status")
    assert changed == [
        "/*/*/metrics/enabled",
        "/*/*/throttling/rateLimit",
        "/*/*/throttling/burstLimit",
        "/accessLogSettings/destinationArn",
        "/accessLogSettings/format",
    ]
    statuses = [httpx.get(f"{url}/things").status_code for _ in range(6)]
    assert statuses[:2] == [200, 200]
    assert 429 in statuses
    assert gateway.set_stage(Throttle(1, 2), log, "$context.status") == []
    assert gateway.set_stage(Throttle(1, 3), log, "$context.status") == [
        "/*/*/throttling/burstLimit"
    ]


def test_a_usage_plan_is_made_changed_and_deleted(client, api_id, unique):
    gateway = Gateway(client, api_id, "api")
    plan = UsagePlan(Throttle(5, 10), 1000, "DAY")
    assert gateway.set_usage_plan(unique, plan) is True
    assert gateway.set_usage_plan(unique, plan) is False
    assert gateway.set_usage_plan(unique, UsagePlan(Throttle(5, 10), 2000, "WEEK")) is True
    [found] = [item for item in client.get_usage_plans()["items"] if item["name"] == unique]
    assert (found["quota"]["limit"], found["quota"]["period"]) == (2000, "WEEK")
    assert found["throttle"] == {"burstLimit": 10, "rateLimit": 5.0}
    assert found["apiStages"] == [{"apiId": api_id, "stage": "api"}]
    stage = {"op": "remove", "path": "/apiStages", "value": f"{api_id}:api"}
    client.update_usage_plan(usagePlanId=found["id"], patchOperations=[stage])
    # As after the API was deleted and deployed again.
    assert gateway.set_usage_plan(unique, UsagePlan(Throttle(5, 10), 2000, "WEEK")) is True
    client.update_usage_plan(usagePlanId=found["id"], patchOperations=[stage])
    assert delete_usage_plan(client, unique) is True
    assert delete_usage_plan(client, unique) is False


def test_settings_are_read():
    table = {
        "throttle": {"rate_limit": 10, "burst_limit": 20},
        "usage_plan": {"rate_limit": 1.5, "burst_limit": 3, "quota": 100, "period": "DAY"},
    }
    assert GatewaySettings.of(table) == GatewaySettings(
        Throttle(10, 20), UsagePlan(Throttle(1.5, 3), 100, "DAY")
    )
    assert GatewaySettings.of({}) == GatewaySettings()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"throtle": {}}, "gateway in stages.toml has no setting throtle"),
        ({"throttle": 5}, "gateway.throttle in stages.toml is not a table"),
        ({"throttle": {"rate_limit": 5}}, "burst_limit in stages.toml must be a number above 0"),
        ({"throttle": {"rate_limit": 0, "burst_limit": 1}}, "rate_limit .* not 0"),
        (
            {"usage_plan": {"rate_limit": 1, "burst_limit": 1, "quota": 1, "period": "YEAR"}},
            "period in stages.toml must be one of DAY, WEEK, MONTH",
        ),
    ],
)
def test_a_wrong_setting_is_named(table, message):
    with pytest.raises(SettingsError, match=message):
        GatewaySettings.of(table)


def policy_of(auth, **callers):
    return GatewaySettings.of({"callers": callers}).resource_policy(auth)


@pytest.mark.parametrize(("network", "status"), [("127.0.0.0/8", 200), ("203.0.113.0/24", 403)])
def test_calls_come_from_the_networks_of_the_stage_alone(client, unique, aws, network, status):
    policy = policy_of("none", networks=[network])
    body = document(unique) | {"x-amazon-apigateway-policy": policy}
    api = client.import_rest_api(body=json.dumps(body))["id"]
    client.create_deployment(restApiId=api, stageName="api")
    url = f"{aws.endpoint}/restapis/{api}/api/_user_request_/things"
    assert httpx.get(url).status_code == status
    client.delete_rest_api(restApiId=api)


def test_a_resource_policy_names_accounts_and_networks():
    policy = policy_of("iam", accounts=["333333333333"], networks=["203.0.113.0/24"])
    allowed, denied = policy["Statement"]
    assert allowed["Principal"] == {"AWS": ["arn:aws:iam::333333333333:root"]}
    assert (denied["Effect"], denied["Condition"]) == (
        "Deny",
        {"NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24"]}},
    )
    assert GatewaySettings.of({}).resource_policy("iam") is None


@pytest.mark.parametrize(
    ("callers", "said"),
    [
        ({}, "names nobody"),
        ({"accounts": "333333333333"}, "accounts in stages.toml must be a list"),
        ({"accounts": ["333"]}, "'333' is no account"),
        ({"networks": ["203.0.113.1/24"]}, "has host bits set"),
        ({"roles": []}, "has no setting roles"),
    ],
)
def test_callers_that_cannot_be_are_named(callers, said):
    with pytest.raises(SettingsError, match=said):
        policy_of("iam", **callers)


def test_accounts_need_signed_calls():
    with pytest.raises(SettingsError, match="needs signed calls; API_AUTH is 'cognito'"):
        policy_of("cognito", accounts=["333333333333"])
