"""The first answer of a fresh process, beside a bare handler with a boto3 client for DynamoDB.

Both start Python, import the handler, create the client and answer one GET. What counts is the
processor time of the whole process. The app runs from the package that `chalice package` makes,
unpacked, with Chalice's runtime from it; like a function's folder it has no compiled files and gets
none, so both compile their own code. boto3 is installed and compiled, as in the Lambda runtime.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from benchmarks.crud_handler import OURS, ROOT, command, environment, stub
from benchmarks.processes import cpu_seconds
from benchmarks.ratios import Result, alternate, ratio
from benchmarks.worker import WorkerError

NAME = "crud_cold_start"
GOAL = 1.15


def run(rounds: int) -> Result:
    """Measure `rounds` times. Raises WorkerError."""
    with tempfile.TemporaryDirectory() as folder, stub() as endpoint:
        package = _package(Path(folder))
        bare = Path(folder) / "bare"
        bare.mkdir()
        source = ROOT / "benchmarks" / "crud_peers" / "bare.py"
        (bare / "bare.py").write_text(source.read_text())
        variables = environment(endpoint) | {"PYTHONDONTWRITEBYTECODE": "1"}
        ours_command = command(OURS, [str(package)], "--once")
        bare_command = command("bare:handler", [str(bare)], "--once")
        measured = alternate(
            lambda: cpu_seconds(ours_command, ROOT, variables),
            lambda: cpu_seconds(bare_command, ROOT, variables),
            rounds,
        )
    label = "fresh process to first answer, CPU time over a bare boto3 handler"
    return Result(NAME, {label: ratio(*measured, GOAL)})


def _package(folder: Path) -> Path:
    """Make the package as it is deployed, and return where it is unpacked."""
    chalice = [sys.executable, "-P", "-c", "import sys, chalice.cli; sys.exit(chalice.cli.main())"]
    done = subprocess.run(
        [*chalice, "package", "--stage", "local", str(folder / "out")],
        cwd=ROOT / "crud_api",
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WorkerError(f"chalice package failed: {done.stdout.strip()[-300:]}")
    unpacked = folder / "package"
    with zipfile.ZipFile(folder / "out" / "deployment.zip") as archive:
        archive.extractall(unpacked)
    return unpacked
