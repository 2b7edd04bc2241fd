"""The watermark: `watermark.png`, laid over the bottom right of a rendition.

The mark is the project's own; `image_api/draw_watermark.py` draws it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import Image

from .presets import WATERMARK
from .resizing import resize

FILE = Path(__file__).with_name("watermark.png")
# A narrower mark is a smudge: small pictures go without.
MIN_WIDTH = 24


@lru_cache(maxsize=16)
def _mark(width: int) -> Image.Image:
    """Return the mark at that width, RGBA, with the opacity in its alpha channel."""
    with Image.open(FILE, formats=("PNG",)) as drawn:
        full = drawn.convert("RGBA")
    mark = resize(full, (width, max(1, round(full.height * width / full.width))))
    mark.putalpha(mark.getchannel("A").point(lambda alpha: round(alpha * WATERMARK.opacity)))
    return mark


def place(size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return the box (left, top, right, bottom) of the mark on a picture of `size`, in pixels.

    None where the picture is too small for it.
    """
    width = round(size[0] * WATERMARK.width)
    if width < MIN_WIDTH:
        return None
    margin = round(size[0] * WATERMARK.margin)
    height = _mark(width).height
    left, top = size[0] - margin - width, size[1] - margin - height
    return (left, top, left + width, top + height) if top >= 0 else None


def apply(image: Image.Image) -> Image.Image:
    """Return a copy of an RGB or RGBA picture with the mark on it.

    On RGBA the mark is composited "over" (Porter and Duff, 1984), so it stays visible where the
    picture is transparent and adds no fringe where it is not.
    """
    box = place(image.size)
    marked = image.copy()
    if box is None:
        return marked
    mark = _mark(box[2] - box[0])
    if image.mode == "RGBA":
        marked.alpha_composite(mark, box[:2])
    else:
        marked.paste(mark, box, mask=mark)
    return marked
