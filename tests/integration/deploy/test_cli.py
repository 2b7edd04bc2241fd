"""`python -m deploy` as a command: a small crud_api in a folder of its own, in the embedded AWS."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.deploy.project import CHECKOUT, RESOURCES, STACK, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import EmbeddedAws

BROKEN_RESOURCES = """
from troposphere import Template
from troposphere.awslambda import Url


def template():
    template = Template()
    template.add_resource(Url("Url", AuthType="AWS_IAM", TargetFunctionArn="no-such-function"))
    return template
"""
BUSY_RESOURCES = """
from troposphere import Ref, Template
from troposphere.cloudformation import WaitCondition, WaitConditionHandle


def template():
    template = Template()
    handle = template.add_resource(WaitConditionHandle("Handle"))
    template.add_resource(WaitCondition("Wait", Handle=Ref(handle), Timeout="2"))
    return template
"""


@pytest.fixture
def project(aws: EmbeddedAws, tmp_path: Path, unique: str) -> Iterator[Project]:
    name = f"shop-{unique}"
    yield Project(tmp_path, name)
    aws.client("cloudformation").delete_stack(StackName=STACK)
    dynamodb = aws.client("dynamodb")
    if f"{STACK}-{name}" in dynamodb.list_tables()["TableNames"]:
        dynamodb.delete_table(TableName=f"{STACK}-{name}")


def status(aws: EmbeddedAws) -> str | None:
    stacks = aws.client("cloudformation").describe_stacks()["Stacks"]
    return next(
        (
            stack["StackStatus"]
            for stack in stacks
            if stack["StackName"] == STACK and stack["StackStatus"] != "DELETE_COMPLETE"
        ),
        None,
    )


def test_a_part_is_deployed_and_deployed_again(aws: EmbeddedAws, project: Project) -> None:
    first = project.run()

    assert (first.returncode, first.stderr) == (0, "")
    assert f"stack {STACK} in account 111111111111, us-east-1, {aws.endpoint}" in first.stdout
    assert "add  AWS::DynamoDB::Table  Items" in first.stdout
    settings = json.loads(project.config.read_text())["stages"]["dev"]
    assert settings == {
        "environment_variables": {"STAGE": "dev", "TABLE": f"{STACK}-{project.name}"},
        "lambda_functions": {"api_handler": {"iam_policy_file": "policy-dev-api_handler.json"}},
    }
    function = aws.client("lambda").get_function_configuration(FunctionName=f"{project.name}-dev")
    assert function["Environment"]["Variables"] == settings["environment_variables"]
    role = function["Role"].split("/")[-1]
    policy = aws.client("iam").get_role_policy(RoleName=role, PolicyName=role)["PolicyDocument"]
    assert policy["Statement"][0]["Action"] == "dynamodb:GetItem"

    again = project.run()

    assert again.returncode == 0
    assert "no changes" in again.stdout
    assert "recorded already" in again.stdout
    assert "Updating lambda function" in again.stdout
    assert "\033[" not in first.stdout + again.stdout


def test_no_address_on_aws_is_printed_behind_another_endpoint(
    aws: EmbeddedAws, project: Project
) -> None:
    deployed = project.run()

    api = json.loads(project.state.read_text())["resources"][-1]["rest_api_id"]
    assert "amazonaws.com" not in deployed.stdout
    assert deployed.stdout.endswith(f"API {api} at {aws.endpoint}\n")


def test_a_plan_leaves_the_checkout_as_it_is_but_for_the_cache_of_packages(
    project: Project,
) -> None:
    def files() -> dict[Path, bytes]:
        paths = [path for path in project.root.rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in paths if path.parent.name != "deployments"}

    before = files()

    assert project.run("--plan", PYTHONDONTWRITEBYTECODE="1").returncode == 2
    assert files() == before


def test_a_plan_of_a_replaced_table_is_loud(project: Project) -> None:
    project.run()
    project.use(RESOURCES.replace('AttributeName="id"', 'AttributeName="key"'))

    plan = project.run("--plan")

    assert plan.returncode == 2
    assert "replace  AWS::DynamoDB::Table  Items" in plan.stdout
    assert "!! HOLDS DATA: the new resource starts empty" in plan.stdout


def test_a_failed_stack_is_told_first_and_recovered_from(
    aws: EmbeddedAws, project: Project
) -> None:
    project.use(BROKEN_RESOURCES)
    failed = project.run()

    assert failed.returncode == 1
    assert failed.stderr.splitlines() == [
        "error: Url (AWS::Lambda::Url): Lambda function not found: no-such-function",
        f"  stack {STACK} is now in ROLLBACK_COMPLETE",
    ]
    assert json.loads(project.config.read_text())["stages"]["dev"] == {}
    assert not project.state.exists()

    project.use(RESOURCES)
    plan = project.run("--plan")
    assert plan.returncode == 2
    assert "it would be deleted and created again" in plan.stdout
    assert status(aws) == "ROLLBACK_COMPLETE"

    recovered = project.run()
    assert recovered.returncode == 0
    assert "its creation failed before (ROLLBACK_COMPLETE)" in recovered.stdout
    assert status(aws) == "CREATE_COMPLETE"


def test_a_file_that_cannot_be_written_is_told_in_one_line(project: Project) -> None:
    (project.directory / ".chalice" / "policy-dev-api_handler.json").mkdir()

    failed = project.run()

    assert failed.returncode == 1
    assert failed.stderr.endswith("policy-dev-api_handler.json: Is a directory\n")
    assert failed.stderr.count("\n") == 1
    assert json.loads(project.config.read_text())["stages"]["dev"] == {}


def test_an_app_that_does_not_start_is_told_in_one_line(project: Project) -> None:
    (project.directory / "app.py").write_text("import nowhere_to_be_found\n")

    failed = project.run()

    assert failed.returncode == 1
    assert failed.stderr.splitlines()[0] == (
        "error: chalice deploy failed: ModuleNotFoundError: No module named 'nowhere_to_be_found'"
    )


def test_deletion_takes_the_app_then_the_stack_and_keeps_the_data(
    aws: EmbeddedAws, project: Project
) -> None:
    project.run()
    deleted = project.run("--delete", "--yes")

    assert (deleted.returncode, deleted.stderr) == (0, "")
    table = f"{STACK}-{project.name}"
    assert f"retained: AWS::DynamoDB::Table {table}" in deleted.stdout
    assert table in aws.client("dynamodb").list_tables()["TableNames"]
    assert status(aws) is None
    names = [
        function["FunctionName"] for function in aws.client("lambda").list_functions()["Functions"]
    ]
    assert f"{project.name}-dev" not in names
    assert not project.state.exists()

    again = project.run("--delete", "--yes")
    assert again.returncode == 0
    assert "no app is deployed" in again.stdout
    assert "there is no such stack" in again.stdout

    restored = project.run()
    assert restored.returncode == 0
    assert "import  AWS::DynamoDB::Table  Items: it is in the account already" in restored.stdout


def test_deletion_asks_first(aws: EmbeddedAws, project: Project) -> None:
    project.run()
    unasked = project.run("--delete")

    assert unasked.returncode == 2
    assert "run it on a terminal, or add --yes" in unasked.stderr
    assert status(aws) == "CREATE_COMPLETE"


@pytest.mark.parametrize(("answer", "left"), [("y", "CREATE_COMPLETE"), ("dev", None)])
def test_deletion_asks_on_a_terminal(
    aws: EmbeddedAws, project: Project, answer: str, left: str | None
) -> None:
    project.run()
    terminal, stdin = os.openpty()
    os.write(terminal, f"{answer}\n".encode())
    asked = subprocess.run(
        project.command("--delete"),
        cwd=CHECKOUT,
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(terminal)
    os.close(stdin)

    assert "Type dev to delete crud_api there: " in asked.stdout
    assert asked.returncode == (0 if left is None else 1)
    assert status(aws) == left


def test_a_state_the_account_has_lost_is_forgotten(aws: EmbeddedAws, project: Project) -> None:
    project.run()
    lost = json.loads(project.state.read_text())["resources"][-1]["rest_api_id"]
    aws.client("apigateway").delete_rest_api(restApiId=lost)

    redeployed = project.run()

    assert redeployed.returncode == 0
    assert f"the account has no rest_api {lost} any more" in redeployed.stdout
    new = json.loads(project.state.read_text())["resources"][-1]["rest_api_id"]
    assert new != lost
    assert aws.client("apigateway").get_rest_api(restApiId=new)["id"] == new


def test_an_app_the_account_has_lost_can_be_deleted(aws: EmbeddedAws, project: Project) -> None:
    project.run()
    # `chalice delete` by itself stops at the first of these with a traceback.
    for resource in json.loads(project.state.read_text())["resources"]:
        match resource["resource_type"]:
            case "rest_api":
                aws.client("apigateway").delete_rest_api(restApiId=resource["rest_api_id"])
            case "lambda_function":
                aws.client("lambda").delete_function(FunctionName=resource["lambda_arn"])
            case "iam_role":
                role = resource["role_name"]
                aws.client("iam").delete_role_policy(RoleName=role, PolicyName=role)
                aws.client("iam").delete_role(RoleName=role)

    deleted = project.run("--delete", "--yes")

    assert (deleted.returncode, deleted.stderr) == (0, "")
    assert deleted.stdout.count("taken out of Chalice's state") == 3
    assert not project.state.exists()
    assert status(aws) is None


def test_the_state_of_another_account_stops_the_deployment(
    aws: EmbeddedAws, project: Project
) -> None:
    project.run()
    note = project.state.read_text().replace("111111111111", "333333333333")
    project.state.write_text(note)

    refused = project.run()

    assert refused.returncode == 1
    assert "dev.json is of account 333333333333 in us-east-1" in refused.stderr
    assert project.state.read_text() == note


def test_a_second_machine_updates_the_api_of_the_first(aws: EmbeddedAws, project: Project) -> None:
    project.run()
    first = json.loads(project.state.read_text())
    project.state.unlink()

    second = project.run()

    assert "restored .chalice/deployed/dev.json" in second.stdout
    assert json.loads(project.state.read_text()) == first
    names = [api["name"] for api in aws.client("apigateway").get_rest_apis()["items"]]
    assert names.count(project.name) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_says_that_the_stack_goes_on(
    aws: EmbeddedAws, project: Project, number: signal.Signals
) -> None:
    project.use(BUSY_RESOURCES)
    process = subprocess.Popen(
        project.command(),
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        for line in process.stdout or ():
            if "CREATE_IN_PROGRESS  AWS::CloudFormation::WaitCondition " in line:
                break
        process.send_signal(number)
        assert process.wait(timeout=20) == 130
        assert process.stderr is not None
        message = process.stderr.read()
    assert message == (
        f"error: interrupted: CloudFormation goes on with {STACK}; run the same command again, "
        "which waits for it and goes on, or look with "
        f"aws cloudformation describe-stack-events --stack-name {STACK} --region us-east-1\n"
    )
    deadline = time.monotonic() + 30
    while status(aws) == "CREATE_IN_PROGRESS" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status(aws) == "ROLLBACK_COMPLETE"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "error: no AWS credentials: set AWS_PROFILE",
        ),
        ({"AWS_DEFAULT_REGION": "", "AWS_REGION": ""}, "error: no AWS region: "),
        ({"AWS_PROFILE": "nobody"}, "error: no AWS profile named nobody"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            "error: no answer from http://127.0.0.1:9",
        ),
    ],
)
def test_an_environment_that_does_not_work_is_told_in_one_line(
    project: Project, environment: dict[str, str], message: str
) -> None:
    failed = project.run(**environment)

    assert failed.returncode == 1
    assert failed.stderr.startswith(message)
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "valid"),
    [
        (["blog", "--stage", "dev"], ["image_api", "crud_api", "webtier", "monitoring"]),
        (["crud_api", "--stage", "test"], ["local", "dev", "prod"]),
        (["crud_api"], ["--stage"]),
        (["crud_api", "--stage", "dev", "--plan", "--delete"], ["not allowed with"]),
    ],
)
def test_a_wrong_call_lists_what_is_valid(arguments: list[str], valid: list[str]) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "deploy", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 2
    for word in valid:
        assert word in refused.stderr.splitlines()[-1]


def test_help_explains_every_option_and_exit_status() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "deploy", "--help"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    for word in ("--stage", "--plan", "--delete", "--yes", "--root", "examples:", "exit status:"):
        assert word in shown


def test_a_missing_module_is_told_with_the_command_that_installs_it() -> None:
    # An interpreter that sees the standard library only.
    refused = subprocess.run(
        [sys.executable, "-S", "-m", "deploy", "--help"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 1
    assert re.fullmatch(
        r"error: the Python module \w+ is missing: run `make setup`\n", refused.stderr
    )
