"""What is shipped is pinned to versions and to the hashes of their files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ("image_api", "crud_api", "webtier/application")


def pinned(path: Path) -> dict[str, list[str]]:
    """Return the hashes of each requirement in the file."""
    lines = re.sub(r"\\\n\s*", "", path.read_text()).splitlines()
    entries = [line.split("--hash=") for line in lines if line and not line.startswith("#")]
    return {entry[0].strip(): [each.strip() for each in entry[1:]] for entry in entries}


@pytest.mark.parametrize("part", SHIPPED)
def test_each_package_is_pinned_to_one_version_and_to_hashes(part: str) -> None:
    for text, hashes in pinned(ROOT / part / "requirements.txt").items():
        assert [each.operator for each in Requirement(text).specifier] == ["=="], text
        assert hashes, text
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), text


@pytest.mark.parametrize("part", SHIPPED)
def test_what_is_asked_for_is_what_is_pinned(part: str) -> None:
    lines = (ROOT / part / "requirements.in").read_text().splitlines()
    asked = [Requirement(line) for line in lines if line and not line.startswith("#")]
    found = [Requirement(text) for text in pinned(ROOT / part / "requirements.txt")]
    for wanted in asked:
        versions = [
            each.specifier
            for each in found
            if each.name == wanted.name.lower() and bool(each.marker) == bool(wanted.marker)
        ]
        assert versions, wanted
        if wanted.specifier:
            assert wanted.specifier in versions, wanted
    if not asked:
        assert not found


def test_the_workflow_audits_everything_that_is_shipped_for_every_runtime() -> None:
    workflow: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    (audit,) = (
        step["run"]
        for step in workflow["jobs"]["test"]["steps"]
        if "pip-audit" in step.get("run", "")
    )
    assert f"for part in {' '.join(SHIPPED)};" in audit
    assert "for python in 3.11 3.12 3.13;" in audit
    assert {"--strict", "--require-hashes", "--disable-pip"} <= set(audit.split())
    assert {
        path.parent.relative_to(ROOT).as_posix()
        for path in [*ROOT.glob("*/requirements.txt"), *ROOT.glob("*/application/requirements.txt")]
    } == set(SHIPPED)
