"""The peak memory of a whole process that renders one file, above what it has before the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import sources
from benchmarks.images import ROOT, WIDTHS, fetch_photographs
from benchmarks.ratios import Result, ratio
from benchmarks.worker import WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "image_memory"
MIB = 2**20


@dataclass(frozen=True)
class Case:
    """A file, and how much its renditions may take above the runtime, in MiB."""

    label: str
    make: Callable[[], bytes]
    limit: int


CASES = (
    Case("102 MP JPEG", lambda: sources.jpeg(11_664, 8_748), 100),
    Case("102 MP JPEG, progressive", lambda: sources.jpeg(11_664, 8_748, progressive=True), 350),
)


def run(rounds: int) -> Result:
    """Measure each case in `rounds` fresh processes, at most 3. Raises WorkerError."""
    if not Path("/proc/self/status").exists():
        return Result(NAME, {}, skipped="the peak is read from /proc/self/status, which Linux has")
    fetch_photographs(NAME)
    ratios = {}
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        for case in CASES:
            source.write_bytes(case.make())
            peaks = [peak(source) / MIB for _ in range(min(rounds, 3))]
            label = f"{case.label}, peak above the runtime / {case.limit} MiB"
            ratios[label] = ratio(peaks, [float(case.limit)] * len(peaks), 1.0)
    return Result(NAME, ratios)


def peak(source: Path) -> int:
    """Return how many bytes above the runtime a process takes that renders the file once.

    Raises WorkerError.
    """
    command = [sys.executable, "-m", "benchmarks.image_memory", str(source)]
    # As Lambda has it: what the app shares with others is beside it, under `vendor`.
    environment = os.environ | {"PYTHONPATH": str(ROOT / "image_api" / "vendor")}
    finished = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if finished.returncode:
        raise WorkerError(f"{command!r} failed: {finished.stderr.strip()[-300:]}")
    found: int = json.loads(finished.stdout)
    return found


def _high_water_mark() -> int:
    """Return the most memory this process ever had, in bytes (proc(5), VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _measure(source: str) -> None:
    # The runtime as the function has it: Python, boto3 with its client, and the app's modules.
    import boto3

    from image_api.chalicelib.allocator import keep_freed_memory
    from image_api.chalicelib.presets import Preset, Presets
    from image_api.chalicelib.renditions import render
    from image_api.chalicelib.settings import DEFAULT_PROCESS_MEMORY

    boto3.client("s3", region_name="us-east-1")
    # As the function does.
    keep_freed_memory()
    before = _high_water_mark()
    presets = Presets(tuple(Preset(str(width), width) for width in WIDTHS))
    render(Path(source).read_bytes(), presets, DEFAULT_PROCESS_MEMORY)
    print(_high_water_mark() - before)


if __name__ == "__main__":
    _measure(sys.argv[1])
