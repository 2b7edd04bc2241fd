"""Headers: size, frames and completeness of an image file, read without decoding anything.

Each reader takes the bytes of its format and returns a Layout. It looks at the structure alone
(markers, chunks, blocks, boxes), so it costs a millisecond, needs no decoder, and finds a file that
breaks off wherever the format tells where it ends. Damage within compressed data shows later.

Sources: JPEG is ITU-T T.81 annex B; PNG the W3C Recommendation (3rd edition) 5; GIF the GIF89a
specification; WebP RFC 9649; TIFF 6.0, section 2; BMP Windows' BITMAPINFOHEADER; AVIF and HEIC
ISO/IEC 14496-12 with 23008-12 (HEIF).
"""

from __future__ import annotations

import re
import struct
import sys
import zlib
from array import array
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

from .refusals import CorruptImage, UnsupportedFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ORIENTATION = 0x0112  # Exif 2.32, 4.6.4 A
# How many scans a JPEG may have. Encoders write about ten; a scan that adds nothing takes a few
# bytes, and as long as the first one to decode, so that a small file could keep a function busy for
# hours.
MAX_SCANS = 100
# Of how many segments, chunks or blocks a file may consist. Encoders write some thousands in the
# largest; a decoder takes microseconds for each, and an empty one has four bytes.
MAX_PARTS = 100_000
# How long an ICC profile in a PNG may be: Pillow inflates no more.
MAX_PROFILE = 2**20
# Baseline, sequential and progressive, by Huffman or arithmetic coding (T.81, table B.1). The rest
# is lossless or hierarchical; no browser shows it.
_CODINGS = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
# Within compressed data 0xFF is followed by these bytes only, and by others where it ends (T.81,
# B.1.1.2).
_END_OF_SCAN = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
# TIFF 6.0: NewSubfileType, ImageWidth, ImageLength, Compression, and of strips and of tiles where
# they begin and how long they are.
_TIFF_FIELDS = frozenset({254, 256, 257, 259, 273, 279, 324, 325, ORIENTATION})
# What Pillow's libtiff decodes: none, CCITT (three), LZW, JPEG old and new, Deflate (two),
# PackBits, LZMA, Zstandard.
_TIFF_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32946, 32773, 34925, 50000})
# The types BYTE, SHORT, LONG, IFD, (BigTIFF) LONG8 and the signed ones, as `array` and `struct`
# call them. Nothing that is read is negative, and some write the orientation in a signed type.
_WHOLE = {1: "B", 3: "H", 4: "I", 6: "B", 8: "H", 9: "I", 13: "I", 16: "Q"}
_NATIVE = "<" if sys.byteorder == "little" else ">"


@dataclass(frozen=True)
class Layout:
    """What the structure of a file tells; the size in pixels is as stored, before orientation.

    `samples` is how many bytes the decoder holds besides the picture: the coefficients of a JPEG
    that comes in several scans. `orientation` is Exif's, 1 to 8.
    """

    width: int
    height: int
    frames: int = 1
    orientation: int = 1
    samples: int = 0


class Broken(Exception):
    """The structure leads out of the file, or contradicts itself."""


