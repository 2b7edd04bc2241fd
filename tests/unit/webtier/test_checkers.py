"""The template through the checkers others would run on it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from tests.unit.webtier.resolve import resolved
from tests.unit.webtier.test_security import policy_documents


def test_cfn_lint_finds_nothing_not_even_advice(
    tmp_path: Path, body: dict[str, Any], cfn_lint
) -> None:
    template = tmp_path / "webtier.json"
    template.write_text(json.dumps(body))
    assert cfn_lint(template) == ""


def attached_to(document: dict[str, Any], resource: str) -> dict[str, Any]:
    """The document with the resource it is attached to named, where `*` or nothing means that."""
    document = copy.deepcopy(document)
    for statement in document["Statement"]:
        assert statement.get("Resource", "*") == "*"
        statement["Resource"] = resource
    return document


def test_parliament_finds_nothing_in_any_policy_document(
    parliament, resources: dict[str, Any]
) -> None:
    implied = {
        "KeyPolicy": "arn:aws:kms:us-east-1:111111111111:key/0a1b2c3d-0000-4000-8000-000000000000",
        "AssumeRolePolicyDocument": "arn:aws:iam::111111111111:role/example",
    }
    checked = 0
    for title, resource in resources.items():
        for name, value in resource["Properties"].items():
            for document in policy_documents(value):
                plain = resolved(document, resources)
                if name in implied:
                    plain = attached_to(plain, implied[name])
                assert parliament(plain) == {}, (title, name)
                checked += 1
    assert checked == 12


def test_parliament_would_find_a_misspelt_action(parliament, resources: dict[str, Any]) -> None:
    (document,) = policy_documents(resources["AccessLogsPolicy"])
    plain = json.dumps(resolved(document, resources))
    assert parliament(json.loads(plain)) == {}
    assert parliament(json.loads(plain.replace("PutObject", "PutObjekt"))) != {}
