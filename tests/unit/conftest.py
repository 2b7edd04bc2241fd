"""The checkers others would run on templates and policies."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib import resources as package_files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

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
    """Gives parliament's findings on an IAM policy document, issue to detail.

    It finds its data through pkg_resources, which setuptools no longer brings, leaves the files
    open, and warns where Python compiles it for the first time.
    """
    stand_in = ModuleType("pkg_resources")
    stand_in.resource_filename = lambda package, name: str(package_files.files(package) / name)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setitem(sys.modules, "pkg_resources", stand_in)
        import parliament as library

    def findings(document: dict[str, Any]) -> dict[str, str]:
        analysed = library.analyze_policy_string(json.dumps(document))
        return {found.issue: f"{found.detail} {found.location}" for found in analysed.findings}

    return findings
