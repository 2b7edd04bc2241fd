"""The workflow and the roles it assumes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import github_actions

ROOT = Path(__file__).resolve().parents[3]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    return dict(yaml.safe_load(WORKFLOW.read_text()))


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    return dict(github_actions.template().to_dict()["Resources"])


def statements(resources: dict[str, Any], role: str) -> list[dict[str, Any]]:
    policies = resources[role]["Properties"]["Policies"]
    return [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]


def actions(resources: dict[str, Any], role: str) -> set[str]:
    return {action for each in statements(resources, role) for action in each["Action"]}


def test_the_workflow_is_what_github_takes() -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", WORKFLOW]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_action_is_pinned_to_a_commit_and_names_its_version() -> None:
    used = re.findall(r"uses: (.*)", WORKFLOW.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


def test_only_jobs_that_need_aws_get_a_token_and_none_uses_a_key(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    asking = {
        name
        for name, job in workflow["jobs"].items()
        if job.get("permissions", {}).get("id-token") == "write"
    }
    assert asking == {"plan", "deploy"}
    assert "secrets." not in WORKFLOW.read_text()


def test_pull_requests_of_forks_are_not_planned(workflow: dict[str, Any]) -> None:
    condition = workflow["jobs"]["plan"]["if"]
    assert "head.repo.full_name == github.repository" in condition


@pytest.mark.parametrize("job", ["test", "plan", "deploy"])
def test_shellcheck_finds_nothing_in_the_steps(workflow: dict[str, Any], job: str) -> None:
    for step in workflow["jobs"][job]["steps"]:
        if "run" in step:
            script = "#!/usr/bin/env bash\n" + re.sub(r"\$\{\{.*?\}\}", "value", step["run"])
            command = [BIN / "shellcheck", "-"]
            done = subprocess.run(
                command, input=script, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout


def test_the_deploy_job_runs_in_the_environment_that_its_role_trusts(
    workflow: dict[str, Any], resources: dict[str, Any]
) -> None:
    deploy = workflow["jobs"]["deploy"]
    assert deploy["environment"] == "${{ matrix.stage }}"
    assert _subject(resources, "DeployRole") == "repo:${Repository}:environment:${Stage}"
    stages = github_actions.template().to_dict()["Parameters"]["Stage"]["AllowedValues"]
    assert deploy["strategy"]["matrix"]["stage"] == stages


def test_the_plan_role_trusts_pull_requests_only(resources: dict[str, Any]) -> None:
    assert _subject(resources, "PlanRole") == "repo:${Repository}:pull_request"


def _subject(resources: dict[str, Any], role: str) -> str:
    (statement,) = resources[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    # Equal, not like: a pattern would let other repositories or branches in.
    assert set(statement["Condition"]) == {"StringEquals"}
    claims = statement["Condition"]["StringEquals"]
    assert claims["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    return str(claims["token.actions.githubusercontent.com:sub"]["Fn::Sub"])


def test_a_plan_changes_nothing(resources: dict[str, Any]) -> None:
    reading = re.compile(r":(Describe|Get|List)|apigateway:GET$")
    changing = {action for action in actions(resources, "PlanRole") if not reading.search(action)}
    assert changing == {
        "cloudformation:CreateChangeSet",
        "cloudformation:DeleteChangeSet",
        "iam:PassRole",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:PutObject",
    }
    (put,) = (
        each for each in statements(resources, "PlanRole") if "s3:PutObject" in each["Action"]
    )
    # A template is named by its 64 hexadecimal digits, which no state and no lock is.
    assert put["Resource"]["Fn::Sub"].endswith("/" + "?" * 64 + ".json")


@pytest.mark.parametrize("role", ["PlanRole", "DeployRole", "ResourcesRole"])
def test_no_role_may_do_everything_or_make_identities(resources: dict[str, Any], role: str) -> None:
    allowed = actions(resources, role)
    assert not [action for action in allowed if "*" in action]
    assert not [action for action in allowed if re.search("iam:.*(User|AccessKey|Group)", action)]


@pytest.mark.parametrize("role", ["PlanRole", "DeployRole"])
def test_roles_are_passed_to_one_service_each(resources: dict[str, Any], role: str) -> None:
    passing = [each for each in statements(resources, role) if "iam:PassRole" in each["Action"]]
    assert passing
    for each in passing:
        assert list(each["Condition"]["StringEquals"]) == ["iam:PassedToService"]


def test_it_writes_the_template_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert github_actions.main(["--output", str(tmp_path / "build")]) == 0
    path = tmp_path / "build" / "github_actions.json"
    assert capsys.readouterr().out == f"{path}\n"
    assert json.loads(path.read_text()) == github_actions.template().to_dict()
    (tmp_path / "file").touch()
    assert github_actions.main(["--output", str(tmp_path / "file")]) == 1
    assert "cannot write" in capsys.readouterr().err
