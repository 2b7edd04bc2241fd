"""The image pipeline beside its peers: the same renditions of the same files, on one thread.

The peers are sharp as AWS's solution uses it (one pipeline a rendition), the best sharp can do (one
decode, each width from the next wider one), and libvips tuned by hand in the same way. `floor` is
Pillow decoding and encoding with no resizing at all: what no pipeline on it can be below.

The files are mosaics of camera photographs where these can be fetched (`photographs`).

What counts is processor time: Lambda bills a function's duration, and one of 1,769 MB has one
processor.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from PIL import Image

from benchmarks import peers, photographs, sources
from benchmarks.ratios import Ratio, Result, alternate, ratio
from benchmarks.worker import Worker, WorkerError, started

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAME = "images"
WIDTHS = (1920, 1280, 640, 320)
FOLDER = Path(__file__).parent
ROOT = FOLDER.parent

SHARP, SHARP_PYRAMID, LIBVIPS, FLOOR = "sharp", "sharp, pyramid", "libvips, tuned", "floor"


@dataclass(frozen=True)
class Case:
    """A file and the renditions to make of it: widths in pixels, in each of the formats.

    `goals` has the ratio to each peer that must not be exceeded.
    """

    label: str
    make: Callable[[], bytes]
    goals: dict[str, float]
    formats: tuple[str, ...] = ("jpeg",)
    widths: tuple[int, ...] = WIDTHS
    watermark: bool = False
    animated: bool = False
    is_jpeg: bool = False

    def task(self, source: Path, mark: Path, mode: str) -> str:
        """Return what a worker is asked to do, as JSON."""
        return json.dumps(
            {
                "source": str(source),
                "widths": self.widths,
                "formats": self.formats,
                "watermark": str(mark) if self.watermark else None,
                "animated": self.animated,
                "mode": mode,
            }
        )


# Never above 0.40 of sharp and 0.9 of tuned libvips, within 1.3 of the floor.
JPEG_GOALS = {SHARP: 0.40, SHARP_PYRAMID: 1.0, LIBVIPS: 0.9, FLOOR: 1.3}
# Raw pixels between sharp's pipelines lose their alpha, so its pyramid is left out.
PEER_GOALS = {SHARP: 1.0, LIBVIPS: 1.0}
MIXED_GOALS = {SHARP: 0.46, SHARP_PYRAMID: 1.0, LIBVIPS: 1.0}
# Of the medians of the cases that are JPEG to JPEG.
MEDIAN_GOALS = {SHARP: 0.33, LIBVIPS: 0.7, FLOOR: 1.3}

CASES = (
    Case("2 MP JPEG", lambda: sources.jpeg(1633, 1225), JPEG_GOALS, is_jpeg=True),
    Case("12 MP JPEG", lambda: sources.jpeg(4000, 3000), JPEG_GOALS, is_jpeg=True),
    Case(
        "12 MP JPEG, progressive",
        lambda: sources.jpeg(4000, 3000, progressive=True),
        JPEG_GOALS,
        is_jpeg=True,
    ),
    Case(
        "13 MP JPEG, rotated, Display P3",
        lambda: sources.jpeg(4160, 3120, orientation=6, profile=sources.display_p3()),
        JPEG_GOALS,
        is_jpeg=True,
    ),
    Case("24 MP JPEG", lambda: sources.jpeg(6000, 4000), JPEG_GOALS, is_jpeg=True),
    Case("48 MP JPEG", lambda: sources.jpeg(8000, 6000), JPEG_GOALS, is_jpeg=True),
    Case(
        "12 MP JPEG, watermarked",
        lambda: sources.jpeg(4000, 3000),
        JPEG_GOALS | {FLOOR: 1.4},
        watermark=True,
    ),
    Case(
        "12 MP JPEG to JPEG and WebP",
        lambda: sources.jpeg(4000, 3000),
        MIXED_GOALS,
        formats=("jpeg", "webp"),
    ),
    Case("8 MP PNG with alpha", lambda: sources.png(3264, 2448), PEER_GOALS),
    Case("48 MP PNG with alpha", lambda: sources.png(8000, 6000), PEER_GOALS),
    Case(
        "animated GIF to WebP",
        lambda: sources.animation("GIF"),
        {SHARP: 1.0},
        formats=("webp",),
        widths=(480, 240),
        animated=True,
    ),
    Case(
        "animated WebP to WebP",
        lambda: sources.animation("WEBP"),
        {SHARP: 1.0},
        formats=("webp",),
        widths=(480, 240),
        animated=True,
    ),
)


def run(rounds: int) -> Result:
    """Measure each case `rounds` times. Peers that are missing are left out, and named.

    Raises WorkerError, also where two do not make renditions of the same sizes.
    """
    commands, missing = _commands()
    if not commands:
        return Result(NAME, {}, skipped="; ".join(missing))
    if missing:
        print(f"images: left out: {'; '.join(missing)}", file=sys.stderr)
    fetch_photographs(NAME)
    ratios: dict[str, Ratio] = {}
    weights: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mark = folder / "mark.png"
        mark.write_bytes(sources.mark())
        for case in CASES:
            source = folder / "source"
            source.write_bytes(case.make())
            if case.is_jpeg:
                weights.append(_bytes_a_pixel(source))
            for peer, goal in case.goals.items():
                if peer in commands:
                    label = f"{case.label} / {peer}"
                    ratios[label] = _measure(case, source, mark, commands[peer], goal, rounds)
                    print(f"images: {label}: {ratios[label].median:.2f}", file=sys.stderr)
    figures = {
        "camera photographs in the files": float(len(photographs.fetched())),
        "bytes a pixel of the JPEG files, median": round(median(weights), 2),
    }
    return Result(NAME, ratios | _medians(ratios), figures=figures)


def fetch_photographs(name: str) -> None:
    """Fetch the photographs, or tell on standard error what is measured with in their place."""
    try:
        photographs.fetch()
    except photographs.PhotographsMissing as missing:
        print(f"{name}: with a picture made for it: {missing}", file=sys.stderr)


def _bytes_a_pixel(source: Path) -> float:
    with Image.open(source) as image:
        return source.stat().st_size / (image.width * image.height)


def _commands() -> tuple[dict[str, tuple[list[str], str, Path]], list[str]]:
    """Return command, mode and folder of each peer that can run, and why the others cannot."""
    python = [sys.executable, "-m"]
    commands = {FLOOR: ([*python, "benchmarks.images_worker"], "floor", ROOT)}
    missing = []
    try:
        peers.sharp()
        node = ["node", "sharp_worker.mjs"]
        commands[SHARP] = (node, "pipelines", FOLDER)
        commands[SHARP_PYRAMID] = (node, "pyramid", FOLDER)
    except peers.PeerMissing as error:
        missing.append(str(error))
    try:
        peers.libvips()
        commands[LIBVIPS] = ([*python, "benchmarks.libvips_worker"], "", ROOT)
    except peers.PeerMissing as error:
        missing.append(str(error))
    return (commands if len(commands) > 1 else {}), missing


def _measure(
    case: Case,
    source: Path,
    mark: Path,
    peer: tuple[list[str], str, Path],
    goal: float,
    rounds: int,
) -> Ratio:
    command, mode, folder = peer
    ours_command = [sys.executable, "-m", "benchmarks.images_worker"]
    with (
        started([*ours_command, case.task(source, mark, "")], ROOT) as ours,
        started([*command, case.task(source, mark, mode)], folder) as theirs,
    ):
        _compare(case, ours, theirs)
        measured = alternate(
            lambda: float(ours.work()["cpu"]), lambda: float(theirs.work()["cpu"]), rounds, 1
        )
    return ratio(*measured, goal)


def _compare(case: Case, ours: Worker, theirs: Worker) -> None:
    """Raise WorkerError where the outputs differ, for then the times mean nothing."""
    made: list[Sequence[dict[str, Any]]] = [each.work()["renditions"] for each in (ours, theirs)]
    for a, b in zip(*made, strict=True):
        if any(abs(x - y) > 1 for x, y in zip(a["size"], b["size"], strict=True)):
            raise WorkerError(f"{case.label}: the sizes differ: {a} and {b}")
        if not 0.7 < a["bytes"] / b["bytes"] < 1.4:
            raise WorkerError(f"{case.label}: the bytes differ too much: {a} and {b}")


def _medians(ratios: dict[str, Ratio]) -> dict[str, Ratio]:
    """Return for each peer the median of its ratios over the cases from JPEG to JPEG."""
    medians = {}
    for peer, goal in MEDIAN_GOALS.items():
        labels = [f"{case.label} / {peer}" for case in CASES if case.is_jpeg]
        found = [ratios[label].median for label in labels if label in ratios]
        if found:
            medians[f"median of JPEG to JPEG / {peer}"] = Ratio(
                round(median(found), 3), min(found), max(found), goal
            )
    return medians
