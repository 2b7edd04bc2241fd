from __future__ import annotations

import io
import struct
import sys
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.photograph import photograph
from image_api.chalicelib import formats
from image_api.chalicelib.formats import read_header, sniff
from image_api.chalicelib.headers import ORIENTATION, exif_orientation
from image_api.chalicelib.refusals import CorruptImage, Refusal, TooManyPixels, UnsupportedFormat
from tests.unit.image_api.handmade import GREY, long, replaced, short, tiff

KINDS = {
    "JPEG": formats.JPEG,
    "PNG": formats.PNG,
    "GIF": formats.GIF,
    "WEBP": formats.WEBP,
    "AVIF": formats.AVIF,
    "TIFF": formats.TIFF,
    "BMP": formats.BMP,
}
ANIMATIONS = {"GIF", "WEBP"}


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def noise(width: int, height: int) -> Image.Image:
    return Image.effect_noise((width, height), 60).convert("RGB")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(width=st.integers(1, 300), height=st.integers(1, 300), frames=st.integers(1, 4))
@example(width=1, height=1, frames=1)
def test_the_header_says_what_pillow_says(kind, width, height, frames):
    images = [noise(width, height) for _ in range(frames)]
    many = {"save_all": True, "append_images": images[1:]} if kind in ANIMATIONS else {}
    data = encoded(images[0], kind, **many)

    header = read_header(data)

    with Image.open(io.BytesIO(data)) as opened:
        assert header.format is KINDS[kind]
        assert header.size == opened.size
        assert header.frames == (opened.n_frames if kind in ANIMATIONS else 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_picture(kind, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    header = read_header(encoded(noise(30, 20), kind, exif=exif))
    assert header.size == ((20, 30) if orientation >= 5 else (30, 20))


@pytest.mark.parametrize(
    ("options", "samples"),
    [
        ({}, 0),
        # Two bytes for each coefficient: three planes, or one and two of a quarter.
        ({"progressive": True, "subsampling": "4:4:4"}, 2 * 3 * 640 * 480),
        ({"progressive": True, "subsampling": "4:2:0"}, 2 * 640 * 480 * 3 // 2),
    ],
)
def test_a_progressive_jpeg_keeps_its_coefficients(options, samples):
    assert read_header(encoded(noise(640, 480), "JPEG", **options)).samples == samples


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
def test_a_file_that_breaks_off_anywhere_is_refused(kind):
    data = encoded(noise(40, 30), kind)
    for length in range(1, len(data), max(1, len(data) // 150)):
        with pytest.raises((CorruptImage, UnsupportedFormat)):
            read_header(data[:length])
    with pytest.raises(CorruptImage):
        read_header(data[:-1])


@pytest.mark.parametrize("kind", ["BMP", "TIFF"])
def test_rows_missing_at_the_end_are_found(kind):
    data = encoded(noise(40, 30), kind)
    with pytest.raises(CorruptImage):
        read_header(data[: len(data) * 3 // 4])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP"])
def test_what_follows_a_whole_file_is_passed_over(kind):
    data = encoded(noise(40, 30), kind)
    assert read_header(data + b"PK\x03\x04 and more") == read_header(data)


def test_a_png_with_other_bytes_than_its_checksums_say_is_corrupt():
    data = bytearray(encoded(noise(40, 30), "PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(CorruptImage):
        read_header(bytes(data))


def test_stray_bytes_between_jpeg_segments_are_passed_over():
    data = encoded(noise(40, 30), "JPEG")
    assert read_header(data[:20] + b"\0\0" + data[20:]).size == (40, 30)


@pytest.mark.parametrize(
    ("brand", "compatible", "expected"),
    [
        (b"avif", b"mif1miaf", formats.AVIF),
        (b"mif1", b"avifmiaf", formats.AVIF),
        (b"heic", b"mif1heic", formats.HEIC),
        (b"mif1", b"heic", formats.HEIC),
    ],
)
def test_the_brands_tell_avif_from_heic(brand, compatible, expected):
    box = struct.pack(">I", 16 + len(compatible)) + b"ftyp" + brand + bytes(4) + compatible
    assert sniff(box + bytes(20)) is expected


def test_heic_is_an_extra(monkeypatch):
    import pillow_heif

    pillow_heif.register_heif_opener()
    data = encoded(noise(64, 64), "HEIF")
    header = read_header(data)
    assert header.format is formats.HEIC
    assert header.size == (64, 64)
    with formats.open_image(data, header) as image:
        assert image.size == (64, 64)
    for name in ("pillow_heif", "pillow_heif.HeifImagePlugin"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnsupportedFormat, match="HEIC images are not taken here"):
        formats.open_image(data, header)


def test_reading_a_header_imports_no_decoder():
    import subprocess

    code = (
        "import sys; from image_api.chalicelib import admission; "
        "sys.exit(any(name.split('.')[0] == 'PIL' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("side", [0, 65_501])
def test_sides_no_decoder_takes_are_refused(side):
    jpeg = photograph(64, 48)
    at = jpeg.index(b"\xff\xc0") + 5
    data = jpeg[:at] + struct.pack(">HH", 100, side) + jpeg[at + 4 :]
    with pytest.raises(TooManyPixels if side else CorruptImage):
        read_header(data)


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from(
        [
            b"\xff\xd8\xff",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"RIFF\x40\0\0\0WEBPVP8 ",
            b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0",
            b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
            b"II*\0\x08\0\0\0\x02\0",
            b"MM\0*\0\0\0\x08\0\x02",
            b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
        ]
    ),
    rest=st.binary(max_size=300),
)
def test_noise_after_a_true_signature_is_a_header_or_a_refusal(start, rest):
    try:
        header = read_header(start + rest)
    except Refusal:
        return
    assert min(header.size) >= 1


def test_a_jpeg_of_more_scans_than_any_encoder_writes_is_refused():
    data = encoded(noise(64, 64), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    # The scans of a picture that comes after this one are not counted.
    for times, follows in ((80, b""), (80, data)):
        assert read_header(data[:-2] + data[last:-2] * times + data[-2:] + follows).samples > 0
    with pytest.raises(CorruptImage, match="more than 100 scans"):
        read_header(data[:-2] + data[last:-2] * 100 + data[-2:])
    # A baseline JPEG has one scan, and its decoder stops after it.
    assert read_header(encoded(noise(64, 64), "JPEG") + data * 20).samples == 0


def test_a_bigtiff_is_read():
    fields = [
        (256, 3, 1, 4),
        (257, 4, 1, 3),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 16, 1, 16),
        (274, 3, 1, 6),
        (278, 3, 1, 3),
        (279, 16, 1, 12),
    ]
    codes = {3: "H", 4: "I", 16: "Q"}
    data = b"II" + struct.pack("<HHHQ", 43, 8, 0, 28)
    data += bytes(range(12)) + struct.pack("<Q", len(fields))
    for tag, kind, number, value in fields:
        data += struct.pack("<HHQ", tag, kind, number)
        data += struct.pack(f"<{codes[kind]}", value).ljust(8, b"\0")
    data += bytes(8)

    header = read_header(data)

    assert (header.format, header.size) == (formats.TIFF, (3, 4))
    with formats.open_image(data, header) as image:
        image.load()
        assert image.size == (3, 4)
    for damaged in (data[:100], data[:8] + b"\xff" * 8 + data[16:]):
        with pytest.raises(CorruptImage):
            read_header(damaged)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (tiff(*replaced((259, 3, 1, short(50001)))), "compression"),  # WebP
        (tiff((254, 4, 1, long(1)), *GREY), "raw file"),
        (b"BM" + bytes(8) + struct.pack("<IIHHHH", 30, 16, 4, 4, 1, 24) + bytes(64), "BMP"),
    ],
)
def test_kinds_of_files_that_are_not_decoded_are_unsupported(data, match):
    with pytest.raises(UnsupportedFormat, match=match):
        read_header(data)


@pytest.mark.parametrize("change", [(1, 0xC3), (4, 12)])
def test_a_lossless_jpeg_and_one_of_12_bits_are_unsupported(change):
    data = bytearray(encoded(noise(40, 30), "JPEG"))
    at, value = change
    data[data.index(b"\xff\xc0") + at] = value
    with pytest.raises(UnsupportedFormat, match="12 bits, or lossless"):
        read_header(bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        # Floating point of 16 bits.
        tiff(
            *replaced((258, 3, 1, short(16)), (279, 4, 1, long(24)), (339, 3, 1, short(3))),
            pixels=bytes(24),
        ),
        # Four bits a channel, by bit fields.
        b"BM"
        + struct.pack("<IIIIiiHHI", 0, 0, 70, 56, 4, 4, 1, 16, 3)
        + bytes(20)
        + struct.pack("<IIII", 0xF00, 0xF0, 0xF, 0xF000)
        + bytes(64),
    ],
    ids=["TIFF", "BMP"],
)
def test_pixels_pillow_does_not_know_are_unsupported(data):
    with pytest.raises(UnsupportedFormat, match="of a kind that is not taken"):
        formats.open_image(data, read_header(data))


def test_damaged_fields_of_a_tiff_do_not_matter_where_they_are_not_needed():
    beyond = (700, 4, 9, long(10**9))  # XMP
    data = tiff(*GREY, beyond, (701, 4, 0, long(0)), pixels=bytes(12))
    header = read_header(data)
    assert header.size == (4, 3)
    with formats.open_image(data, header) as image, formats.refusing_decoder_errors():
        image.load()
    exif = tiff((270, 4, 9, long(10**9)), (ORIENTATION, 3, 1, short(6)))
    assert exif_orientation(exif) == 6


@pytest.mark.parametrize("kind", [1, 3, 4, 6, 8, 9])
def test_the_orientation_is_read_in_any_type_of_whole_number(kind):
    assert exif_orientation(tiff((ORIENTATION, kind, 1, long(6)))) == 6


def test_fields_that_all_name_the_same_bytes_take_no_time():
    """Each of 60,000 fields is as long as the file: 480 GB of numbers to read, if one did."""
    megabytes = bytes(8 * 2**20)
    many = [(tag, 4, 2**21, long(0)) for tag in range(1000, 61_000)]
    again = [(273, 4, 2**21, long(0))] * 1000
    data = tiff(*replaced(*again), *again, *many, pixels=megabytes)
    started = time.process_time()
    assert read_header(data).size == (4, 3)
    assert exif_orientation(data) == 1
    assert time.process_time() - started < 5


def test_a_palette_is_missing():
    data = encoded(noise(40, 30).quantize(8), "PNG")
    at = data.index(b"PLTE") - 4
    (length,) = struct.unpack_from(">I", data, at)
    with pytest.raises(CorruptImage):
        read_header(data[:at] + data[at + 12 + length :])
