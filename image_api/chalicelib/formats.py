"""Source formats: recognising them, reading their headers, and opening them safely.

Pillow decides what to decode by trying its plug-ins. Here the first bytes decide instead, and only
that one plug-in is imported and tried, so no other decoder ever sees a stranger's bytes.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from . import headers
from .refusals import CorruptImage, Empty, TooLarge, TooManyPixels, UnsupportedFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL import Image

    from .headers import Layout

MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 120_000_000
# The longest side libjpeg reads (JPEG_MAX_DIMENSION); the other formats are held to it too.
MAX_SOURCE_SIDE = 65_500


@dataclass(frozen=True)
class Format:
    """A source format: Pillow's name for it, its plug-in's module and its media type (IANA)."""

    pillow: str
    plugin: str
    media_type: str
    read: Callable[[bytes], Layout]


JPEG = Format("JPEG", "PIL.JpegImagePlugin", "image/jpeg", headers.read_jpeg)
PNG = Format("PNG", "PIL.PngImagePlugin", "image/png", headers.read_png)
GIF = Format("GIF", "PIL.GifImagePlugin", "image/gif", headers.read_gif)
WEBP = Format("WEBP", "PIL.WebPImagePlugin", "image/webp", headers.read_webp)
AVIF = Format("AVIF", "PIL.AvifImagePlugin", "image/avif", headers.read_isobmff)
TIFF = Format("TIFF", "PIL.TiffImagePlugin", "image/tiff", headers.read_tiff)
BMP = Format("BMP", "PIL.BmpImagePlugin", "image/bmp", headers.read_bmp)
# An extra: it needs pillow-heif in the package. docs/renditions.md tells how.
HEIC = Format("HEIF", "pillow_heif.HeifImagePlugin", "image/heic", headers.read_isobmff)
FORMATS = (JPEG, PNG, GIF, WEBP, AVIF, TIFF, BMP, HEIC)
# Only these animate: Pillow's AVIF and PNG plug-ins would, but browsers show those as stills too.
ANIMATED = (GIF, WEBP)

# Major brands of the files ISO/IEC 23008-12 (HEIF) and AV1 Image File Format, 6, define.
AVIF_BRANDS = frozenset({b"avif", b"avis"})
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})

# What Pillow's decoders let through for odd files: not OSError alone. MemoryError is not among
# them, for it says something about the function, not about the file.
DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class Header:
    """What the header says: the format, and the size in pixels of the picture as it is seen.

    `samples` is how many bytes the decoder needs besides the pixels.
    """

    format: Format
    width: int
    height: int
    frames: int = 1
    orientation: int = 1
    samples: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """The (width, height) of the upright picture."""
        return self.width, self.height

    def stored(self, upright: tuple[int, int]) -> tuple[int, int]:
        """Return an upright size as it lies in the file, before the orientation is applied."""
        return upright[::-1] if self.orientation >= 5 else upright


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
    if data[4:8] == b"ftyp":
        brands = _brands(data)
        # Both kinds may name mif1; only AVIF names itself, and it is what everyone can read.
        if brands & AVIF_BRANDS:
            return AVIF
        if brands & HEIC_BRANDS:
            return HEIC
    # The last is BigTIFF; Pillow reads it in this byte order only.
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0")):
        return TIFF
    if data.startswith(b"BM"):
        return BMP
    raise UnsupportedFormat("The upload is not a JPEG, PNG, GIF, WebP, AVIF, TIFF or BMP image.")


def _brands(data: bytes) -> set[bytes]:
    """Return the brands a `ftyp` box names: the major one, and those it is compatible with."""
    length = min(int.from_bytes(data[:4], "big"), 256)
    return {data[at : at + 4] for at in (8, *range(16, length - 3, 4))}


def read_header(data: bytes) -> Header:
    """Read what the header tells, without decoding anything, and check that the file is whole.

    This costs a millisecond and imports no decoder, so it can be done before anything is stored.
    Raises Empty, TooLarge, UnsupportedFormat, TooManyPixels or CorruptImage. Damage further on
    shows only when decoding.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"The image has {len(data):,} bytes; the limit is {MAX_BYTES:,}.")
    found = sniff(data)
    try:
        layout = found.read(data)
    except headers.Broken as error:
        raise CorruptImage("The image is damaged: its header is, or it breaks off.") from error
    check_size(layout.width, layout.height)
    size = layout.width, layout.height
    width, height = size[::-1] if layout.orientation >= 5 else size
    return Header(found, width, height, layout.frames, layout.orientation, layout.samples)


