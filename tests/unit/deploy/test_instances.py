"""What the web tier's instances are sent: refused where it is not fit, and its bills."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy import instances, package, wheels
from deploy.errors import PackageError
from deploy.runtime import Runtime
from webtier import artifact

REQUIREMENTS = artifact.APPLICATION / "requirements.txt"


def test_a_bill_for_each_architecture_names_all_that_is_pinned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert package.main(["webtier", "--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / name)
        for name in ("webtier.tar.gz", "webtier-x86_64.cdx.json", "webtier-arm64.cdx.json")
    ]
    made = artifact.Artifact((tmp_path / "webtier.tar.gz").read_bytes())
    serials = set()
    for architecture, machine in (("x86_64", "x86_64"), ("arm64", "aarch64")):
        bill = json.loads((tmp_path / f"webtier-{architecture}.cdx.json").read_text())
        serials.add(bill["serialNumber"])
        own = bill["metadata"]["component"]
        assert own["hashes"] == [{"alg": "SHA-256", "content": made.sha256}]
        assert own["description"].endswith(f"python3.12 on {architecture}")
        found = {each["name"]: each for each in bill["components"]}
        pinned = wheels.pinned(REQUIREMENTS, Runtime("3.12", architecture))
        assert sorted(found) == sorted(each.name for each in pinned)
        assert found["psycopg"]["licenses"] == [{"expression": "LGPL-3.0-only"}]
        assert all(each["licenses"] for each in found.values())
        (native,) = (
            part["name"]
            for part in found["psycopg-binary"]["components"]
            if "/_psycopg." in part["name"]
        )
        assert machine in native
    assert len(serials) == 2


def test_packages_for_another_processor_are_refused(tmp_path: Path) -> None:
    seen = instances.Packages()
    target = artifact.TARGETS["x86_64"]
    files = artifact._install(target, REQUIREMENTS, tmp_path)
    with pytest.raises(PackageError, match="which is not compiled for aarch64"):
        seen.look("arm64", files, REQUIREMENTS)
    assert seen.inspected == {}


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    files = artifact._install(artifact.TARGETS["arm64"], REQUIREMENTS, tmp_path)
    changed = tmp_path / "changed.py"
    changed.write_text("changed")
    # Not the file itself: uv makes it one with the file in its cache, and so in every environment.
    files["flask/app.py"] = changed
    with pytest.raises(PackageError, match=r"flask .* is not what its wheel had: flask/app.py"):
        instances.Packages().look("arm64", files, REQUIREMENTS)


def test_what_this_machine_runs_is_sent_to_nobody(tmp_path: Path) -> None:
    seen = instances.Packages()
    seen.look("host", {}, REQUIREMENTS)
    assert seen.bills("0" * 64) == {}


def test_instances_have_the_python_that_the_artifact_is_made_for() -> None:
    assert instances.PYTHON == artifact.PYTHON
    assert instances.ARCHITECTURES == artifact.INSTANCES
