"""Image files made byte by byte, for what no encoder writes."""

from __future__ import annotations

import struct
import zlib

# Tag, type, number, and the value or where it is (TIFF 6.0, section 2).
Field = tuple[int, int, int, bytes]


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG made by hand: whatever its header says, with whatever pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *extra,
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff(*fields: Field, pixels: bytes = b"") -> bytes:
    """A TIFF made by hand: whatever its fields say, with `pixels` at offset 8."""
    directory = struct.pack("<H", len(fields)) + b"".join(
        struct.pack("<HHI", tag, kind, number) + value.ljust(4, b"\0")
        for tag, kind, number, value in fields
    )
    return b"II*\0" + long(8 + len(pixels)) + pixels + directory + bytes(4)


def short(value: int) -> bytes:
    return struct.pack("<H", value)


def long(value: int) -> bytes:
    return struct.pack("<I", value)


# 4 × 3 grey pixels, uncompressed, in one strip.
GREY = (
    (256, 3, 1, short(4)),
    (257, 3, 1, short(3)),
    (258, 3, 1, short(8)),
    (259, 3, 1, short(1)),
    (262, 3, 1, short(1)),
    (273, 4, 1, long(8)),
    (278, 3, 1, short(3)),
    (279, 4, 1, long(12)),
)


def replaced(*fields: Field) -> list[Field]:
    """The fields of GREY, some replaced or added, in order."""
    return sorted({field[0]: field for field in (*GREY, *fields)}.values())
