"""Chalice's note against what the embedded AWS really has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deploy import deployed
from deploy.account import Account

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import EmbeddedAws

ACCOUNT = "111111111111"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".chalice" / "deployed").mkdir(parents=True)
    return tmp_path


def note(project: Path, *resources: dict[str, Any]) -> Path:
    path = deployed.state_file(project, "dev")
    content = {"resources": resources, "schema_version": "2.0", "backend": "api"}
    path.write_text(json.dumps(content))
    return path


def test_only_what_the_account_has_lost_is_taken_out(
    aws: EmbeddedAws, project: Path, unique: str
) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=f"here-{unique}")
    here, gone = (
        {
            "name": f"on_{bucket}",
            "resource_type": "s3_event",
            "bucket": f"{bucket}-{unique}",
            "lambda_arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:shop-dev-{bucket}",
        }
        for bucket in ("here", "gone")
    )
    # A kind this code does not ask about is Chalice's own affair.
    schedule = {
        "name": "nightly",
        "resource_type": "cloudwatch_event",
        "rule_name": "shop-dev-nightly",
        "lambda_arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:shop-dev-nightly",
    }
    path = note(project, here, gone, schedule)

    lost = deployed.forget_lost(Account.of(), project, "dev")

    assert lost == [f"s3_event gone-{unique}"]
    assert json.loads(path.read_text()) == {
        "resources": [here, schedule],
        "schema_version": "2.0",
        "backend": "api",
    }
    s3.delete_bucket(Bucket=f"here-{unique}")


def test_a_note_with_nothing_left_is_removed(aws: EmbeddedAws, project: Path, unique: str) -> None:
    path = note(
        project,
        {"name": "r", "resource_type": "iam_role", "role_name": f"gone-{unique}"},
        {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "gone"},
    )

    assert deployed.forget_lost(Account.of(), project, "dev") == [
        f"iam_role gone-{unique}",
        "rest_api gone",
    ]
    assert not path.exists()
    assert deployed.forget_lost(Account.of(), project, "dev") == []
