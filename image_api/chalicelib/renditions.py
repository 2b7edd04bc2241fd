"""Renditions: bytes of an upload in, bytes of every rendition out. Pure, and deterministic.

The work is ordered by cost. The file is decoded once, a JPEG at the smallest scale that serves the
widest rendition; that rendition is resized from the decoded pixels and every other from the next
wider one; colour and orientation are put right on the small picture, not on the large one.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from . import watermark
from .colour import can_be_filtered, to_srgb
from .formats import (
    Header,
    draft,
    open_image,
    orientation,
    refusing_decoder_errors,
    rendition_size,
    sniff,
    source_size,
    upright_size,
)
from .presets import BACKGROUND, JPEG_QUALITY, Preset
from .resizing import resize

if TYPE_CHECKING:
    from collections.abc import Sequence

MEDIA_TYPE = "image/jpeg"

# Exif 2.32, 4.6.4 A: how the stored rows and columns become the picture as seen.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Rendition:
    """One rendition of an image: a JPEG of `width` × `height` pixels, without metadata."""

    preset: str
    width: int
    height: int
    data: bytes


def render(
    data: bytes, presets: Sequence[Preset], *, watermarked: bool = True
) -> tuple[Header, tuple[Rendition, ...]]:
    """Decode an upload and make the rendition of each preset, in the order given.

    Returns what the header says as well. Equal bytes give equal renditions. Raises Empty, TooLarge,
    UnsupportedFormat, TooManyPixels or CorruptImage.
    """
    image = open_image(data)
    header = Header(sniff(data), *upright_size(image))
    full_size = (header.width, header.height)
    sizes = {preset.name: rendition_size(full_size, preset.width) for preset in presets}
    descending = sorted(set(sizes.values()), reverse=True)
    picture = _decode(image, descending[0])
    encoded: dict[tuple[int, int], bytes] = {}
    for size in descending:
        picture = resize(picture, size)
        finished = _flatten(picture)
        encoded[size] = _encode(watermark.apply(finished) if watermarked else finished)
    return header, tuple(
        Rendition(preset.name, *sizes[preset.name], encoded[sizes[preset.name]])
        for preset in presets
    )


def _decode(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Decode to `size` (upright): the picture in sRGB, upright, mode RGB or RGBA, no metadata."""
    turn = UPRIGHT.get(orientation(image))
    profile = image.info.get("icc_profile")
    stored_size = source_size(image, size)
    box = draft(image, stored_size)
    with refusing_decoder_errors():
        image.load()
    if can_be_filtered(image):
        picture = to_srgb(resize(image, stored_size, box), profile)
    else:
        picture = resize(to_srgb(image, profile), stored_size)
    if turn is not None:
        picture = picture.transpose(turn)
    # Pillow carries comments, profiles and timestamps along in `info`, and writes them again.
    picture.info = {}
    return picture


def _flatten(picture: Image.Image) -> Image.Image:
    """Lay a picture with transparency on the background; return others as they are."""
    if picture.mode != "RGBA":
        return picture
    flat = Image.new("RGB", picture.size, BACKGROUND)
    flat.paste(picture, mask=picture)
    return flat


def _encode(picture: Image.Image) -> bytes:
    output = io.BytesIO()
    picture.save(output, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0", optimize=True)
    return output.getvalue()
