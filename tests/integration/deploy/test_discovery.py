"""What belongs to an app at a stage, told from what does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from deploy import deployed
from deploy.account import Account
from deploy.discovery import Discovery
from deploy.errors import DeployError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import EmbeddedAws

ACCOUNT = "111111111111"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


class Maker:
    """Makes things as Chalice does."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.iam = aws.client("iam")
        self.lambda_ = aws.client("lambda")
        self.gateway = aws.client("apigateway")

    def role(self, name: str, service: str = "lambda") -> str:
        trust = json.dumps(TRUST).replace("lambda.", f"{service}.")
        role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        arn: str = role["Role"]["Arn"]
        return arn

    def function(self, name: str, app: str, stage: str, **tags: str) -> None:
        self.lambda_.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=self.role(f"of-function-{uuid4().hex}"),
            Handler="app.app",
            Code={"ZipFile": EMPTY_ZIP},
            Tags={"aws-chalice": f"version=1.34.0:stage={stage}:app={app}", **tags},
        )

    def api(self, name: str, function: str, *, is_deployed: bool) -> str:
        api: str = self.gateway.create_rest_api(name=name)["id"]
        root = self.gateway.get_resources(restApiId=api)["items"][0]["id"]
        method = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
        self.gateway.put_method(**method, authorizationType="NONE")
        self.gateway.put_integration(
            **method,
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
            f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function}/invocations",
        )
        if is_deployed:
            self.gateway.create_deployment(restApiId=api, stageName="api")
        return api


# An archive without files: the end of its central directory.
EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


@pytest.fixture
def maker(aws: EmbeddedAws) -> Maker:
    return Maker(aws)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".chalice").mkdir()
    return tmp_path


def names(resources: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((resource["resource_type"], resource["name"]) for resource in resources)


def test_another_stage_app_or_stack_is_not_taken_for_the_apps_own(
    aws: EmbeddedAws, maker: Maker, unique: str
) -> None:
    app = f"shop-{unique}"
    maker.function(f"{app}-dev", app, "dev")
    maker.function(f"{app}-dev-process", app, "dev")
    # The stage `dev_2` of the same app, a function of a stack, and one that Chalice did not make.
    maker.function(f"{app}-dev_2", app, "dev_2")
    maker.function(f"{app}-dev-eu", app, "dev-eu")
    maker.function(f"{app}-dev-stacks", app, "dev", **{"aws:cloudformation:stack-name": "shop"})
    maker.function(f"{app}-dev-by_hand", "", "")
    maker.role(f"{app}-dev-api_handler")
    maker.role(f"{app}-dev-eu-api_handler")
    maker.role(f"{app}-dev-batch", service="batchoperations.s3")

    assert names(Discovery(Account.of(), app, "dev").resources()) == [
        ("iam_role", "api_handler_role"),
        ("lambda_function", "api_handler"),
        ("lambda_function", "process"),
    ]


def test_the_region_of_another_deployment_is_in_the_policy_of_its_role(
    aws: EmbeddedAws, maker: Maker, unique: str
) -> None:
    app = f"shop-{unique}"
    role = f"{app}-dev-api_handler"
    maker.role(role)
    discovery = Discovery(Account.of(), app, "dev")
    assert discovery.other_region() is None

    for region, other in (("us-east-1", None), ("eu-west-1", "eu-west-1")):
        table = f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/items"
        statements = [
            {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": table},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::b/*"]},
            {"Effect": "Allow", "Action": "xray:PutTraceSegments", "Resource": "*"},
        ]
        maker.iam.put_role_policy(
            RoleName=role,
            PolicyName=role,
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        )
        assert discovery.other_region() == other


def test_the_api_in_use_is_the_one_that_answers(
    aws: EmbeddedAws, maker: Maker, project: Path, unique: str
) -> None:
    app = f"shop-{unique}"
    maker.api(app, f"{app}-prod", is_deployed=True)
    left = maker.api(app, f"{app}-dev", is_deployed=False)
    in_use = maker.api(app, f"{app}-dev", is_deployed=True)

    assert deployed.adopt(Account.of(), project, "dev", app) == [f"rest_api {in_use}"]

    assert deployed.rest_api(project, "dev") == deployed.RestApi(in_use, "")
    ids = [api["id"] for api in maker.gateway.get_rest_apis(limit=500)["items"]]
    assert in_use in ids
    assert left not in ids


def test_two_apis_that_answer_are_not_guessed_between(
    aws: EmbeddedAws, maker: Maker, project: Path, unique: str
) -> None:
    app = f"shop-{unique}"
    apis = sorted(maker.api(app, f"{app}-dev", is_deployed=True) for _ in range(2))

    with pytest.raises(DeployError, match=f"{', '.join(apis)} all lead to the same function"):
        deployed.adopt(Account.of(), project, "dev", app)
