import json
from dataclasses import replace
from pathlib import Path

import pytest

from crud_api import gateway, per_operation, resources
from deploy.packaged import stage_config

PART = Path(resources.__file__).parent
OUTPUTS = {
    "TableName": "crud-api-prod-items",
    "TableArn": "arn:aws:dynamodb:us-east-1:111111111111:table/crud-api-prod-items",
    "IndexArn": "arn:aws:dynamodb:us-east-1:111111111111:table/crud-api-prod-items/index/newest",
    "CursorSecretName": "crud-api-prod-cursor-key",
    "CursorSecretArn": "arn:aws:secretsmanager:us-east-1:111111111111:secret:crud-api-key-??????",
    "AccessLogArn": "arn:aws:logs:us-east-1:111111111111:log-group:/aws/apigateway/crud-api-prod",
    "LogGroupArn": "arn:aws:logs:us-east-1:111111111111:log-group:/aws/lambda/crud_api-prod",
}
STAGE = per_operation.Stage(
    name="prod",
    config=stage_config(PART, "prod"),
    outputs=OUTPUTS,
    log_retention_days=365,
    responses=gateway.responses({}),
    access_log_format=gateway.ACCESS_LOG_FORMAT,
    rate_limit=1000.0,
    burst_limit=2000,
)
RESOURCES = per_operation.merge_template(STAGE)["Resources"]
READS = {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"}


def statements(name):
    [policy] = RESOURCES[f"{per_operation.logical_id(name)}Role"]["Properties"]["Policies"]
    return policy["PolicyDocument"]["Statement"]


def actions(name):
    return {
        action
        for statement in statements(name)
        for action in statement["Action"]
        if action.startswith("dynamodb:")
    }


def test_every_operation_on_items_has_a_function(load_app):
    module = load_app(
        "crud_api", {"ITEMS_TABLE": "t", "CURSOR_SECRET": "s", "AWS_DEFAULT_REGION": "us-east-1"}
    )
    routes = {
        entry.view_name: (path, method.lower())
        for path, methods in module.app.routes.items()
        for method, entry in methods.items()
        if path.startswith("/items")
    }
    functions = per_operation.FUNCTIONS
    assert {name: (f.path, f.method) for name, f in functions.items()} == routes


def test_readers_may_only_read():
    for name in ("get_item", "list_items"):
        assert actions(name) <= READS
    for name in per_operation.FUNCTIONS.keys() - {"get_item", "list_items"}:
        assert not actions(name) <= READS


def test_together_they_may_no_more_than_the_one_function_for_all():
    [policy] = resources.policies(OUTPUTS).values()
    granted = {
        action
        for statement in policy["Statement"]
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
        if action.startswith("dynamodb:")
    }
    assert set().union(*map(actions, per_operation.FUNCTIONS)) == granted


@pytest.mark.parametrize("name", per_operation.FUNCTIONS)
def test_a_role_names_its_table_and_index(name, parliament):
    for statement in statements(name):
        for action in statement["Action"]:
            if action == "dynamodb:Query":
                assert statement["Resource"] == OUTPUTS["IndexArn"]
            elif action.startswith("dynamodb:"):
                assert statement["Resource"] == OUTPUTS["TableArn"]
            elif not action.startswith("xray:"):
                assert statement["Resource"] != "*"
    literal = [
        {**statement, "Resource": f"{OUTPUTS['LogGroupArn']}-{name}:*"}
        if isinstance(statement["Resource"], dict)
        else statement
        for statement in statements(name)
    ]
    assert parliament({"Version": "2012-10-17", "Statement": literal}) == {}


def test_the_function_for_the_rest_may_not_touch_the_table():
    [policy] = RESOURCES["ApiHandlerRole"]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        assert not any(action.startswith("dynamodb:") for action in statement["Action"])


def test_memory_and_concurrency_are_each_functions_own(monkeypatch):
    changed = replace(per_operation.FUNCTIONS["get_item"], memory=1024, concurrency=7)
    monkeypatch.setattr(
        per_operation, "FUNCTIONS", {**per_operation.FUNCTIONS, "get_item": changed}
    )
    made = per_operation.merge_template(STAGE)["Resources"]
    properties = made["GetItem"]["Properties"]
    assert (properties["MemorySize"], properties["ReservedConcurrentExecutions"]) == (1024, 7)
    assert made["PutItem"]["Properties"]["MemorySize"] == 512
    assert "ReservedConcurrentExecutions" not in made["PutItem"]["Properties"]


def test_the_stage_has_its_limits_and_logs():
    api = RESOURCES["RestAPI"]["Properties"]
    [settings] = api["MethodSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (1000.0, 2000)
    assert api["AccessLogSetting"]["DestinationArn"] == OUTPUTS["AccessLogArn"]
    log_format = json.loads(api["AccessLogSetting"]["Format"])
    assert log_format["requestId"] == "$context.requestId"
    assert RESOURCES["GetItemLog"]["Properties"]["RetentionInDays"] == 365


def test_a_usage_plan_is_there_where_it_is_set():
    assert "UsagePlan" not in RESOURCES
    plan = {"Throttle": {"RateLimit": 5, "BurstLimit": 10}, "Quota": {"Limit": 9, "Period": "DAY"}}
    made = per_operation.merge_template(replace(STAGE, usage_plan=plan))["Resources"]
    properties = made["UsagePlan"]["Properties"]
    assert properties["UsagePlanName"] == "crud-api-prod"
    assert {name: properties[name] for name in plan} == plan


@pytest.mark.parametrize(("value", "required"), [("required", True), ("none", False)])
def test_with_a_usage_plan_every_route_asks_for_a_key(load_app, value, required):
    assert gateway.environment(usage_plan=required) == {"API_KEYS": value}
    environment = {"ITEMS_TABLE": "t", "CURSOR_SECRET": "s", "AWS_DEFAULT_REGION": "us-east-1"}
    module = load_app("crud_api", environment | gateway.environment(usage_plan=required))
    for methods in module.app.routes.values():
        for entry in methods.values():
            assert entry.api_key_required is required


def test_the_guide_has_the_table_of_roles():
    guide = (PART.parent / "docs" / "crud_api_operations.md").read_text()
    for name, function in per_operation.FUNCTIONS.items():
        cells = (
            f"`{name}`",
            f"{function.method.upper()} {function.path}",
            ", ".join(sorted(function.table)),
            ", ".join(function.index),
        )
        row = "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"
        assert row in guide.splitlines()
