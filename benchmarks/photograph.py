"""A picture that compresses and resizes as a photograph does, made from a seed.

Photographs have smooth gradients, texture at every scale (their power falls with the frequency)
and hard edges. Noise alone, or a plain gradient, would flatter or punish an encoder.
"""

from __future__ import annotations

import io
import random

from PIL import Image, ImageChops, ImageDraw

ORIENTATION = 0x0112  # Exif 2.32, 4.6.4 A
# (pixels across one grain, share of the contrast): coarse grains strong, fine grains faint.
OCTAVES = ((256, 0.40), (64, 0.22), (16, 0.09), (4, 0.05), (1, 0.03))


def photograph(width: int, height: int, *, orientation: int = 1, seed: int = 1) -> bytes:
    """Return a JPEG of `width` × `height` pixels as stored; equal arguments give equal bytes.

    `orientation` is written into its Exif data as it is: with 5 to 8 a viewer shows the picture
    turned, `height` pixels wide. Raises ValueError for an orientation outside 1 to 8.
    """
    if not 1 <= orientation <= 8:
        raise ValueError(f"An Exif orientation is 1 to 8, not {orientation}.")
    source = random.Random(seed)
    picture = _scene(width, height, source)
    texture = Image.new("L", (width, height), 128)
    for grain, contrast in OCTAVES:
        texture = _blend(texture, _noise(width, height, grain, source), contrast)
    picture = Image.merge(
        "RGB", [ImageChops.add(band, texture, offset=-128) for band in picture.split()]
    )
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    output = io.BytesIO()
    picture.save(output, "JPEG", quality=90, exif=exif)
    return output.getvalue()


def _scene(width: int, height: int, source: random.Random) -> Image.Image:
    """A sky, a ground and some shapes with hard edges, in colour."""
    horizon = height * 3 // 5
    sky = Image.linear_gradient("L").resize((width, height), Image.Resampling.BILINEAR)
    picture = Image.merge(
        "RGB",
        [
            sky.point(lambda value: 70 + value * 110 // 255),
            sky.point(lambda value: 110 + value * 80 // 255),
            sky.point(lambda value: 190 - value * 60 // 255),
        ],
    )
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, horizon, width, height), fill=(92, 104, 66))
    for _ in range(40):
        left, top = source.randrange(width), source.randrange(horizon // 2, height)
        across, down = source.randint(width // 60, width // 9), source.randint(0, height // 9)
        shade = source.randrange(40, 200)
        colour = (shade, max(0, shade - source.randrange(60)), max(0, shade - source.randrange(90)))
        box = (left, top, left + across, top + down)
        source.choice((pen.rectangle, pen.ellipse))(box, fill=colour)
    for _ in range(60):
        start = (source.randrange(width), source.randrange(height))
        end = (start[0] + source.randint(-width // 5, width // 5), source.randrange(height))
        pen.line((*start, *end), fill=(30, 30, 34), width=max(1, width // 700))
    return picture


def _noise(width: int, height: int, grain: int, source: random.Random) -> Image.Image:
    size = (-(-width // grain) + 1, -(-height // grain) + 1)
    grains = Image.frombytes("L", size, source.randbytes(size[0] * size[1]))
    if grain == 1:
        return grains.crop((0, 0, width, height))
    return grains.resize((width, height), Image.Resampling.BICUBIC)


def _blend(texture: Image.Image, noise: Image.Image, contrast: float) -> Image.Image:
    scaled = noise.point(lambda value: round((value - 128) * contrast) + 128)
    return ImageChops.add(texture, scaled, offset=-128)
