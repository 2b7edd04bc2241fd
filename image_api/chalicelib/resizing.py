"""Resizing: the one place that filters pixels."""

from __future__ import annotations

from PIL import Image


def resize(
    image: Image.Image,
    size: tuple[int, int],
    box: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    """Return the picture, or the `box` of it, at `size` (width, height) pixels by Lanczos.

    Transparent pixels do not bleed: Pillow multiplies RGBA by its alpha before it filters.
    """
    if image.size == size and box in (None, (0, 0, *size)):
        return image
    return image.resize(size, Image.Resampling.LANCZOS, box=box)
