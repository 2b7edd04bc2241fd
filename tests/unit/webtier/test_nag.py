"""What the cdk-nag runner makes of findings; the rules themselves run in `make check`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.nag import run

GOLDEN = Path(__file__).parent / "golden" / "webtier.json"
ROOT = Path(__file__).resolve().parents[3]


def test_without_node_it_says_so_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", run.__name__, GOLDEN],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "cdk-nag: not checked, because node and npm are not installed\n"


def test_a_template_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "missing.json", "missing.json: No such file or directory"),
        (Path(__file__), "not a JSON template"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", run.__name__, path],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert message in done.stderr.splitlines()[-1]


def test_excuses_are_read_from_the_metadata_of_each_resource() -> None:
    excused = run.excuses("webtier.json", json.loads(GOLDEN.read_text()))
    assert ("AccessLogs", "AwsSolutions-S1") in {(one.resource, one.rule) for one in excused}
    assert all(one.description for one in excused)
