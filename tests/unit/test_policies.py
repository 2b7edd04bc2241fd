"""Every policy that the project emits: of roles, of resources, and who may take a role on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crud_api import gateway, per_operation
from crud_api import resources as items
from deploy import artifacts, github_actions
from image_api import resources as images
from monitoring import build as monitoring
from tests.parliament.run import policy_documents
from tests.policy_rules import WITHOUT_SOURCE, faults, open_to_plain_http, unbound_permissions
from tests.unit.crud_api.test_resources import CONFIG, LOCAL_OUTPUTS
from webtier import build as webtier

ROOT = Path(__file__).resolve().parents[2]


def templates() -> dict[str, dict[str, Any]]:
    """Every template, by the name of its stack."""
    of_monitoring = monitoring.templates("prod")
    stage = per_operation.Stage(
        name="prod",
        config=CONFIG,
        outputs={
            **LOCAL_OUTPUTS,
            "AccessLogArn": "arn:aws:logs:us-east-1:111111111111:log-group:a",
        },
        log_retention_days=30,
        responses=gateway.responses({}),
        access_log_format=gateway.ACCESS_LOG_FORMAT,
    )
    return {
        "artifacts": dict(artifacts.stack_template().document),
        "crud_api": items.template().to_dict(),
        "crud_api_functions": per_operation.merge_template(stage),
        "github_actions": github_actions.template().to_dict(),
        "image_api": images.template().to_dict(),
        "image_api_operations": images.operations().to_dict(),
        "monitoring": of_monitoring["monitoring"].to_dict(),
        "monitoring_workload": of_monitoring["workload"].to_dict(),
        "webtier": webtier.template(webtier.Options()).to_dict(),
    }


TEMPLATES = templates()


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy document in the templates and in the policy files."""
    bodies = {name: body for name, body in TEMPLATES.items() if name != "crud_api_functions"}
    for path, resource, document in policy_documents(bodies):
        yield f"{path}/{resource}", document
    for name, resource in TEMPLATES["crud_api_functions"]["Resources"].items():
        if resource.get("Type") == "AWS::IAM::Role":
            properties = resource["Properties"]
            yield f"crud_api_functions/{name}", properties["AssumeRolePolicyDocument"]
            for policy in properties["Policies"]:
                yield f"crud_api_functions/{name}", policy["PolicyDocument"]
    for file in sorted(ROOT.glob("*/.chalice/policy-*.json")):
        yield file.name, json.loads(file.read_text())


def test_no_policy_lets_in_who_should_not_be() -> None:
    endpoints = {
        f"{stack}/{name}"
        for stack, template in TEMPLATES.items()
        for name, resource in template["Resources"].items()
        if resource.get("Type") == "AWS::EC2::VPCEndpoint"
    }
    found = [
        f"{where}: {fault}"
        for where, document in documents()
        for fault in faults(document, filters=where in endpoints)
    ]
    assert not found, "\n".join(dict.fromkeys(found))


@pytest.mark.parametrize("name", TEMPLATES)
def test_buckets_queues_and_topics_refuse_plain_http(name: str) -> None:
    assert list(open_to_plain_http(TEMPLATES[name])) == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_function_is_invoked_for_named_sources_alone(name: str) -> None:
    assert list(unbound_permissions(TEMPLATES[name])) == []


def test_every_exception_is_needed() -> None:
    needed = {
        (service, action)
        for _, document in documents()
        for statement in document["Statement"]
        if isinstance(statement.get("Principal"), dict)
        for service in [statement["Principal"].get("Service")]
        for action in (
            statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        )
        if not statement.get("Condition")
    }
    assert needed >= WITHOUT_SOURCE.keys()


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ({"Action": "*"}, "every action"),
        ({"Action": "s3:*"}, "every action"),
        ({"NotAction": "s3:GetObject"}, "NotAction"),
        ({"Action": "s3:GetObject", "Principal": "*"}, "everybody"),
        ({"Action": "kms:*", "Principal": {"AWS": "*"}}, "every action"),
        (
            {"Action": "sqs:SendMessage", "Principal": {"Service": "s3.amazonaws.com"}},
            "any account",
        ),
    ],
)
def test_what_is_wrong_is_found(statement: dict[str, Any], fault: str) -> None:
    found = list(faults({"Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}))
    assert any(fault in text for text in found), found


def test_what_is_right_is_not() -> None:
    owner = {"AWS": "arn:aws:iam::111111111111:root"}
    bound = {"StringEquals": {"aws:SourceAccount": "111111111111"}}
    service = {"Service": "s3.amazonaws.com"}
    statements = [
        {"Effect": "Allow", "Action": "kms:*", "Principal": owner},
        {"Effect": "Deny", "Action": "s3:*", "Principal": "*"},
        {"Effect": "Allow", "Action": "a:B", "Principal": service, "Condition": bound},
    ]
    assert list(faults({"Statement": statements})) == []