def read_jpeg(data: bytes) -> Layout:
    """Read the markers of a JPEG up to its first scan, and look for its end."""
    layout: Layout | None = None
    components: list[tuple[int, int]] = []
    orientation, at, parts = 1, 2, _parts()
    while True:
        next(parts)
        marker, at = _next_marker(data, at)
        if 0xD0 <= marker <= 0xD8 or marker == 0x01:
            continue
        if marker == 0xD9:
            raise Broken
        (length,) = _unpack(">H", data, at)
        if length < 2 or at + length > len(data):
            raise Broken
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            precision, height, width, count = _unpack(">BHHB", data, at + 2)
            if precision != 8 or marker not in _CODINGS:
                raise UnsupportedFormat(
                    "The image is a JPEG of a kind that is not taken: of 12 bits, or lossless."
                )
            sampling = [_unpack(">BBB", data, at + 8 + 3 * each)[1] for each in range(count)]
            components = [(each >> 4, each & 15) for each in sampling]
            if not components or min(min(each) for each in components) < 1:
                raise Broken
            layout = Layout(width, height, samples=2 if marker in (0xC2, 0xCA) else 0)
        elif marker == 0xE1 and data[at + 2 : at + 8] == b"Exif\0\0":
            orientation = exif_orientation(data[at + 8 : at + length])
        elif marker == 0xDA:
            break
        at += length
    if layout is None or data.rfind(b"\xff\xd9", at) < 0:
        raise Broken
    scanned = data[at + 2] if at + 2 < len(data) else 0
    several = layout.samples > 0 or scanned < len(components)
    if several:
        _check_scans(data, at)
    widest = max(each[0] for each in components)
    tallest = max(each[1] for each in components)
    pixels = layout.width * layout.height
    # Two bytes a coefficient (T.81 F.1.1.5.1), each component at its own sampling.
    held = sum(2 * pixels * each[0] * each[1] // (widest * tallest) for each in components)
    return Layout(
        layout.width, layout.height, orientation=orientation, samples=held if several else 0
    )


def _check_scans(data: bytes, at: int) -> None:
    """Raise CorruptImage where more scans than MAX_SCANS follow; the first one's header is at `at`.

    What follows the picture's end is none of it: a second picture, or the film of a motion photo.
    """
    scans = 1
    while found := _END_OF_SCAN.search(data, at):
        marker, at = found[0][1], found.end()
        if marker == 0xD9:
            return
        scans += marker == 0xDA
        if scans > MAX_SCANS:
            raise CorruptImage(f"The image is damaged: it has more than {MAX_SCANS} scans.")
        (length,) = _unpack(">H", data, at)
        at += length


def _next_marker(data: bytes, at: int) -> tuple[int, int]:
    """Return the marker at or after `at`, and where its segment begins."""
    if data[at : at + 1] != b"\xff":
        # Decoders skip stray bytes between segments, so cameras get away with writing them.
        at = data.find(b"\xff", at)
        if at < 0:
            raise Broken
    # Any number of fill bytes may precede a marker (T.81, B.1.1.2), and slow decoders down.
    fill = _parts()
    while data[at : at + 1] == b"\xff":
        next(fill)
        at += 1
    if at >= len(data):
        raise Broken
    return data[at], at + 1


def _parts() -> Iterator[None]:
    """Let a loop over the parts of a file go on, up to MAX_PARTS. Raises CorruptImage."""
    yield from repeat(None, MAX_PARTS)
    raise CorruptImage(f"The image is damaged: it has more than {MAX_PARTS:,} parts.")


def read_png(data: bytes) -> Layout:
    """Read the chunks of a PNG up to IEND. Of an animated PNG the default image is taken."""
    length, kind, width, height = _unpack(">I4sII", data, 8)
    (checksum,) = _unpack(">I", data, 29)
    if kind != b"IHDR" or length != 13 or checksum != zlib.crc32(data[12:29]):
        raise Broken
    orientation, at = 1, 33
    has_palette = data[25] != 3  # the colour type: none but this one needs a palette
    parts = _parts()
    while True:
        next(parts)
        length, kind = _unpack(">I4s", data, at)
        if at + 12 + length > len(data):
            raise Broken
        # Decoders pass over the checksums, and show other pixels than were sent.
        body = memoryview(data)[at + 4 : at + 8 + length]
        if not kind[0] & 0x20 and _unpack(">I", data, at + 8 + length)[0] != zlib.crc32(body):
            raise Broken
        if kind == b"IDAT" and not has_palette:
            raise Broken
        has_palette |= kind == b"PLTE"
        if kind == b"IEND":
            return Layout(width, height, orientation=orientation)
        if kind == b"eXIf":
            orientation = exif_orientation(data[at + 8 : at + 8 + length])
        at += 12 + length


def without_metadata(data: bytes) -> bytes:
    """Return a PNG that `read_png` has read without the chunks that its pixels do not need.

    Pillow refuses a picture for its texts: long ones, or damaged ones. An animated PNG becomes its
    default image.
    """
    view, parts, start, at = memoryview(data), [], 0, 8
    while True:
        length, kind = _unpack(">I4s", data, at)
        end = at + 12 + length
        if kind[0] & 0x20 and not _matters(kind, view[at + 8 : end]):
            parts.append(view[start:at])
            start = end
        if kind == b"IEND":
            return b"".join([*parts, view[start:end]]) if parts else data
        at = end


def _matters(kind: bytes, body: memoryview) -> bool:
    """Tell whether an ancillary chunk is whole and says how the pixels are to be shown.

    `body` has the chunk's checksum at its end.
    """
    if kind not in (b"tRNS", b"iCCP", b"eXIf"):
        return False
    if zlib.crc32(body[:-4], zlib.crc32(kind)) != int.from_bytes(body[-4:], "big"):
        return False
    if kind == b"iCCP":
        # Name, a zero byte, the method of compression, the profile.
        packed = bytes(body[:-4]).partition(b"\0")[2][1:]
        try:
            return len(zlib.decompressobj().decompress(packed, MAX_PROFILE + 1)) <= MAX_PROFILE
        except zlib.error:
            return False
    return True


def read_gif(data: bytes) -> Layout:
    """Read the blocks of a GIF up to its trailer, and count its pictures."""
    width, height, flags = _unpack("<HHB", data, 6)
    at = 13 + _table_size(flags)
    frames, parts = 0, _parts()
    while True:
        next(parts)
        (kind,) = _unpack("B", data, at)
        if kind == 0x3B:
            break
        if kind == 0x21:
            at = _after_sub_blocks(data, at + 2)
        elif kind == 0x2C:
            left, top, across, down, flags = _unpack("<HHHHB", data, at + 1)
            if frames == 0:
                # A first picture larger than the screen enlarges it, in decoders and browsers.
                width, height = max(width, left + across), max(height, top + down)
            frames += 1
            at = _after_sub_blocks(data, at + 10 + _table_size(flags) + 1)
        else:
            raise Broken
    if not frames:
        raise Broken
    return Layout(width, height, frames)


def _table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, at: int) -> int:
    try:
        while length := data[at]:
            at += length + 1
    except IndexError as error:
        raise Broken from error
    return at + 1


