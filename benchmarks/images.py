"""The image pipeline beside sharp, run as most services run it: one pipeline a rendition.

Both make the four renditions of image_api's presets, JPEG at quality 80, from the same 12-megapixel
photograph in memory, on one thread and without a watermark. What counts is processor time: Lambda
bills a function's duration, and one of 1,769 MB has one processor.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from benchmarks import peers
from benchmarks.photograph import photograph
from benchmarks.ratios import Result, alternate, ratio
from benchmarks.worker import Worker, WorkerError, started
from image_api.chalicelib.presets import JPEG_QUALITY, PRESETS

NAME = "images"
GOAL = 1.0
FOLDER = Path(__file__).parent


def run(rounds: int) -> Result:
    """Measure `rounds` times. Without node, npm or sharp the result says what is missing.

    Raises WorkerError, also where the two do not make the same renditions.
    """
    try:
        version = peers.sharp()
    except peers.PeerMissing as missing:
        return Result(NAME, {}, skipped=str(missing))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "photograph.jpg"
        source.write_bytes(photograph(4000, 3000))
        widths = [preset.width for preset in PRESETS]
        task = json.dumps({"source": str(source), "widths": widths, "quality": JPEG_QUALITY})
        ours_command = [sys.executable, "-m", "benchmarks.images_worker", task]
        with (
            started(ours_command, FOLDER.parent) as ours,
            started(["node", "sharp_worker.mjs", task], FOLDER) as sharp,
        ):
            _compare(ours, sharp)
            measured = alternate(
                lambda: float(ours.work()["cpu"]), lambda: float(sharp.work()["cpu"]), rounds
            )
    label = f"12 MP JPEG to 4 JPEG, CPU time over sharp {version}"
    return Result(NAME, {label: ratio(*measured, GOAL)})


def _compare(ours: Worker, sharp: Worker) -> None:
    """Raise WorkerError where the outputs differ, for then the times mean nothing."""
    ours_made, sharp_made = ours.work()["renditions"], sharp.work()["renditions"]
    if [made["size"] for made in ours_made] != [made["size"] for made in sharp_made]:
        raise WorkerError(f"the sizes differ: {ours_made} and {sharp_made}")
    for a, b in zip(ours_made, sharp_made, strict=True):
        if not 0.8 < a["bytes"] / b["bytes"] < 1.25:
            raise WorkerError(f"the bytes differ too much: {a} and {b}")
