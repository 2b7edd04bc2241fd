from __future__ import annotations

import io
import random
import zlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw, ImageOps

from benchmarks.photograph import photograph
from image_api.chalicelib import formats
from image_api.chalicelib.presets import PRESETS, Preset
from image_api.chalicelib.refusals import (
    CorruptImage,
    Empty,
    Refusal,
    TooLarge,
    TooManyPixels,
    UnsupportedFormat,
)
from image_api.chalicelib.renditions import render

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def rendered(data: bytes, width: int = 320) -> Image.Image:
    """The one rendition of that width, decoded, without a watermark."""
    _header, (rendition,) = render(data, [Preset("only", width)], watermarked=False)
    image = Image.open(io.BytesIO(rendition.data))
    assert image.format == "JPEG"
    assert image.size == (rendition.width, rendition.height)
    return image


def close(pixel: object, expected: tuple[int, int, int], tolerance: int = 6) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= tolerance for a, b in zip(pixel, expected, strict=True))


def corner_marked() -> Image.Image:
    """Upright: red top left, green top right, blue bottom left, white bottom right."""
    image = Image.new("RGB", (600, 400))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 300, 200), fill=RED)
    pen.rectangle((300, 0, 600, 200), fill=GREEN)
    pen.rectangle((0, 200, 300, 400), fill=BLUE)
    pen.rectangle((300, 200, 600, 400), fill=WHITE)
    return image


# How a camera held that way stores the upright picture: Exif 2.32, 4.6.4 A, read backwards.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("orientation", "stored"), STORED.items())
def test_every_orientation_comes_out_upright(orientation, stored, kind):
    image = corner_marked() if stored is None else corner_marked().transpose(stored)
    exif = Image.Exif()
    exif[formats.ORIENTATION] = orientation
    data = encoded(image, kind, exif=exif, **({} if kind == "PNG" else {"quality": 95}))

    upright = rendered(data, 300)

    assert upright.size == (300, 200)
    for corner, colour in (
        ((20, 20), RED),
        ((280, 20), GREEN),
        ((20, 180), BLUE),
        ((280, 180), WHITE),
    ):
        assert close(upright.getpixel(corner), colour, 12), (corner, upright.getpixel(corner))
    header = formats.read_header(data, 300)
    assert (header.width, header.height) == (600, 400)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_what_full_decoding_and_resizing_give(orientation):
    data = photograph(1203, 807, orientation=orientation)
    full = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    result = rendered(data, 400)
    expected = full.resize(result.size, Image.Resampling.LANCZOS)

    differences = [abs(a - b) for a, b in zip(result.tobytes(), expected.tobytes(), strict=True)]

    # What is left is JPEG at quality 80; a picture turned or shifted by one pixel is at 20 or more.
    assert sum(differences) / len(differences) < 5


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_a_nonsensical_orientation_is_passed_over(orientation):
    exif = Image.Exif()
    exif[formats.ORIENTATION] = orientation
    assert rendered(encoded(corner_marked(), exif=exif), 300).size == (300, 200)


def test_damaged_exif_data_is_passed_over():
    data = encoded(corner_marked(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xee" * 9)
    assert rendered(data, 300).size == (300, 200)


def test_renditions_have_the_widths_of_the_presets():
    header, renditions = render(photograph(2400, 1600), PRESETS)
    assert (header.format, header.width, header.height) == (formats.JPEG, 2400, 1600)
    assert [(each.preset, each.width, each.height) for each in renditions] == [
        ("xlarge", 1920, 1280),
        ("large", 1280, 853),
        ("medium", 640, 427),
        ("small", 320, 213),
    ]


def test_a_small_image_is_never_enlarged():
    _header, renditions = render(photograph(500, 300), PRESETS)
    assert [(each.width, each.height) for each in renditions] == [
        (500, 300),
        (500, 300),
        (500, 300),
        (320, 192),
    ]


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 900),
    height=st.integers(1, 900),
    orientation=st.integers(1, 8),
    kind=st.sampled_from(["JPEG", "PNG"]),
)
def test_sizes_keep_the_aspect_ratio(width, height, orientation, kind):
    exif = Image.Exif()
    exif[formats.ORIENTATION] = orientation
    data = encoded(Image.new("RGB", (width, height), GREEN), kind, exif=exif)
    seen = (height, width) if orientation >= 5 else (width, height)

    header, renditions = render(data, PRESETS)

    assert (header.width, header.height) == seen
    for preset, rendition in zip(PRESETS, renditions, strict=True):
        assert rendition.width == min(preset.width, seen[0])
        assert rendition.height >= 1
        # Off by at most the half pixel of rounding.
        assert abs(rendition.height - max(1, seen[1] * rendition.width / seen[0])) <= 0.5
        with Image.open(io.BytesIO(rendition.data)) as image:
            assert image.size == (rendition.width, rendition.height)


