"""What is made of every upload: the one place to change it.

Names, keys and sizes follow from these values. A changed preset applies to uploads processed from
then on; renditions made earlier keep what their manifest says.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """One rendition: its name in URLs and its width in pixels.

    The height keeps the aspect ratio. An image narrower than `width` keeps its own width: it is
    never enlarged.
    """

    name: str
    width: int


PRESETS = (
    Preset("xlarge", 1920),
    Preset("large", 1280),
    Preset("medium", 640),
    Preset("small", 320),
)

# Every rendition is a baseline JPEG with 4:2:0 chroma, which every client decodes.
JPEG_QUALITY = 80
# What shows through transparent pixels, because JPEG has no alpha channel.
BACKGROUND = (255, 255, 255)


@dataclass(frozen=True)
class WatermarkStyle:
    """How the mark in `watermark.png` is laid over each rendition, at its bottom right.

    `width` and `margin` are shares of the rendition's width; `opacity` is 0 to 1.
    """

    width: float
    margin: float
    opacity: float


WATERMARK = WatermarkStyle(width=0.16, margin=0.02, opacity=0.55)
