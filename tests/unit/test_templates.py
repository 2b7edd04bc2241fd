"""Every template as its command writes it. What checkers say of these is for `make check`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {
    "image_api/resources.py": ["image_api.json", "image_api_operations.json"],
    "crud_api/resources.py": ["crud_api.json"],
    "webtier/build.py": ["webtier.json"],
    "monitoring/build.py": ["monitoring.json", "workload.json"],
}


def build(command: str, directory: Path, cwd: Path = ROOT) -> list[Path]:
    done = subprocess.run(
        [sys.executable, ROOT / command, "--output", directory],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [Path(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_it_writes_its_files_and_prints_their_paths(command: str, tmp_path: Path) -> None:
    paths = build(command, tmp_path / "new", cwd=tmp_path)
    assert paths == [tmp_path / "new" / name for name in COMMANDS[command]]
    for path in paths:
        assert json.loads(path.read_text())["Resources"]


@pytest.mark.parametrize("command", COMMANDS)
def test_it_writes_the_same_bytes_every_time(command: str, tmp_path: Path) -> None:
    first, second = (build(command, tmp_path / name) for name in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_resource_with_tags_says_whose_it_is(command: str, tmp_path: Path) -> None:
    part = command.split("/")[0]
    for path in build(command, tmp_path):
        for name, resource in json.loads(path.read_text())["Resources"].items():
            tags = resource.get("Properties", {}).get("Tags")
            if isinstance(tags, list):
                tags = {tag["Key"]: tag["Value"] for tag in tags}
            if tags:
                assert tags["Project"] == "aws-architectures", name
                assert tags["Part"] == part, name