def read_webp(data: bytes) -> Layout:
    """Read the chunks of a WebP file as long as its RIFF header says it is."""
    (length,) = _unpack("<I", data, 4)
    if length + 8 > len(data):
        raise Broken
    size: tuple[int, int] | None = None
    orientation, frames, at = 1, 0, 12
    parts = _parts()
    while at + 8 <= length + 8:
        next(parts)
        kind, inner = _unpack("<4sI", data, at)
        start = at + 8
        if start + inner > length + 8:
            raise Broken
        if kind == b"VP8X":
            _flags, *sides = _unpack("<B3xHBHB", data, start)
            size = 1 + sides[0] + (sides[1] << 16), 1 + sides[2] + (sides[3] << 16)
        elif kind == b"VP8 " and size is None:
            signature, width, height = _unpack("<3x3sHH", data, start)
            if signature != b"\x9d\x01\x2a":
                raise Broken
            size = width & 0x3FFF, height & 0x3FFF
        elif kind == b"VP8L" and size is None:
            signature, bits = _unpack("<BI", data, start)
            if signature != 0x2F:
                raise Broken
            size = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif kind == b"ANMF":
            frames += 1
        elif kind == b"EXIF":
            exif = data[start : start + inner]
            orientation = exif_orientation(exif.removeprefix(b"Exif\0\0"))
        at = start + inner + inner % 2
    if size is None:
        raise Broken
    return Layout(*size, max(1, frames), orientation)


def read_bmp(data: bytes) -> Layout:
    """Read the two headers of a BMP; without compression they tell how long the rows are."""
    offset, size = _unpack("<II", data, 10)
    if size == 12:
        width, height, _planes, bits = _unpack("<HHHH", data, 18)
        compression = 0
    elif size >= 40:
        width, height, _planes, bits, compression = _unpack("<iiHHI", data, 18)
    else:
        raise UnsupportedFormat("The image is a BMP of a kind that is not taken.")
    height = abs(height)
    if compression == 0 and offset + (width * bits + 31) // 32 * 4 * height > len(data):
        raise Broken
    return Layout(width, height)


def read_tiff(data: bytes) -> Layout:
    """Read the first directory of a TIFF, and whether its strips or tiles lie in the file."""
    fields = _fields(data, _TIFF_FIELDS)
    width, height = fields.get(256), fields.get(257)
    if not width or not height:
        raise Broken
    # A directory that says of itself that it is a thumbnail (NewSubfileType) comes first in the raw
    # files of cameras alone: DNG, NEF, ARW and others.
    if fields.get(254, (0,))[0] & 1:
        raise UnsupportedFormat("The image is a camera's raw file, or a thumbnail within a TIFF.")
    if fields.get(259, (1,))[0] not in _TIFF_COMPRESSIONS:
        raise UnsupportedFormat("The image is a TIFF with a compression that is not taken.")
    for offsets, counts in ((273, 279), (324, 325)):
        starts, lengths = fields.get(offsets, ()), fields.get(counts, ())
        if any(a + b > len(data) for a, b in zip(starts, lengths, strict=False)):
            raise Broken
    # Pillow turns a TIFF upright while it decodes it.
    orientation = fields.get(ORIENTATION, (1,))[0]
    upright = (height[0], width[0]) if 5 <= orientation <= 8 else (width[0], height[0])
    return Layout(*upright)


