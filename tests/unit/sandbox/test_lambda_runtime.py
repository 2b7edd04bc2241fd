from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sandbox import lambda_runtime


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lambda_runtime.create(tmp_path_factory.mktemp("runtime") / "python")


def run(interpreter: Path, statement: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [interpreter, "-c", statement], capture_output=True, text=True, check=False, cwd="/"
    )


def test_it_provides_boto3_as_aws_does(interpreter: Path) -> None:
    used = run(interpreter, "import boto3; boto3.client('s3', region_name='us-east-1')")
    assert used.returncode == 0, used.stderr


@pytest.mark.parametrize("module", ["chalice", "PIL", "ministack", "httpx", "pip"])
def test_it_provides_nothing_else(interpreter: Path, module: str) -> None:
    used = run(interpreter, f"import {module}")
    assert f"No module named '{module}'" in used.stderr
