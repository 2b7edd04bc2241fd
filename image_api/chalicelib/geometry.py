"""Geometry: which part of a picture a rendition shows, and in how many pixels. Integers, no pixels.

Sizes are (width, height) in pixels of the upright picture. Boxes are (left, top, right, bottom) in
the same pixels and may end within one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .presets import MAX_SIDE

if TYPE_CHECKING:
    from .presets import Position, Preset

Size = tuple[int, int]
Box = tuple[float, float, float, float]

# Where a position lies between the left and the right, and between the top and the bottom.
SHARES: dict[Position, tuple[float, float]] = {
    "top-left": (0, 0),
    "top": (0.5, 0),
    "top-right": (1, 0),
    "left": (0, 0.5),
    "center": (0.5, 0.5),
    "right": (1, 0.5),
    "bottom-left": (0, 1),
    "bottom": (0.5, 1),
    "bottom-right": (1, 1),
}


@dataclass(frozen=True)
class Placement:
    """The `box` of a picture, shown in `size` pixels."""

    box: Box
    size: Size

    @property
    def scale(self) -> float:
        """Pixels of the rendition for one pixel of the picture, along the denser side."""
        return max(
            self.size[0] / (self.box[2] - self.box[0]), self.size[1] / (self.box[3] - self.box[1])
        )


def place(full: Size, preset: Preset) -> Placement:
    """Return what a rendition by `preset` shows of a picture of `full` size, and how large.

    No side is 0 or over MAX_SIDE. The aspect ratio is the box's, but for the rounding of one pixel.
    """
    if preset.fit == "contain":
        return Placement((0, 0, *full), _contain(full, preset))
    width, height = preset.width, preset.height or preset.width
    if preset.fit == "crop":
        cut = min(width, full[0]), min(height, full[1])
        left, top = offset(full, cut, preset.gravity)
        return Placement((left, top, left + cut[0], top + cut[1]), cut)
    return _cover(full, (width, height), preset)


def offset(outer: Size, inner: Size, position: Position) -> tuple[int, int]:
    """Return the (left, top) of an area of `inner` size lying at `position` in `outer`."""
    across, down = SHARES[position]
    return int((outer[0] - inner[0]) * across), int((outer[1] - inner[1]) * down)


def _contain(full: Size, preset: Preset) -> Size:
    # The bounds, and the picture's own size where it must not grow. The tighter one decides.
    limits = [(preset.width, preset.height or MAX_SIDE), (MAX_SIDE, MAX_SIDE)]
    if not preset.enlarge:
        limits.append(full)
    width = min(limit[0] for limit in limits)
    height = min(limit[1] for limit in limits)
    # Compared as products, so that no rounding decides which side is the tighter one.
    if width * full[1] <= height * full[0]:
        return width, max(1, _rounded(full[1] * width, full[0]))
    return max(1, _rounded(full[0] * height, full[1])), height


def _cover(full: Size, target: Size, preset: Preset) -> Placement:
    width, height = target
    if not preset.enlarge and (width > full[0] or height > full[1]):
        # The largest size of the same aspect ratio that the picture covers. Tried along the longer
        # side first, whose rounding shows least: so a size that came of it comes of it again.
        along_width = full[0], max(1, _rounded(height * full[0], width))
        along_height = max(1, _rounded(width * full[1], height)), full[1]
        if width >= height:
            width, height = along_width if along_width[1] <= full[1] else along_height
        else:
            width, height = along_height if along_height[0] <= full[0] else along_width
    # The largest box of that aspect ratio in the picture.
    if width * full[1] >= height * full[0]:
        box_width, box_height = float(full[0]), full[0] * height / width
    else:
        box_width, box_height = full[1] * width / height, float(full[1])
    across, down = SHARES[preset.gravity]
    left, top = (full[0] - box_width) * across, (full[1] - box_height) * down
    return Placement((left, top, left + box_width, top + box_height), (width, height))


def _rounded(dividend: int, divisor: int) -> int:
    """Return the quotient, rounded half up."""
    return (2 * dividend + divisor) // (2 * divisor)
