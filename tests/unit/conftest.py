"""The checkers others would run on templates and policies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.parliament.analysis import issues

CfnLint = Callable[..., str]
Parliament = Callable[[dict[str, Any]], dict[str, str]]


@pytest.fixture(scope="session")
def cfn_lint() -> CfnLint:
    """Gives what cfn-lint says of template files, advice included; "" where it has nothing."""

    def lint(*templates: Path) -> str:
        done = subprocess.run(
            [
                Path(sys.executable).with_name("cfn-lint"),
                *("--include-experimental", "--include-checks", "I"),
                *("--configure-rule", "E3012:strict=true", "--", *templates),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout

    return lint


@pytest.fixture(scope="session")
def parliament() -> Parliament:
    """Gives parliament's findings on an IAM policy document, issue to detail."""
    return issues
