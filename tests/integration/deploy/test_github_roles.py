"""Deployments with the very rights that GitHub Actions' roles have."""

from __future__ import annotations

import base64
import json
import random
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy import github_actions
from sandbox import environment
from tests.integration.deploy.project import RESOURCES, STACK, Project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import EmbeddedAws

Credentials = dict[str, str]


@pytest.fixture(scope="module")
def number() -> str:
    """An account of this module's own."""
    return str(random.randrange(3 * 10**11, 10**12))


@pytest.fixture
def roles(aws: EmbeddedAws, number: str) -> dict[str, str]:
    """The ARNs of the roles by their outputs, from the stack an administrator makes."""
    client = aws.client("cloudformation", number)
    name = "github-actions-dev"
    document = github_actions.template().to_dict()
    try:
        client.describe_stacks(StackName=name)
    except ClientError:
        client.create_stack(
            StackName=name,
            TemplateBody=json.dumps(document),
            Parameters=[
                {"ParameterKey": "Repository", "ParameterValue": "owner/name"},
                {"ParameterKey": "Stage", "ParameterValue": "dev"},
                # The embedded STS knows the provider of a token by its name.
                {"ParameterKey": "IdentityProvider", "ParameterValue": "existing"},
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        waiter = client.get_waiter("stack_create_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 100})
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def token(subject: str, audience: str = "sts.amazonaws.com") -> str:
    """A token as GitHub gives it to a job; the embedded STS reads its claims, not its signature."""
    claims = {
        "iss": "https://token.actions.githubusercontent.com",
        "sub": subject,
        "aud": audience,
    }
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*encoded, b"signature"]).decode()


SUBJECTS = {
    "Plan": "repo:owner/name:pull_request",
    "Deploy": "repo:owner/name:environment:dev",
}


@pytest.fixture
def job(aws: EmbeddedAws, number: str, roles: dict[str, str]) -> Callable[[str], Credentials]:
    """Gives the variables of a job that has assumed a role."""

    def assume(role: str) -> Credentials:
        found = aws.client("sts", number).assume_role_with_web_identity(
            RoleArn=roles[f"{role}RoleArn"],
            RoleSessionName="job",
            WebIdentityToken=token(SUBJECTS[role]),
        )["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
            "AWS_SESSION_TOKEN": found["SessionToken"],
            "CLOUDFORMATION_ROLE_ARN": roles["ResourcesRoleArn"],
        }

    return assume


@pytest.mark.parametrize(
    ("role", "subject", "audience"),
    [
        ("Deploy", "repo:owner/name:pull_request", "sts.amazonaws.com"),
        ("Deploy", "repo:owner/name:ref:refs/heads/main", "sts.amazonaws.com"),
        ("Deploy", "repo:owner/name:environment:prod", "sts.amazonaws.com"),
        ("Deploy", "repo:somebody/name:environment:dev", "sts.amazonaws.com"),
        ("Deploy", "repo:owner/name-2:environment:dev", "sts.amazonaws.com"),
        ("Deploy", "repo:owner/name:environment:dev", "https://github.com/owner"),
        ("Plan", "repo:owner/name:environment:dev", "sts.amazonaws.com"),
        ("Plan", "repo:somebody/name:pull_request", "sts.amazonaws.com"),
    ],
)
def test_a_job_of_another_kind_or_repository_gets_no_credentials(
    aws: EmbeddedAws, number: str, roles: dict[str, str], role: str, subject: str, audience: str
) -> None:
    with pytest.raises(ClientError) as refused:
        aws.client("sts", number).assume_role_with_web_identity(
            RoleArn=roles[f"{role}RoleArn"],
            RoleSessionName="job",
            WebIdentityToken=token(subject, audience),
        )
    assert refused.value.response["Error"]["Code"] == "AccessDenied"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "checkout", "crud_api")


def test_the_plan_role_plans_and_cannot_deploy_and_the_deploy_role_can(
    aws: EmbeddedAws, number: str, project: Project, job: Callable[[str], Credentials]
) -> None:
    deployed = project.run(**job("Deploy"))
    assert deployed.returncode == 0, deployed.stderr
    functions = aws.client("lambda", number).list_functions()["Functions"]
    assert [function["FunctionName"] for function in functions] == ["crud_api-dev"]
    cloudformation = aws.client("cloudformation", number)

    again = project.run("--plan", **job("Plan"))
    assert again.returncode in (0, 2), again.stdout + again.stderr

    before = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    protect = 'DeletionProtectionEnabled=True, DeletionPolicy="Retain"'
    project.use(RESOURCES.replace('DeletionPolicy="Retain"', protect))
    planned = project.run("--plan", **job("Plan"))
    assert planned.returncode == 2, planned.stdout + planned.stderr
    refused = project.run(**job("Plan"))
    assert refused.returncode == 1
    assert "denied" in refused.stderr
    assert cloudformation.describe_stacks(StackName=STACK)["Stacks"][0] == before


@pytest.mark.parametrize("role", ["Plan", "Deploy"])
def test_neither_role_reaches_beyond_the_stage(
    aws: EmbeddedAws, number: str, role: str, job: Callable[[str], Credentials]
) -> None:
    found = job(role)
    session = boto3.Session(
        found["AWS_ACCESS_KEY_ID"],
        found["AWS_SECRET_ACCESS_KEY"],
        found["AWS_SESSION_TOKEN"],
        region_name=environment.REGION,
    )

    def client(service: str) -> Any:
        return session.client(service, endpoint_url=aws.endpoint)

    attempts: list[tuple[str, Callable[[], Any]]] = [
        ("a user", lambda: client("iam").create_user(UserName="backdoor")),
        (
            "a stack of prod",
            lambda: client("cloudformation").delete_stack(StackName="crud-api-prod"),
        ),
        ("an item", lambda: client("dynamodb").scan(TableName=f"{STACK}-crud_api")),
        (
            "its own rights",
            lambda: client("iam").put_role_policy(
                RoleName=f"github-actions-{role.lower()}-dev",
                PolicyName="more",
                PolicyDocument='{"Version": "2012-10-17", "Statement": []}',
            ),
        ),
    ]
    for what, attempt in attempts:
        with pytest.raises(ClientError) as refused:
            attempt()
        assert refused.value.response["Error"]["Code"] in {
            "AccessDenied",
            "AccessDeniedException",
        }, what
