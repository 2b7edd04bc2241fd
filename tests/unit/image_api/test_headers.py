from __future__ import annotations

import io
import struct
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.photograph import photograph
from image_api.chalicelib import formats
from image_api.chalicelib.formats import read_header, sniff
from image_api.chalicelib.headers import ORIENTATION
from image_api.chalicelib.refusals import CorruptImage, Refusal, TooManyPixels, UnsupportedFormat

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
