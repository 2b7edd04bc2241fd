"""The watermark: a picture or a text, laid over a rendition.

The picture the project brings, `watermark.png`, is its own; `image_api/draw_watermark.py` draws it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter

from .geometry import offset
from .resizing import resize

if TYPE_CHECKING:
    from .geometry import Size
    from .presets import Watermark

FOLDER = Path(__file__).parent
# A narrower mark is a smudge: small pictures go without.
MIN_WIDTH = 24
# The size a text is drawn at before it is resized, in pixels.
TEXT_SIZE = 96


@lru_cache(maxsize=4)
def drawn(style: Watermark) -> Image.Image:
    """Return the mark as it is drawn: RGBA, opaque."""
    if style.image is None:
        return _written(style.text or "", style.colour)
    with Image.open(FOLDER / style.image) as file:
        return file.convert("RGBA")


def _written(text: str, colour: tuple[int, int, int]) -> Image.Image:
    """Return a text with a soft dark edge, readable on bright and on dark pictures alike."""
    from PIL import ImageFont  # Pillow brings a font of its own, which only texts have to load

    font = ImageFont.load_default(TEXT_SIZE)
    edge = TEXT_SIZE // 16
    left, top, right, bottom = font.getbbox(text, stroke_width=edge)
    size = max(1, round(right - left) + 4 * edge), max(1, round(bottom - top) + 4 * edge)
    at = 2 * edge - left, 2 * edge - top
    shadow = Image.new("L", size, 0)
    ImageDraw.Draw(shadow).text(at, text, fill=150, font=font, stroke_width=edge)
    mark = Image.new("RGBA", size, (0, 0, 0, 0))
    mark.putalpha(shadow.filter(ImageFilter.GaussianBlur(edge / 2)))
    shape = Image.new("L", size, 0)
    ImageDraw.Draw(shape).text(at, text, fill=255, font=font)
    written = Image.new("RGBA", size, (*colour, 0))
    written.putalpha(shape)
    return Image.alpha_composite(mark, written)


@lru_cache(maxsize=16)
def _mark(style: Watermark, width: int) -> Image.Image:
    """Return the mark at that width, with the opacity in its alpha channel."""
    whole = drawn(style)
    mark = resize(whole, (width, max(1, round(whole.height * width / whole.width)))).copy()
    # Faded last: the filter overshoots at edges, and would go beyond the opacity.
    mark.putalpha(mark.getchannel("A").point(lambda alpha: round(alpha * style.opacity)))
    return mark


def forget() -> None:
    """Forget the marks made so far, as a new process has."""
    drawn.cache_clear()
    _mark.cache_clear()


def places(style: Watermark, size: Size) -> tuple[tuple[int, int, int, int], ...]:
    """Return the boxes (left, top, right, bottom) of the marks on a picture of `size`, in pixels.

    There is one, or a grid of them where the style is tiled. None is cut off; there are none where
    the picture is too small for a mark and its margins.
    """
    width = round(size[0] * style.scale)
    margin = round(size[0] * style.margin)
    if width < MIN_WIDTH:
        return ()
    mark = _mark(style, width).size
    inner = size[0] - 2 * margin, size[1] - 2 * margin
    if mark[0] > inner[0] or mark[1] > inner[1]:
        return ()
    step = mark[0] + max(1, margin), mark[1] + max(1, margin)
    columns, rows = (1, 1)
    if style.tile:
        columns = 1 + (inner[0] - mark[0]) // step[0]
        rows = 1 + (inner[1] - mark[1]) // step[1]
    grid = mark[0] + (columns - 1) * step[0], mark[1] + (rows - 1) * step[1]
    left, top = offset(inner, grid, style.position)
    return tuple(
        (x, y, x + mark[0], y + mark[1])
        for y in range(margin + top, margin + top + grid[1], step[1])
        for x in range(margin + left, margin + left + grid[0], step[0])
    )


def apply(image: Image.Image, style: Watermark) -> Image.Image:
    """Return a copy of an RGB or RGBA picture with the mark on it.

    On RGBA the mark is composited "over" (Porter and Duff, 1984), so it stays visible where the
    picture is transparent and adds no fringe where it is not.
    """
    marked = image.copy()
    for box in places(style, image.size):
        mark = _mark(style, box[2] - box[0])
        if image.mode == "RGBA":
            marked.alpha_composite(mark, box[:2])
        else:
            marked.paste(mark, box, mask=mark)
    return marked
