"""Colour: any mode and profile Pillow reads, to 8-bit sRGB.

Renditions carry no ICC profile (it would be bytes in every thumbnail), so the pixels themselves
have to be sRGB, which is what a browser takes an untagged image for (CSS Color 4, 5.1).
"""

from __future__ import annotations

import io
import math
from functools import lru_cache
from typing import cast

from PIL import Image, ImageChops, ImageCms

SRGB = ImageCms.createProfile("sRGB")
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))

# Pillow filters these directly; palette indexes, bilevel and 16-bit pixels are converted before.
FILTERED_MODES = frozenset({"L", "RGB", "RGBA", "CMYK"})


def can_be_filtered(image: Image.Image) -> bool:
    """Tell whether the pixels can be resized before they are converted, which is far cheaper."""
    # A colour key (PNG tRNS) is transparency by exact value, which any filter destroys.
    keyed = image.mode != "RGBA" and image.has_transparency_data
    return image.mode in FILTERED_MODES and not keyed


def to_srgb(image: Image.Image, profile: bytes | None, *, consume: bool = False) -> Image.Image:
    """Return the picture in sRGB: mode RGBA if it has transparency, RGB otherwise.

    `profile` is the embedded ICC profile. One that is broken, or is made for another kind of
    pixels, is passed over: the pixels are then taken for sRGB, as browsers do. With `consume` the
    picture given may be changed, which saves a copy of it.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        alpha = _keyed(image)
        image = _to_8_bits(image)
        if alpha is not None:
            image.putalpha(alpha)
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode == "LAB":
        return _apply_profile(image, LAB.tobytes())
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A")
        rgb = _apply_profile(rgba.convert("RGB"), profile, consume=True)
        rgb.putalpha(alpha)
        return rgb
    if image.mode not in FILTERED_MODES:
        image, consume = image.convert("RGB"), True
    return _apply_profile(image, profile, consume=consume)


def _keyed(image: Image.Image) -> Image.Image | None:
    """Return the alpha of grey of 16 bits in which one value is transparent (PNG tRNS)."""
    key = image.info.pop("transparency", None)
    if key is None or image.mode != "I;16":
        return None
    # The low and the high byte, as if they were two channels.
    low, high = Image.frombytes("LA", image.size, image.tobytes()).split()
    return ImageChops.lighter(
        low.point([255 * (value != key & 255) for value in range(256)]),
        high.point([255 * (value != key >> 8) for value in range(256)]),
    )


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Return grey of 16 bits, 32 bits or floating point as mode L, white at the type's largest."""
    if image.mode.startswith("I;16"):
        # Plain convert("L") clips at 255 instead: nearly all turns white.
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    # TIFF: whole numbers of 16 bits signed or of 32, and shares from 0 to 1, in practice.
    (low, high) = cast("tuple[float, float]", image.getextrema())
    white = 1.0 if image.mode == "F" and high <= 1 else 255.0 if high <= 255 else 65_535.0
    if not (math.isfinite(low) and math.isfinite(high)):
        white = 1.0
    if high > white:
        white = float(high)
    scale = 255 / white
    return image.convert("F").point(lambda value: value * scale).convert("L")


def _apply_profile(
    image: Image.Image, profile: bytes | None, *, consume: bool = False
) -> Image.Image:
    if profile:
        transform = _transform(profile, image.mode)
        if transform is not None:
            if consume and image.mode == "RGB":
                ImageCms.applyTransform(image, transform, inPlace=True)
                return image
            converted = ImageCms.applyTransform(image, transform)
            if converted is not None:
                return converted
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform to sRGB; None where the pixels are to be taken for sRGB already.

    Making one costs more than applying it to a small picture, and a function sees the same few
    profiles again and again.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        description = ImageCms.getProfileDescription(source).strip().lower()
        if mode == "RGB" and description.startswith("srgb"):
            return None
        return ImageCms.buildTransform(
            source, SRGB, mode, "RGB", renderingIntent=ImageCms.Intent.PERCEPTUAL
        )
    except (OSError, ImageCms.PyCMSError):
        return None