def test_equal_bytes_give_equal_renditions():
    data = photograph(1000, 700)
    assert render(data, PRESETS) == render(data, PRESETS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_no_metadata_survives(kind):
    exif = Image.Exif()
    exif[0x010E] = "SECRET-DESCRIPTION"
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.0)}
    options = {
        "JPEG": {"comment": b"SECRET-COMMENT", "xmp": b"<x>SECRET-XMP</x>"},
        "PNG": {},
        "WEBP": {"xmp": b"<x>SECRET-XMP</x>"},
    }[kind]
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(corner_marked(), kind, exif=exif, icc_profile=profile, **options)
    assert b"SECRET" in data

    _header, renditions = render(data, PRESETS)

    for rendition in renditions:
        assert b"SECRET" not in rendition.data
        with Image.open(io.BytesIO(rendition.data)) as image:
            assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
            assert not image.getexif()


def test_transparency_is_laid_on_white_without_a_fringe():
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 32, 64))
    result = rendered(encoded(image), 16)
    assert close(result.getpixel((2, 8)), BLUE)
    assert close(result.getpixel((13, 8)), WHITE)
    # The invisible red of the transparent half must not bleed into the edge.
    assert all(result.getpixel((x, 8))[0] <= result.getpixel((x, 8))[2] + 8 for x in range(16))


def test_half_transparent_pixels_are_mixed_with_white():
    result = rendered(encoded(Image.new("RGBA", (64, 64), (0, 0, 255, 128))))
    assert close(result.getpixel((32, 32)), (127, 127, 255))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_a_palette_is_filtered_as_colours(kind):
    image = Image.new("RGB", (200, 100), RED)
    image.paste(BLUE, (0, 0, 100, 100))
    data = encoded(image if kind == "WEBP" else image.quantize(), kind)
    result = rendered(data, 100)
    assert close(result.getpixel((10, 25)), BLUE, 20)
    assert close(result.getpixel((90, 25)), RED, 20)


def test_a_transparent_palette_entry_shows_the_background():
    image = Image.new("P", (64, 64), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (0, 0, 32, 64))
    result = rendered(encoded(image, transparency=0))
    assert close(result.getpixel((8, 32)), BLUE)
    assert close(result.getpixel((56, 32)), WHITE)


def test_a_colour_key_shows_the_background():
    image = Image.new("RGB", (64, 64), RED)
    image.paste(BLUE, (0, 0, 32, 64))
    result = rendered(encoded(image, transparency=RED), 32)
    assert close(result.getpixel((4, 16)), BLUE)
    assert close(result.getpixel((28, 16)), WHITE)


