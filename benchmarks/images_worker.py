"""A worker (see `benchmarks.worker`): this project's renditions of one file."""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from image_api.chalicelib import allocator, watermark
from image_api.chalicelib.presets import PRESETS, Preset, Presets
from image_api.chalicelib.renditions import Rendition, render

if TYPE_CHECKING:
    from collections.abc import Callable

# Far more than any case needs: what is refused is not measured here.
MEMORY = 2**40


def main() -> None:
    """Render once for each line of standard input; with "output" in the task, write the files."""
    # As the function does; so the floor has it, too.
    allocator.keep_freed_memory()
    task = json.loads(sys.argv[1])
    data = Path(task["source"]).read_bytes()
    presets = _presets(task)
    work: Callable[[], tuple[Rendition, ...]] = lambda: render(data, presets, MEMORY)[1]  # noqa: E731
    if task["mode"] == "floor":
        work = _floor(data, presets)
    for _line in sys.stdin:
        # The peers draw their mark anew for each file, and so does a function for its first.
        watermark.forget()
        before = time.process_time()
        renditions = work()
        cpu = time.process_time() - before
        print(json.dumps({"cpu": cpu, "renditions": _made(renditions, task)}), flush=True)


def _presets(task: dict[str, Any]) -> Presets:
    style = next(iter(PRESETS)).watermark if task["watermark"] else None
    return Presets(
        tuple(
            Preset(str(width), width, formats=tuple(task["formats"]), watermark=style)
            for width in task["widths"]
        )
    )


def _made(renditions: tuple[Rendition, ...], task: dict[str, Any]) -> list[dict[str, Any]]:
    made = []
    for each in renditions:
        made.append({"size": [each.width, each.height], "bytes": len(each.data)})
        if "output" in task:
            path = Path(task["output"]) / f"{each.preset}.{each.format}"
            path.write_bytes(each.data)
    return made


def _floor(data: bytes, presets: Presets) -> Callable[[], tuple[Rendition, ...]]:
    """Return the work of decoding, as the pipeline does, and encoding the finished renditions."""
    _header, renditions = render(data, presets, MEMORY)
    finished = []
    for each in renditions:
        with Image.open(io.BytesIO(each.data)) as image:
            finished.append(image.convert("RGB"))
    largest = finished[0].size

    def work() -> tuple[Rendition, ...]:
        image = Image.open(io.BytesIO(data))
        image.draft("RGB", largest[::-1] if image.getexif().get(0x0112, 1) >= 5 else largest)
        image.load()
        for picture in finished:
            picture.save(io.BytesIO(), "JPEG", quality=80, subsampling="4:2:0", optimize=True)
        return renditions

    return work


if __name__ == "__main__":
    main()
