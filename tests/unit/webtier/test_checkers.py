"""The template through the checkers others would run on it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import warnings
from importlib import resources as package_files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.webtier.resolve import resolved
from tests.unit.webtier.test_security import policy_documents


def test_cfn_lint_finds_nothing_not_even_advice(tmp_path: Path, body: dict[str, Any]) -> None:
    template = tmp_path / "webtier.json"
    template.write_text(json.dumps(body))
    done = subprocess.run(
        [
            Path(sys.executable).with_name("cfn-lint"),
            *("--include-experimental", "--include-checks", "I"),
            *("--configure-rule", "E3012:strict=true", "--template", template),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.fixture(scope="module")
def parliament() -> ModuleType:
    """The checker of IAM policy documents.

    It finds its data through pkg_resources, which setuptools no longer brings, and leaves the
    files open.
    """
    stand_in = ModuleType("pkg_resources")
    stand_in.resource_filename = lambda package, name: str(package_files.files(package) / name)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        patch.setitem(sys.modules, "pkg_resources", stand_in)
        import parliament

    return parliament


def findings(
    parliament: ModuleType, document: dict[str, Any], implied: str | None = None
) -> list[str]:
    """What is wrong with a document; `implied` is the resource it is attached to, where `*` or
    nothing at all in its place means that resource, as in key and trust policies."""
    if implied:
        document = copy.deepcopy(document)
        for statement in document["Statement"]:
            assert statement.get("Resource", "*") == "*"
            statement["Resource"] = implied
    policy = parliament.analyze_policy_string(json.dumps(document))
    return [f"{found.issue}: {found.detail}" for found in policy.findings]


def test_parliament_finds_nothing_in_any_policy_document(
    parliament: ModuleType, resources: dict[str, Any]
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
                assert findings(parliament, plain, implied.get(name)) == [], (title, name)
                checked += 1
    assert checked == 9


def test_parliament_would_find_a_misspelt_action(
    parliament: ModuleType, resources: dict[str, Any]
) -> None:
    (document,) = policy_documents(resources["AccessLogsPolicy"])
    plain = json.dumps(resolved(document, resources))
    assert findings(parliament, json.loads(plain)) == []
    assert findings(parliament, json.loads(plain.replace("PutObject", "PutObjekt"))) != []