def _fields(data: bytes, wanted: frozenset[int]) -> dict[int, Sequence[int]]:
    """Return the wanted whole numbers in the first directory (IFD) of a TIFF or BigTIFF, by tag.

    A field that leads out of the file is passed over, as decoders do. Any number of fields can name
    the same bytes, so only those wanted are read, and each once.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise Broken
    if _unpack(f"{order}H", data, 2)[0] == 43:
        head, entry, inline = f"{order}Q", f"{order}HHQ", 8
        (at,) = _unpack(head, data, 8)
    else:
        head, entry, inline = f"{order}H", f"{order}HHI", 4
        (at,) = _unpack(f"{order}I", data, 4)
    (count,) = _unpack(head, data, at)
    first, step = at + struct.calcsize(head), struct.calcsize(entry) + inline
    fields: dict[int, Sequence[int]] = {}
    for field in range(first, first + step * count, step):
        tag, kind, number = _unpack(entry, data, field)
        code = _WHOLE.get(kind)
        if tag not in wanted or tag in fields or code is None:
            continue
        where = field + step - inline
        length = number * struct.calcsize(f"{order}{code}")
        if length > inline:
            (where,) = _unpack(f"{order}{'Q' if inline == 8 else 'I'}", data, where)
        if number and where + length <= len(data):
            values = array(code, data[where : where + length])
            if order != _NATIVE:
                values.byteswap()
            fields[tag] = values
    return fields


def read_isobmff(data: bytes) -> Layout:
    """Read the boxes of an AVIF or HEIC file, for the largest picture in it."""
    sizes: list[tuple[int, int]] = []
    quarter_turned = has_pixels = False
    for kind, start, end in _boxes(data, 0, len(data), whole=True):
        has_pixels |= kind == b"mdat"
        if kind != b"meta":
            continue
        for inner, inner_start, inner_end in _boxes(data, start + 4, end):
            has_pixels |= inner == b"idat"
            if inner != b"iprp":
                continue
            for _group, group_start, group_end in _boxes(data, inner_start, inner_end):
                for name, at, _end in _boxes(data, group_start, group_end):
                    if name == b"ispe":
                        width, height = _unpack(">4xII", data, at)
                        sizes.append((width, height))
                    elif name == b"irot":
                        quarter_turned = bool(_unpack("B", data, at)[0] & 1)
                break  # the first box holds the properties, the others only refer to them
    if not has_pixels:
        raise Broken
    if not sizes:
        raise UnsupportedFormat("The file holds no still picture.")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Layout(width, height, orientation=6 if quarter_turned else 1)


def _boxes(
    data: bytes, at: int, limit: int, *, whole: bool = False
) -> Iterator[tuple[bytes, int, int]]:
    """Return type, start and end of the content of each box from `at` to `limit`."""
    seen: set[bytes] = set()
    parts = _parts()
    while at + 8 <= limit:
        next(parts)
        length, kind = _unpack(">I4s", data, at)
        start = at + 8
        if length == 1:
            (length,) = _unpack(">Q", data, start)
            start += 8
        end = limit if length == 0 else at + length
        if whole and {b"meta", b"mdat"} <= seen and not kind.isalnum():
            return  # what follows a whole file is none of it
        if end > limit or end < start:
            raise Broken
        yield kind, start, end
        seen.add(kind)
        at = end


def exif_orientation(data: bytes) -> int:
    """Return the orientation in Exif data (a TIFF structure); 1 where it is missing or damaged.

    Damaged metadata is common in photographs that are otherwise whole.
    """
    try:
        found = _fields(data, frozenset({ORIENTATION})).get(ORIENTATION, (1,))[0]
    except Broken:
        return 1
    return found if 1 <= found <= 8 else 1


def _unpack(form: str, data: bytes, at: int) -> tuple[Any, ...]:
    try:
        return struct.unpack_from(form, data, at)
    except (struct.error, OverflowError) as error:
        raise Broken from error
