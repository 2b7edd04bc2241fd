"""Admission: whether an image fits in the function's memory, told from its header alone.

The figures were measured, as the peak of the whole process for each format and mode; a test holds
the prediction above what is measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import formats
from .geometry import place
from .refusals import TooManyPixels

if TYPE_CHECKING:
    from .formats import Header
    from .geometry import Box, Size
    from .presets import Presets

# Python, boto3, Pillow and its libraries, before the first image.
RUNTIME_BYTES = 100 * 2**20
# Bytes for each decoded pixel, at the moment there are most of them, for the costliest mode of the
# format. Pillow has 4 a pixel of any colour; the rest are a decoder's own planes and canvases, and
# the copies that conversions make (of 16-bit grey, of grey with alpha).
DECODED_BYTES = {
    formats.JPEG: 4.0,
    formats.PNG: 13.5,
    formats.GIF: 10.0,
    formats.WEBP: 18.0,
    formats.AVIF: 14.0,
    formats.HEIC: 20.5,
    formats.TIFF: 13.5,
    formats.BMP: 10.0,
}
# For each pixel of the largest rendition: the picture upright, in sRGB, with its mark, encoded.
RENDITION_BYTES = 14.0
# JPEG's decoder scales by these (libjpeg, scale_num / scale_denom).
JPEG_SCALES = (8, 4, 2)


def base_size(header: Header, presets: Presets) -> Size:
    """Return the size (upright) at which every rendition can be made from the picture."""
    placements = [place(header.size, preset) for preset in presets]
    scale = max(placement.scale for placement in placements)
    if scale >= 1:
        return header.size
    whole: Box = (0, 0, *header.size)
    for placement in placements:
        if placement.scale == scale and placement.box == whole:
            return placement.size
    return (
        max(1, round(header.width * scale)),
        max(1, round(header.height * scale)),
    )


def decoded_size(header: Header, base: Size) -> Size:
    """Return the size (upright) in which the decoder gives the picture: a JPEG may be smaller."""
    if header.format is formats.JPEG:
        ratio = min(header.width // base[0], header.height // base[1])
        for scale in JPEG_SCALES:
            if ratio >= scale:
                return -(-header.width // scale), -(-header.height // scale)
    return header.size


def is_animated(header: Header, presets: Presets) -> bool:
    """Tell whether an animation is kept one: it is within the budget of frames and pixels."""
    budget = presets.animation
    pixels = header.width * header.height * header.frames
    return (
        header.format in formats.ANIMATED
        and 1 < header.frames <= budget.max_frames
        and pixels <= budget.max_pixels
    )


def needed_bytes(header: Header, length: int, presets: Presets) -> int:
    """Predict the peak memory of the process that makes the renditions, in bytes.

    `length` is that of the file.
    """
    base = base_size(header, presets)
    decoded = decoded_size(header, base)
    largest = max(
        size[0] * size[1] for size in (base, *(place(header.size, each).size for each in presets))
    )
    frames = header.frames if is_animated(header, presets) else 1
    return int(
        RUNTIME_BYTES
        + 2 * length
        + header.samples
        + DECODED_BYTES[header.format] * decoded[0] * decoded[1]
        + RENDITION_BYTES * largest
        # All frames are held in two sizes while the smaller ones are made from the larger, and once
        # more with the watermark.
        + 12 * (frames - 1) * largest
    )


def admit(header: Header, length: int, presets: Presets, memory: int) -> None:
    """Raise TooManyPixels where the renditions need more than `memory` bytes."""
    needed = needed_bytes(header, length, presets)
    if needed > memory:
        frames = f" in {header.frames:,} frames" if header.frames > 1 else ""
        raise TooManyPixels(
            f"The image has {header.width:,} × {header.height:,} pixels{frames}; decoding it takes "
            f"about {needed // 2**20:,} MiB, and there are {memory // 2**20:,}."
        )


def inspect(data: bytes, presets: Presets, memory: int) -> Header:
    """Read the header and check that the file is whole and its renditions fit in `memory` bytes.

    Raises Empty, TooLarge, UnsupportedFormat, TooManyPixels or CorruptImage.
    """
    header = formats.read_header(data)
    admit(header, len(data), presets, memory)
    return header