def check_size(width: int, height: int) -> None:
    """Raise TooManyPixels over the limits for any source, and CorruptImage for a side of none."""
    if min(width, height) < 1:
        raise CorruptImage(f"The image is damaged: it has {width} × {height} pixels.")
    if width * height > MAX_PIXELS:
        raise TooManyPixels(
            f"The image has {width:,} × {height:,} pixels; the limit is {MAX_PIXELS:,}."
        )
    if max(width, height) > MAX_SOURCE_SIDE:
        raise TooManyPixels(
            f"The image is {max(width, height):,} pixels long; the limit is {MAX_SOURCE_SIDE:,}."
        )


@contextmanager
def refusing_decoder_errors() -> Iterator[None]:
    """Turn what Pillow raises and warns while it reads a file into refusals."""
    from PIL import Image

    with warnings.catch_warnings():
        # Pillow warns of oddities it copes with. The one warning that matters is the one about
        # images over MAX_IMAGE_PIXELS, which it only refuses from twice that size.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise TooManyPixels(f"The image has more than {MAX_PIXELS:,} pixels.") from error
        except (CorruptImage, TooManyPixels):
            raise
        except DECODER_ERRORS as error:
            raise CorruptImage("The image is damaged: it cannot be decoded.") from error


def open_image(data: bytes, header: Header) -> Image.Image:
    """Open `data`, whose header was read; the pixels are not decoded yet.

    Raises TooManyPixels, CorruptImage or UnsupportedFormat: HEIC without its extra, and kinds of
    TIFF and BMP that Pillow does not know.
    """
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        # Importing a plug-in registers it. Left to itself, Pillow imports all of its 45.
        import_module(header.format.plugin)
    except ImportError as error:
        raise UnsupportedFormat("HEIC images are not taken here.") from error
    if header.format is PNG:
        data = headers.without_metadata(data)
    try:
        with refusing_decoder_errors():
            image = Image.open(io.BytesIO(data), formats=(header.format.pillow,))
    except CorruptImage as error:
        if header.format not in (TIFF, BMP):
            raise
        # The structure was found whole, and the pixels are not looked at yet: what the plug-in
        # does not know is how they are laid out (32-bit colour, bit fields of 4, JPEG in a BMP).
        raise UnsupportedFormat(
            f"The image is a {header.format.pillow} of a kind that is not taken."
        ) from error
    check_size(*image.size)
    if header.format is PNG:
        _scale_colour_key(image, data)
    return image


def _scale_colour_key(image: Image.Image, data: bytes) -> None:
    """Scale the transparent grey of a PNG as Pillow scales its pixels, which it forgets to do."""
    depth, colour = data[24], data[25]  # of IHDR, which comes first
    if colour == 0 and depth in (2, 4) and "transparency" in image.info:
        image.info["transparency"] *= 255 // (2**depth - 1)


def orientation(image: Image.Image, header: Header) -> int:
    """Return the Exif orientation, 1 to 8, in which the decoder gives the picture.

    AVIF and HEIC turn and mirror by boxes of their own. Pillow reads those, and gives them as an
    orientation, or has followed them.
    """
    if header.format not in (AVIF, HEIC):
        return header.orientation
    exif: bytes = image.info.get("exif") or b""
    return headers.exif_orientation(exif.removeprefix(b"Exif\0\0"))
