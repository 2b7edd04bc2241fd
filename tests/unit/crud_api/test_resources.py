import json
import subprocess
import sys
import tomllib
from pathlib import Path

from crud_api import resources
from crud_api.chalicelib import records, table

PART = Path(resources.__file__).parent
CONFIG = json.loads((PART / ".chalice/config.json").read_text())

LOCAL_TABLE = "arn:aws:dynamodb:us-east-1:111111111111:table/crud-api-local-items"
LOCAL_OUTPUTS = {
    "TableName": "crud-api-local-items",
    "TableArn": LOCAL_TABLE,
    "IndexArn": f"{LOCAL_TABLE}/index/newest",
    "CursorSecretName": "crud-api-local-cursor-key",
    "CursorSecretArn": "arn:aws:secretsmanager:us-east-1:111111111111:secret:"
    "crud-api-local-cursor-key-??????",
    "LogGroupArn": "arn:aws:logs:us-east-1:111111111111:log-group:/aws/lambda/crud_api-local",
}


def test_the_table_is_encrypted_recoverable_and_kept():
    items = resources.template().to_dict()["Resources"]["Items"]
    assert (items["DeletionPolicy"], items["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = items["Properties"]
    assert properties["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def test_idempotency_keys_expire():
    [ttl] = [
        resource["Properties"]["TimeToLiveSpecification"]
        for resource in resources.template().to_dict()["Resources"].values()
        if resource["Type"] == "AWS::DynamoDB::Table"
    ]
    assert ttl == {"AttributeName": records.EXPIRES, "Enabled": True}


def test_the_table_is_protected_unless_a_stage_says_otherwise():
    template = resources.template().to_dict()
    assert template["Parameters"]["DeletionProtection"]["Default"] == "true"
    stages = tomllib.loads((PART / "stages.toml").read_text())
    protected = {
        stage: settings["parameters"]["DeletionProtection"] for stage, settings in stages.items()
    }
    assert protected == {"local": "false", "dev": "true", "prod": "true"}
    assert stages.keys() == CONFIG["stages"].keys()


def test_template_and_app_mean_the_same_table():
    assert resources.INDEX_NAME == table.INDEX_NAME
    for name in ("KEY", "LIST", "POSITION", "EXPIRES"):
        assert getattr(resources, name) == getattr(records, name)


def test_the_template_is_deterministic():
    assert resources.template().to_json() == resources.template().to_json()


def test_what_is_recorded_for_the_local_stage_is_what_its_stack_gives():
    local = CONFIG["stages"]["local"]
    recorded = local["environment_variables"]
    assert recorded | resources.environment(LOCAL_OUTPUTS) == recorded
    policies = resources.policies(LOCAL_OUTPUTS)
    assert policies.keys() == local["lambda_functions"].keys()
    for function, policy in policies.items():
        name = f"policy-local-{function}.json"
        assert local["lambda_functions"][function]["iam_policy_file"] == name
        assert json.loads((PART / ".chalice" / name).read_text()) == policy


def test_only_the_local_stage_is_open():
    assert CONFIG["environment_variables"]["API_AUTH"] == "iam"
    open_stages = [
        stage
        for stage, settings in CONFIG["stages"].items()
        if settings.get("environment_variables", {}).get("API_AUTH", "iam") != "iam"
    ]
    assert open_stages == ["local"]


def test_the_policy_allows_no_more_than_is_used():
    [policy] = resources.policies(LOCAL_OUTPUTS).values()
    granted = {}
    for statement in policy["Statement"]:
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            granted[action] = statement["Resource"]
    assert {action: arn for action, arn in granted.items() if action.startswith("dynamodb:")} == {
        "dynamodb:BatchGetItem": LOCAL_TABLE,
        "dynamodb:BatchWriteItem": LOCAL_TABLE,
        "dynamodb:DeleteItem": LOCAL_TABLE,
        "dynamodb:GetItem": LOCAL_TABLE,
        "dynamodb:PutItem": LOCAL_TABLE,
        "dynamodb:UpdateItem": LOCAL_TABLE,
        "dynamodb:Query": f"{LOCAL_TABLE}/index/newest",
    }
    assert {action for action, arn in granted.items() if arn == "*"} == {
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }


def test_the_command_writes_the_template(tmp_path):
    output = tmp_path / "new"
    command = [sys.executable, PART / "resources.py", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == f"{output / 'crud_api.json'}\n"
    written = json.loads((output / "crud_api.json").read_text())
    assert written == json.loads(resources.template().to_json())


def test_the_command_says_where_it_cannot_write(tmp_path):
    (tmp_path / "file").touch()
    command = [sys.executable, PART / "resources.py", "--output", tmp_path / "file"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"cannot write {tmp_path}/file/crud_api.json: File exists\n"
