"""A worker (see `benchmarks.worker`): the same renditions by libvips, tuned by hand.

One decode with JPEG's shrink-on-load, a pyramid of widths, colour and orientation on the small
picture: all that makes this project's pipeline fast, on libvips.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

# Before the import: libvips reads it once.
os.environ["VIPS_CONCURRENCY"] = "1"

import pyvips

SAVE: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": (".jpg", {"Q": 80, "optimize_coding": True, "keep": 0, "subsample_mode": "on"}),
    "webp": (".webp", {"Q": 80, "effort": 4, "keep": 0}),
}


def main() -> None:
    """Render once for each line of standard input; with "output" in the task, write the files."""
    task = json.loads(sys.argv[1])
    data = Path(task["source"]).read_bytes()
    pyvips.cache_set_max(0)
    for _line in sys.stdin:
        before = resource.getrusage(resource.RUSAGE_SELF)
        renditions = _render(data, task)
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(json.dumps({"cpu": cpu, "renditions": renditions}), flush=True)


def _render(data: bytes, task: dict[str, Any]) -> list[dict[str, Any]]:
    header = pyvips.Image.new_from_buffer(data, "", access="sequential")
    orientation = header.get("orientation") if header.get_typeof("orientation") else 1
    turned = orientation >= 5
    full = (header.height, header.width) if turned else (header.width, header.height)
    widths = sorted({min(width, full[0]) for width in task["widths"]}, reverse=True)
    picture = _decoded(data, header, full[0] / widths[0])
    height = round(full[1] * widths[0] / full[0])
    stored = (height, widths[0]) if turned else (widths[0], height)
    picture = _resized(picture, *stored)
    if picture.get_typeof("icc-profile-data"):
        picture = picture.icc_transform("srgb", embedded=True, intent="perceptual")
    if orientation != 1:
        picture = picture.copy_memory().autorot()
    picture = picture.copy_memory()
    files: dict[tuple[int, str], bytes] = {}
    for width in widths:
        picture = _resized(picture, width, round(full[1] * width / full[0])).copy_memory()
        finished = _marked(picture, task["watermark"]) if task["watermark"] else picture
        for name in task["formats"]:
            files[width, name] = _encoded(finished, name)
    renditions = []
    for asked in task["widths"]:
        for name in task["formats"]:
            width = min(asked, full[0])
            file = files[width, name]
            size = [width, round(full[1] * width / full[0])]
            renditions.append({"size": size, "bytes": len(file)})
    return renditions


def _decoded(data: bytes, header: pyvips.Image, scale: float) -> pyvips.Image:
    shrink = next((each for each in (8, 4, 2) if scale >= each), 1)
    if shrink == 1 or not header.get("vips-loader").startswith("jpeg"):
        return header
    return pyvips.Image.jpegload_buffer(data, shrink=shrink, access="sequential")


def _resized(picture: pyvips.Image, width: int, height: int) -> pyvips.Image:
    if (picture.width, picture.height) == (width, height):
        return picture
    scale, vscale = width / picture.width, height / picture.height
    if not picture.hasalpha():
        return picture.resize(scale, vscale=vscale, kernel="lanczos3")
    kind = picture.format
    return (
        picture.premultiply()
        .resize(scale, vscale=vscale, kernel="lanczos3")
        .unpremultiply()
        .cast(kind)
    )


def _marked(picture: pyvips.Image, path: str) -> pyvips.Image:
    mark = pyvips.Image.new_from_file(path).thumbnail_image(round(picture.width * 0.16))
    margin = round(picture.width * 0.02)
    left = picture.width - mark.width - margin
    top = picture.height - mark.height - margin
    return picture.composite2(mark, "over", x=left, y=top).flatten().copy_memory()


def _encoded(picture: pyvips.Image, name: str) -> bytes:
    suffix, options = SAVE[name]
    if name == "jpeg" and picture.hasalpha():
        picture = picture.flatten(background=[255, 255, 255])
    file: bytes = picture.write_to_buffer(suffix, **options)
    return file


if __name__ == "__main__":
    main()
