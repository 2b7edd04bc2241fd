"""The files the image benchmarks work on: mosaics of photographs, as cameras write them.

The photographs are those of `photographs`, at the size of their pixels; where they have not been
fetched, one made by `photograph`. Equal arguments, equal bytes.
"""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageCms

from benchmarks import photographs
from benchmarks.photograph import ORIENTATION, photograph
from image_api.chalicelib.presets import PRESETS
from image_api.chalicelib.watermark import drawn

# What is cut out of each photograph, away from its edges, as (left, top, right, bottom).
CROP = (600, 100, 4600, 3100)
# Making a picture pixel by pixel takes a second a megapixel.
MADE = (2000, 1500)
# Of 0.2 to 0.4 bytes a pixel, as cameras and telephones use it.
QUALITY = 93


@lru_cache(maxsize=1)
def _tiles() -> tuple[Image.Image, ...]:
    tiles = []
    for path in photographs.fetched():
        with Image.open(path) as image:
            tiles.append(image.convert("RGB").crop(CROP))
    return tuple(tiles) or (_made_tile(),)


@lru_cache(maxsize=1)
def _made_tile() -> Image.Image:
    with Image.open(io.BytesIO(photograph(*MADE))) as image:
        return image.convert("RGB")


def picture(width: int, height: int) -> Image.Image:
    """Return a picture of that size, RGB, without metadata."""
    return _mosaic(width, height, _tiles())


def _mosaic(width: int, height: int, tiles: tuple[Image.Image, ...]) -> Image.Image:
    mosaic = Image.new("RGB", (width, height))
    across, down = tiles[0].size
    for column, left in enumerate(range(0, width, across)):
        for row, top in enumerate(range(0, height, down)):
            tile = tiles[(column + row) % len(tiles)]
            # Turned in turns, so that no row repeats itself.
            mosaic.paste(tile.rotate(180 * (column % 2)), (left, top))
    return mosaic


def jpeg(
    width: int,
    height: int,
    *,
    orientation: int = 1,
    progressive: bool = False,
    profile: bytes = b"",
) -> bytes:
    """Return a JPEG as a camera writes it: `width` × `height` pixels as stored."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    output = io.BytesIO()
    picture(width, height).save(
        output, "JPEG", quality=QUALITY, exif=exif, progressive=progressive, icc_profile=profile
    )
    return output.getvalue()


def png(width: int, height: int) -> bytes:
    """Return a PNG whose alpha channel runs from clear at the top to opaque at the bottom.

    Not of photographs: 48 megapixels of those take 90 MB as a PNG, more than is taken.
    """
    image = _mosaic(width, height, (_made_tile(),))
    image.putalpha(Image.linear_gradient("L").resize((width, height)))
    output = io.BytesIO()
    image.save(output, "PNG")
    return output.getvalue()


def animation(kind: str) -> bytes:
    """Return 30 frames of 640 × 480 pixels in which the camera moves: a GIF or a WebP."""
    scene = _tiles()[0].resize((800, 600), Image.Resampling.LANCZOS)
    frames = [scene.crop((4 * n, 3 * n, 4 * n + 640, 3 * n + 480)) for n in range(30)]
    if kind == "GIF":
        frames = [frame.quantize(256) for frame in frames]
    output = io.BytesIO()
    options = {"quality": 90, "method": 0} if kind == "WEBP" else {}
    frames[0].save(
        output, kind, save_all=True, append_images=frames[1:], duration=40, loop=0, **options
    )
    return output.getvalue()


def mark() -> bytes:
    """Return the project's watermark as a PNG with its opacity in it."""
    style = next(iter(PRESETS)).watermark
    if style is None:
        raise ValueError("The presets have no watermark to compare with.")
    image = drawn(style).copy()
    image.putalpha(image.getchannel("A").point(lambda alpha: round(alpha * style.opacity)))
    output = io.BytesIO()
    image.save(output, "PNG")
    return output.getvalue()


def display_p3() -> bytes:
    """Return the profile Display P3, made of sRGB's: other primaries, the same tone curve.

    The primaries are those of Apple's profile, adapted to D50 (ICC.1:2022, 9.2 and 10.31).
    """
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    for index in range(int.from_bytes(profile[128:132], "big")):
        entry = 132 + 12 * index
        tag = bytes(profile[entry : entry + 4])
        offset = int.from_bytes(profile[entry + 4 : entry + 8], "big")
        length = int.from_bytes(profile[entry + 8 : entry + 12], "big")
        if tag in primaries:
            values = [round(value * 65536) for value in primaries[tag]]
            profile[offset + 8 : offset + 20] = b"".join(
                value.to_bytes(4, "big", signed=True) for value in values
            )
        if tag == b"desc":
            # Whoever goes by the name must not take it for sRGB.
            text = profile[offset : offset + length]
            profile[offset : offset + length] = text.replace(
                "sRGB".encode("utf-16-be"), "P3  ".encode("utf-16-be")
            )
    return bytes(profile)
