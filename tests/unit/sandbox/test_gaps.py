from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import gaps


def test_another_version_of_the_emulator_is_refused(monkeypatch):
    monkeypatch.setattr(gaps, "SUPPORTED_VERSION", "0.0.1")
    with pytest.raises(RuntimeError, match=r"MiniStack 1\.5\.33 is installed.*needs 0\.0\.1.*make"):
        gaps.install(lambda_python=Path("python"), alarm_period_scale=1)
