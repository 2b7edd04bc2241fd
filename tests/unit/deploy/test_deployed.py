import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy import deployed
from deploy.account import Account
from deploy.errors import DeployError, SettingsError

STATE = {
    "resources": [
        {
            "name": "api_handler",
            "resource_type": "lambda_function",
            "lambda_arn": "arn:aws:lambda:eu-west-1:333333333333:function:shop-dev",
        },
        {
            "name": "rest_api",
            "resource_type": "rest_api",
            "rest_api_id": "abc123",
            "rest_api_url": "https://abc123.execute-api.eu-west-1.amazonaws.com/api/",
        },
    ],
    "schema_version": "2.0",
    "backend": "api",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".chalice" / "deployed").mkdir(parents=True)
    return tmp_path


def write_state(project: Path, state: Any) -> Path:
    path = deployed.state_file(project, "dev")
    path.write_text(json.dumps(state))
    return path


def test_the_api_of_a_stage_is_read_from_chalices_note(project: Path) -> None:
    assert deployed.rest_api(project, "dev") is None
    write_state(project, STATE)

    assert deployed.rest_api(project, "dev") == deployed.RestApi(
        "abc123", "https://abc123.execute-api.eu-west-1.amazonaws.com/api/"
    )


@pytest.mark.parametrize(
    ("account", "region"), [("444444444444", "eu-west-1"), ("333333333333", "us-east-1")]
)
def test_a_note_of_another_account_or_region_is_not_judged(
    project: Path, account: str, region: str
) -> None:
    path = write_state(project, STATE)
    before = path.read_text()

    with pytest.raises(DeployError, match=r"dev\.json is of account 333333333333 in eu-west-1"):
        deployed.refuse_foreign(Account(boto3.Session(), account, region, None), project, "dev")
    assert path.read_text() == before


def test_a_broken_note_is_named(project: Path) -> None:
    deployed.state_file(project, "dev").write_text("{")

    with pytest.raises(SettingsError, match=r"dev\.json is not JSON"):
        deployed.rest_api(project, "dev")


def test_half_a_note_is_replaced_by_the_one_in_the_account(project: Path) -> None:
    path = deployed.state_file(project, "dev")
    path.write_text(json.dumps(STATE)[:50])

    assert deployed.restore(project, "dev", STATE)
    assert json.loads(path.read_text()) == STATE
    assert not deployed.restore(project, "dev", STATE)

    path.write_text("{")
    assert not deployed.restore(project, "dev", None)
    assert not path.exists()
