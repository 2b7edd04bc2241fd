"""Draws the watermark, `chalicelib/watermark.png`: a camera in white with a soft dark edge.

    python image_api/draw_watermark.py

It is drawn at four times its size and reduced, which smooths the edges. White on a dark edge stays
readable on bright and on dark pictures alike.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

SIZE = (384, 288)
SCALE = 4
FILE = Path(__file__).parent / "chalicelib" / "watermark.png"


def draw() -> Image.Image:
    """Return the mark: RGBA, 384 × 288 pixels."""
    large = (SIZE[0] * SCALE, SIZE[1] * SCALE)
    shape = Image.new("L", large, 0)
    pen = ImageDraw.Draw(shape)

    def scaled(*values: int) -> list[int]:
        return [value * SCALE for value in values]

    pen.rounded_rectangle(scaled(126, 36, 258, 110), radius=24 * SCALE, fill=255)
    pen.rounded_rectangle(scaled(24, 68, 360, 264), radius=40 * SCALE, fill=255)
    pen.ellipse(scaled(116, 90, 268, 242), fill=0)
    pen.ellipse(scaled(138, 112, 246, 220), fill=255)
    pen.ellipse(scaled(300, 92, 332, 124), fill=0)
    shape = shape.resize(SIZE, Image.Resampling.LANCZOS)
    edge = shape.filter(ImageFilter.MaxFilter(9)).filter(ImageFilter.GaussianBlur(4))
    mark = Image.merge("LA", (Image.new("L", SIZE, 0), edge.point(lambda value: value * 0.6)))
    white = Image.merge("LA", (Image.new("L", SIZE, 255), shape))
    return Image.alpha_composite(mark.convert("RGBA"), white.convert("RGBA"))


def main() -> None:
    """Write the file."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    draw().convert("LA").save(FILE, optimize=True)
    print(FILE)


if __name__ == "__main__":
    main()
