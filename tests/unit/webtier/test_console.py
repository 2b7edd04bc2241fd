"""How commands end when they are stopped, or nobody reads on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from webtier import build, console

ROOT = Path(build.__file__).parent.parent


def test_the_exit_code_is_the_commands() -> None:
    assert console.ended(lambda: 2) == 2


def test_ctrl_c_is_no_traceback() -> None:
    def stopped() -> int:
        raise KeyboardInterrupt

    assert console.ended(stopped) == 130


@pytest.mark.parametrize("command", ["webtier.drill", "webtier.costs"])
def test_who_stops_reading_is_not_told_of_it(command: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() == 141
