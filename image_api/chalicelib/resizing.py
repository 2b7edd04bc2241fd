"""Resizing: the one place that filters pixels, by Lanczos with three lobes.

On x86-64 the Rust crate fast_image_resize does it with SIMD, in the package cykooz-resizer, which
writes into Pillow's memory: both are pinned together, and a test holds them equal. Elsewhere
there are no wheels of it, and Pillow's own resize gives the same picture, slower.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image

try:
    from cykooz_resizer import (  # type: ignore[import-untyped]
        AlphaMulDiv,
        CropBox,
        FilterType,
        ResizeAlg,
        ResizeOptions,
        Resizer,
    )
except ImportError:  # pragma: no cover  # arm64
    ACCELERATED = False
else:
    ACCELERATED = True
    LANCZOS = ResizeAlg.convolution(FilterType.lanczos3)

if TYPE_CHECKING:
    from .geometry import Box, Size

# Modes whose layout in memory the resizer knows.
ACCELERATED_MODES = frozenset({"CMYK", "L", "RGB", "RGBA"})


def resize(
    image: Image.Image, size: Size, box: Box | None = None, *, consume: bool = False
) -> Image.Image:
    """Return the picture, or the `box` of it, at `size` (width, height) pixels.

    Transparent pixels do not bleed: colours are multiplied by their alpha before they are filtered.
    With `consume` that happens in the picture given, which is then of no use any more: for a large
    one this saves a copy of it.
    """
    whole: Box = (0, 0, *image.size)
    if box == whole:
        box = None
    if box is None and image.size == size:
        return image
    if not ACCELERATED or image.mode not in ACCELERATED_MODES:
        return image.resize(size, Image.Resampling.LANCZOS, box=box)
    if consume and image.mode == "RGBA":
        # The mode becomes RGBa; the resizer then divides by alpha again in the picture it makes.
        AlphaMulDiv().multiply_alpha_pil_inplace(image)
    crop = _crop_box(box, image.size) if box else None
    # Every pixel will be written, so none is set before.
    resized = Image.new("RGBA" if image.mode == "RGBa" else image.mode, size, None)
    Resizer().resize_pil(image, resized, ResizeOptions(LANCZOS, crop_box=crop))
    return resized


def _crop_box(box: Box, size: Size) -> CropBox:
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    # Nothing may lie outside the picture by as little as the rounding of these subtractions.
    if left + width > size[0]:
        width = math.nextafter(size[0] - left, 0)
    if top + height > size[1]:
        height = math.nextafter(size[1] - top, 0)
    return CropBox(left, top, width, height)
