"""Source formats: recognising them, the limits on them, and opening them safely.

Pillow decides what to decode by trying its plug-ins. Here the first bytes decide instead, and only
that one plug-in is tried, so no other decoder ever sees a stranger's bytes.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

# Importing the plug-ins registers them. Left to itself, Pillow imports all of its 45 on first need.
from PIL import GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from .refusals import CorruptImage, Empty, TooLarge, TooManyPixels, UnsupportedFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 120_000_000
# A JPEG is decoded smaller where that suffices, so more of its pixels fit in the same memory.
MAX_DECODED_PIXELS = 50_000_000
# The longest side libjpeg writes (JPEG_MAX_DIMENSION), and so the longest rendition.
MAX_SIDE = 65_500

Image.MAX_IMAGE_PIXELS = MAX_PIXELS

ORIENTATION = 0x0112  # Exif 2.32, 4.6.4 A


@dataclass(frozen=True)
class Format:
    """A source format: Pillow's name for it and its media type (IANA)."""

    pillow: str
    media_type: str


JPEG = Format(JpegImagePlugin.JpegImageFile.format, "image/jpeg")
PNG = Format(PngImagePlugin.PngImageFile.format, "image/png")
GIF = Format(GifImagePlugin.GifImageFile.format, "image/gif")
WEBP = Format(WebPImagePlugin.WebPImageFile.format, "image/webp")
FORMATS = (JPEG, PNG, GIF, WEBP)

# What Pillow's decoders let through for odd files: not OSError alone. MemoryError is not among
# them, for it says something about the function, not about the file.
DECODER_ERRORS = (
    ArithmeticError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class Header:
    """What the header says: the format, and the size in pixels of the picture as it is seen."""

    format: Format
    width: int
    height: int


def sniff(data: bytes) -> Format:
    """Name the format of `data` by its first bytes (WHATWG MIME Sniffing Standard, 6.1).

    Raises Empty for no bytes, and UnsupportedFormat.
    """
    if not data:
        raise Empty("The upload has no bytes.")
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if data[:4] == b"RIFF" and data[8:14] == b"WEBPVP":
        return WEBP
    raise UnsupportedFormat("The upload is not a JPEG, PNG, GIF or WebP image.")


@contextmanager
def refusing_decoder_errors() -> Iterator[None]:
    """Turn what Pillow raises and warns while it reads a file into refusals."""
    with warnings.catch_warnings():
        # Pillow warns of oddities it copes with. The one warning that matters is the one about
        # images over MAX_IMAGE_PIXELS, which it only refuses from twice that size.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise TooManyPixels(f"The image has more than {MAX_PIXELS:,} pixels.") from error
        except DECODER_ERRORS as error:
            raise CorruptImage("The image is damaged: it cannot be decoded.") from error


def open_image(data: bytes) -> Image.Image:
    """Open `data` and read its header; the pixels are not decoded yet.

    Returns the first frame of an animation. Raises Empty, TooLarge, UnsupportedFormat,
    TooManyPixels or CorruptImage.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"The image has {len(data):,} bytes; the limit is {MAX_BYTES:,}.")
    found = sniff(data)
    with refusing_decoder_errors():
        image = Image.open(io.BytesIO(data), formats=(found.pillow,))
    if max(image.size) > MAX_SIDE:
        raise TooManyPixels(
            f"The image is {max(image.size):,} pixels long; the limit is {MAX_SIDE:,}."
        )
    return image


def orientation(image: Image.Image) -> int:
    """Return the Exif orientation, 1 to 8; 1 where the file has none or a nonsensical one."""
    try:
        with refusing_decoder_errors():
            value = image.getexif().get(ORIENTATION)
    except CorruptImage:
        # Damaged metadata is common in photographs that are otherwise whole.
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return (width, height) as seen once the orientation is applied; 5 to 8 swap the sides."""
    width, height = image.size
    return (height, width) if orientation(image) >= 5 else (width, height)


def draft(image: Image.Image, size: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """Have a JPEG decoded at 1/2, 1/4 or 1/8 of its size, not below `size` (before orientation).

    Returns the box, in decoded pixels, that the whole picture covers: it can end within a pixel.
    Returns None for formats that have no such decoding. Raises TooManyPixels where what is left
    to decode is still over MAX_DECODED_PIXELS.
    """
    drafted = image.draft("RGB", size)
    if image.width * image.height > MAX_DECODED_PIXELS:
        raise TooManyPixels(
            f"The image needs {image.width:,} × {image.height:,} pixels decoded; "
            f"the limit for its format is {MAX_DECODED_PIXELS:,}."
        )
    return drafted[1] if drafted else None


def read_header(data: bytes, width: int) -> Header:
    """Check everything the header tells, for renditions of up to `width` pixels.

    This costs a millisecond, so it can be done before anything is stored. Raises Empty, TooLarge,
    UnsupportedFormat, TooManyPixels or CorruptImage. Damage further on shows only when decoding.
    """
    image = open_image(data)
    full_size = upright_size(image)
    draft(image, source_size(image, rendition_size(full_size, width)))
    return Header(sniff(data), *full_size)


def rendition_size(full_size: tuple[int, int], width: int) -> tuple[int, int]:
    """Return the (width, height) of a rendition at most `width` wide, in the same aspect ratio.

    Never larger than `full_size`, never less than one pixel.
    """
    full_width, full_height = full_size
    if width >= full_width:
        return full_size
    return width, max(1, round(full_height * width / full_width))


def source_size(image: Image.Image, upright: tuple[int, int]) -> tuple[int, int]:
    """Return an upright size as it lies in the file, before the orientation is applied."""
    return upright[::-1] if orientation(image) >= 5 else upright