@pytest.mark.parametrize(("grey", "expected"), [(0, 0), (0x8080, 128), (65535, 255)])
def test_16_bit_grey_keeps_its_brightness(grey, expected):
    result = rendered(encoded(Image.new("I;16", (64, 64), grey)))
    assert close(result.convert("RGB").getpixel((32, 32)), (expected,) * 3, 1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
def test_every_mode_of_png_becomes_rgb(mode):
    image = corner_marked().convert(mode)
    assert rendered(encoded(image), 300).mode == "RGB"


def test_cmyk_becomes_rgb():
    data = encoded(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG")
    assert close(rendered(data).getpixel((32, 32)), RED, 20)


def test_colours_of_an_embedded_profile_become_srgb():
    # A profile of the linear-light kind: encoded 50 % is far brighter in sRGB.
    linear = linear_profile()
    data = encoded(Image.new("RGB", (64, 64), (128, 128, 128)), icc_profile=linear)
    assert close(rendered(data).getpixel((32, 32)), (188, 188, 188), 4)


def linear_profile() -> bytes:
    """sRGB's own profile with each tone curve (tags rTRC, gTRC, bTRC) made a straight line."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    curve = b"curv\0\0\0\0" + (1).to_bytes(4, "big") + b"\x01\x00"  # ICC.1:2022, 10.6: gamma 1.0
    for index in range(int.from_bytes(profile[128:132], "big")):
        entry = 132 + 12 * index
        if profile[entry : entry + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            offset = int.from_bytes(profile[entry + 4 : entry + 8], "big")
            profile[offset : offset + len(curve)] = curve
        if profile[entry : entry + 4] == b"desc":
            offset = int.from_bytes(profile[entry + 4 : entry + 8], "big")
            length = int.from_bytes(profile[entry + 8 : entry + 12], "big")
            text = profile[offset : offset + length]
            profile[offset : offset + length] = text.replace(b"s\0R\0G\0B", b"l\0i\0n\0e").replace(
                b"sRGB", b"line"
            )
    return bytes(profile)


@pytest.mark.parametrize("profile", [b"x", b"x" * 300])
def test_a_broken_profile_is_passed_over(profile):
    data = encoded(Image.new("RGB", (64, 64), GREEN), icc_profile=profile)
    assert close(rendered(data).getpixel((32, 32)), GREEN)


def test_a_profile_of_another_kind_of_pixels_is_passed_over():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(Image.new("L", (64, 64), 90), icc_profile=profile)
    assert close(rendered(data).getpixel((32, 32)), (90, 90, 90), 2)


def test_the_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (64, 64), colour) for colour in (RED, GREEN, BLUE)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert close(rendered(data).getpixel((32, 32)), RED, 12)


def test_a_multi_picture_object_is_taken_for_its_first_picture():
    data = encoded(
        Image.new("RGB", (64, 64), RED),
        "MPO",
        save_all=True,
        append_images=[Image.new("RGB", (64, 64), BLUE)],
    )
    assert close(rendered(data).getpixel((32, 32)), RED, 12)


# --- refusals


def test_no_bytes_are_refused_as_empty():
    with pytest.raises(Empty):
        render(b"", PRESETS)


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"<html><body>no</body></html>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"\xff\xd8",
        bytes(64),
        encoded(corner_marked(), "TIFF"),
        encoded(corner_marked(), "BMP"),
    ],
)
def test_other_formats_are_refused_by_their_first_bytes(data):
    with pytest.raises(UnsupportedFormat):
        formats.read_header(data, 320)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_an_image_that_breaks_off_is_corrupt(kind, share):
    data = encoded(Image.open(io.BytesIO(photograph(300, 200))), kind)
    with pytest.raises(CorruptImage):
        render(data[: int(len(data) * share)], PRESETS)


def png_header(width: int, height: int) -> bytes:
    """The first chunk of a PNG of that size, and no pixels."""
    data = bytearray(encoded(Image.new("L", (1, 1))))
    start = data.index(b"IHDR")
    data[start + 4 : start + 12] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    checksum = zlib.crc32(data[start : start + 17])
    data[start + 17 : start + 21] = checksum.to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    ("width", "height"),
    [(40_000, 40_000), (12_000, 10_001), (65_501, 1), (1, 65_501), (8_000, 7_000)],
)
def test_a_decompression_bomb_is_refused_by_its_header(width, height):
    with pytest.raises(TooManyPixels):
        formats.read_header(png_header(width, height), 1920)


def test_a_jpeg_may_have_more_pixels_than_are_decoded():
    # 108 megapixels, decoded at a quarter of each side.
    data = encoded(Image.new("L", (12_000, 9_000), 128), "JPEG")
    header = formats.read_header(data, 1920)
    assert (header.width, header.height) == (12_000, 9_000)


def test_too_many_bytes_are_refused():
    with pytest.raises(TooLarge):
        formats.open_image(b"\xff\xd8\xff" + bytes(formats.MAX_BYTES))


def malformed() -> list[bytes]:
    """Images damaged in many ways: bytes changed, removed, inserted and swapped at random."""
    source = random.Random(7)
    picture = Image.open(io.BytesIO(photograph(60, 40, orientation=6)))
    animation = [picture.rotate(90 * turn) for turn in range(3)]
    originals = [
        photograph(60, 40, orientation=6),
        encoded(picture, "JPEG", progressive=True),
        encoded(picture.convert("CMYK"), "JPEG"),
        encoded(picture),
        encoded(picture.quantize(), transparency=3),
        encoded(picture.convert("I;16")),
        encoded(picture, "WEBP"),
        encoded(picture, "WEBP", lossless=True),
        encoded(picture, "JPEG", icc_profile=linear_profile(), comment=b"c" * 99),
        encoded(picture, icc_profile=linear_profile()),
        encoded(picture, "GIF"),
        encoded(picture, "GIF", save_all=True, append_images=animation),
    ]
    corpus = []
    for original in originals:
        for _ in range(60):
            data = bytearray(original)
            for _ in range(source.randrange(1, 6)):
                at = source.randrange(len(data))
                match source.randrange(4):
                    case 0:
                        data[at] = source.randrange(256)
                    case 1:
                        del data[at : at + source.randrange(1, 40)]
                    case 2:
                        data[at:at] = source.randbytes(source.randrange(1, 40))
                    case 3:
                        # Headers are where a single byte does most.
                        data[min(at, source.randrange(64), len(data) - 1)] = 0xFF
            corpus.append(bytes(data))
    return corpus


def test_malformed_images_are_refused_or_rendered_never_anything_else():
    outcomes: Counter[type] = Counter()
    for data in malformed():
        try:
            render(data, PRESETS)
            outcomes[tuple] += 1
        except Refusal as refusal:
            outcomes[type(refusal)] += 1
    # All kinds of outcome, so the corpus is neither too tame nor mere noise.
    assert min(outcomes[kind] for kind in (tuple, CorruptImage, UnsupportedFormat)) > 20


@settings(max_examples=200, deadline=None)
@given(
    start=st.sampled_from(
        [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x40\0\0\0WEBPVP8 "]
    ),
    rest=st.binary(max_size=200),
)
def test_noise_after_a_true_signature_is_refused(start, rest):
    with pytest.raises(Refusal):
        render(start + rest, PRESETS)
