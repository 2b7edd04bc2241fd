"""Colour: any mode and profile Pillow reads, to 8-bit sRGB.

Renditions carry no ICC profile (it would be bytes in every thumbnail), so the pixels themselves
have to be sRGB, which is what a browser takes an untagged image for (CSS Color 4, 5.1).
"""

from __future__ import annotations

import io

from PIL import Image, ImageCms

SRGB = ImageCms.createProfile("sRGB")

# Pillow filters these directly; palette indexes, bilevel and 16-bit pixels are converted before.
FILTERED_MODES = frozenset({"L", "RGB", "RGBA", "CMYK"})


def can_be_filtered(image: Image.Image) -> bool:
    """Tell whether the pixels can be resized before they are converted, which is far cheaper."""
    # A colour key (PNG tRNS) is transparency by exact value, which any filter destroys.
    keyed = image.mode != "RGBA" and image.has_transparency_data
    return image.mode in FILTERED_MODES and not keyed


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the picture in sRGB: mode RGBA if it has transparency, RGB otherwise.

    `profile` is the embedded ICC profile. One that is broken, or is made for another kind of
    pixels, is passed over: the pixels are then taken for sRGB, as browsers do.
    """
    if image.mode.startswith("I"):
        # 0..65535 to 0..255. Plain convert("L") clips at 255 instead: nearly all turns white.
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A")
        rgb = _apply_profile(rgba.convert("RGB"), profile)
        rgb.putalpha(alpha)
        return rgb
    if image.mode not in FILTERED_MODES:
        image = image.convert("RGB")
    return _apply_profile(image, profile)


def _apply_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if not _is_srgb(image, source):
                converted = ImageCms.profileToProfile(
                    image,
                    source,
                    SRGB,
                    renderingIntent=ImageCms.Intent.PERCEPTUAL,
                    outputMode="RGB",
                )
                if converted is not None:
                    return converted
        except (OSError, ImageCms.PyCMSError):
            pass
    return image.convert("RGB")


def _is_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> bool:
    description = ImageCms.getProfileDescription(profile)
    return image.mode == "RGB" and description.strip().lower().startswith("srgb")
