from __future__ import annotations

import io
import random
import zlib

import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageOps, ImageStat

from benchmarks.photograph import photograph
from image_api.chalicelib import formats, headers
from image_api.chalicelib.geometry import SHARES, place
from image_api.chalicelib.presets import PRESETS, AnimationBudget, Preset, Presets, Quality
from image_api.chalicelib.refusals import (
    CorruptImage,
    Empty,
    Refusal,
    TooLarge,
    TooManyPixels,
    UnsupportedFormat,
)
from tests.unit.image_api.handmade import chunk, long, png, replaced, short, tiff
from tests.unit.image_api.rendering import render

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def rendered(data: bytes, width: int = 320) -> Image.Image:
    """The one rendition of that width, decoded, without a watermark."""
    _header, (rendition,) = render(data, Presets((Preset("only", width, formats=("jpeg",)),)))
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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize(("orientation", "stored"), STORED.items())
def test_every_orientation_comes_out_upright(orientation, stored, kind):
    image = corner_marked() if stored is None else corner_marked().transpose(stored)
    exif = Image.Exif()
    exif[headers.ORIENTATION] = orientation
    pillow_heif.register_heif_opener()
    quality = {} if kind == "PNG" else {"quality": 95}
    # AVIF and HEIC turn by boxes of their own, which their encoders write for it.
    data = encoded(image, kind, exif=exif.tobytes(), **quality)

    upright = rendered(data, 300)

    assert upright.size == (300, 200)
    for corner, colour in (
        ((20, 20), RED),
        ((280, 20), GREEN),
        ((20, 180), BLUE),
        ((280, 180), WHITE),
    ):
        assert close(upright.getpixel(corner), colour, 12), (corner, upright.getpixel(corner))
    header = formats.read_header(data)
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
    exif[headers.ORIENTATION] = orientation
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
    exif[headers.ORIENTATION] = orientation
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


# --- formats, fits and budgets


def made(data: bytes, **settings: object) -> dict[str, Image.Image]:
    """The renditions of one preset by format, decoded."""
    preset = Preset("only", **{"width": 320} | settings)
    _header, renditions = render(data, Presets((preset,)))
    return {each.format: Image.open(io.BytesIO(each.data)) for each in renditions}


def test_every_format_is_made_and_is_what_it_says():
    formats_asked = ("png", "avif", "jpeg", "webp")
    _header, renditions = render(
        photograph(640, 480), Presets((Preset("a", 320, formats=formats_asked),))
    )
    assert {each.format for each in renditions} == set(formats_asked)
    for each in renditions:
        with Image.open(io.BytesIO(each.data)) as image:
            assert image.format == each.format.upper()
            assert image.get_format_mimetype() == each.media_type
            assert image.size == (each.width, each.height) == (320, 240)
    assert {each.extension for each in renditions} == {"jpg", "png", "webp", "avif"}


def transparent() -> Image.Image:
    image = Image.new("RGBA", (64, 64), (0, 0, 255, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 64))
    return image


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (photograph(64, 48), "jpeg"),
        (encoded(corner_marked(), "PNG"), "jpeg"),
        (encoded(corner_marked().convert("RGBA"), "PNG"), "jpeg"),
        (encoded(corner_marked().quantize(8), "PNG"), "webp"),
        (encoded(corner_marked().convert("1"), "PNG"), "webp"),
        (encoded(transparent(), "PNG"), "webp"),
        (encoded(transparent(), "WEBP"), "webp"),
        (encoded(corner_marked(), "BMP"), "jpeg"),
        (encoded(corner_marked(), "TIFF"), "jpeg"),
        (encoded(corner_marked(), "AVIF"), "jpeg"),
    ],
)
def test_auto_is_by_what_the_picture_needs(data, expected):
    assert list(made(data)) == [expected]
    assert list(made(data, formats=("auto", expected))) == [expected]


@pytest.mark.parametrize("kind", ["png", "webp", "avif"])
def test_transparency_stays_where_the_format_has_it(kind):
    image = made(encoded(transparent()), formats=(kind,))[kind].convert("RGBA")
    assert image.getpixel((8, 32))[3] == 0
    assert close(image.getpixel((56, 32))[:3], BLUE, 20)
    assert image.getpixel((56, 32))[3] == 255


def test_the_background_shows_through_in_a_jpeg():
    image = made(encoded(transparent()), formats=("jpeg",), background=(255, 0, 0))["jpeg"]
    assert close(image.getpixel((8, 32)), RED, 12)
    assert close(image.getpixel((56, 32)), BLUE, 12)


def test_quality_decides_about_bytes():
    data = photograph(640, 480)
    for name in ("jpeg", "webp", "avif"):
        sizes = []
        for quality in (20, 50, 90):
            preset = Preset("a", 640, formats=(name,), quality=Quality(**{name: quality}))
            _header, (rendition,) = render(data, Presets((preset,)))
            sizes.append(len(rendition.data))
        assert sizes == sorted(sizes)
        assert sizes[2] > 2 * sizes[0]


@pytest.mark.parametrize("name", ["jpeg", "webp"])
@pytest.mark.parametrize("max_bytes", [12_000, 20_000, 10**6])
def test_a_byte_budget_is_kept_and_used(name, max_bytes):
    data = photograph(640, 480)
    free, kept = (
        Preset("a", 640, formats=(name,)),
        Preset("b", 640, formats=(name,), max_bytes=max_bytes),
    )
    _header, (unbounded, bounded) = render(data, Presets((free, kept)))
    assert len(bounded.data) <= max_bytes
    if max_bytes > len(unbounded.data):
        assert bounded.data == unbounded.data
    else:
        # One step of quality more would be too much, and a step is far less than a third.
        assert len(bounded.data) > max_bytes * 2 / 3


def test_a_byte_budget_no_quality_meets_ends_at_the_lowest():
    preset = Preset("a", 640, formats=("jpeg",), max_bytes=256)
    _header, (rendition,) = render(photograph(640, 480), Presets((preset,)))
    with Image.open(io.BytesIO(rendition.data)) as image:
        assert image.size == (640, 480)
    assert 256 < len(rendition.data) < 6_000


@pytest.mark.parametrize(
    ("settings", "size", "corners"),
    [
        ({"width": 300, "height": 300}, (300, 200), (RED, GREEN, BLUE, WHITE)),
        ({"width": 300, "height": 100}, (150, 100), (RED, GREEN, BLUE, WHITE)),
        ({"width": 900, "enlarge": True}, (900, 600), (RED, GREEN, BLUE, WHITE)),
        ({"width": 100, "height": 100, "fit": "cover"}, (100, 100), (RED, GREEN, BLUE, WHITE)),
        (
            {"width": 60, "height": 120, "fit": "cover", "gravity": "left"},
            (60, 120),
            (RED, RED, BLUE, BLUE),
        ),
        (
            {"width": 300, "height": 50, "fit": "cover", "gravity": "bottom"},
            (300, 50),
            (BLUE, WHITE, BLUE, WHITE),
        ),
        (
            {"width": 900, "height": 900, "fit": "cover", "enlarge": True},
            (900, 900),
            (RED, GREEN, BLUE, WHITE),
        ),
        (
            {"width": 100, "height": 100, "fit": "crop", "gravity": "top-right"},
            (100, 100),
            (GREEN,),
        ),
        ({"width": 200, "height": 200, "fit": "crop"}, (200, 200), (RED, GREEN, BLUE, WHITE)),
    ],
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_fit_shows_the_part_it_should(settings, size, corners, orientation):
    image, stored = corner_marked(), STORED[orientation]
    exif = Image.Exif()
    exif[headers.ORIENTATION] = orientation
    data = encoded(image.transpose(stored) if stored is not None else image, exif=exif)
    result = made(data, **settings)["jpeg"]
    assert result.size == size
    width, height = size
    places = ((12, 12), (width - 12, 12), (12, height - 12), (width - 12, height - 12))
    for point, colour in zip(places, corners * (4 // len(corners)), strict=True):
        assert close(result.getpixel(point), colour, 14), (point, result.getpixel(point))


def test_every_fit_is_what_cutting_and_resizing_the_whole_gives():
    data = photograph(1203, 807)
    whole = Image.open(io.BytesIO(data)).convert("RGB")
    presets = Presets(
        (
            Preset("a", 700, formats=("png",)),
            Preset("b", 300, 300, "cover", formats=("png",)),
            Preset("c", 90, 160, "cover", "right", formats=("png",)),
            Preset("d", 200, 100, "crop", "top", formats=("png",)),
        )
    )
    _header, renditions = render(data, presets)
    for preset, rendition in zip(presets, renditions, strict=True):
        placement = place((1203, 807), preset)
        expected = whole.resize(placement.size, Image.Resampling.LANCZOS, box=placement.box)
        with Image.open(io.BytesIO(rendition.data)) as image:
            difference = ImageChops.difference(image, expected)
        # Cutting out whole pixels shifts by less than one.
        assert max(ImageStat.Stat(difference).mean) < (6 if preset.fit == "cover" else 2), preset


def test_no_metadata_but_the_copyright_is_kept_where_asked():
    exif = Image.Exif()
    exif[0x013B], exif[0x8298] = "Ada", "© Ada".encode()
    exif[0x010E] = "SECRET-DESCRIPTION"
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.0)}
    data = encoded(corner_marked(), "JPEG", exif=exif)
    for image in made(data, formats=("jpeg", "png", "webp", "avif"), keep_copyright=True).values():
        assert dict(image.getexif()) == {0x013B: "Ada", 0x8298: "© Ada".encode().decode("latin-1")}
        assert not image.getexif().get_ifd(0x8825)
    assert not made(data)["jpeg"].getexif()
    assert made(photograph(64, 48), keep_copyright=True)["jpeg"].size == (64, 48)


# --- animations

COLOURS = (RED, GREEN, BLUE)


def animation(kind: str, count: int = 3, **options: object) -> bytes:
    frames = [Image.new("RGB", (64, 48), COLOURS[number % 3]) for number in range(count)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_stays_one(kind):
    data = animation(kind, duration=[40, 200, 60], loop=0)
    result = made(data, width=32)["webp"]
    assert (result.n_frames, result.size, result.info["loop"]) == (3, (32, 24), 0)
    for number, (duration, colour) in enumerate(zip((40, 200, 60), COLOURS, strict=True)):
        result.seek(number)
        result.load()
        assert result.info["duration"] == duration
        assert close(result.convert("RGB").getpixel((16, 12)), colour, 24)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_a_still_format_takes_the_first_frame(kind):
    result = made(animation(kind, duration=50), formats=("jpeg", "png", "avif"))
    for image in result.values():
        assert getattr(image, "n_frames", 1) == 1
        assert close(image.convert("RGB").getpixel((32, 24)), RED, 24)


@pytest.mark.parametrize(
    "budget", [AnimationBudget(max_frames=4), AnimationBudget(500, 64 * 48 * 4)]
)
def test_an_animation_over_its_budget_becomes_a_still(budget):
    presets = Presets((Preset("a", 64),), budget)
    for frames, expected in ((4, 4), (5, 1)):
        _header, (rendition,) = render(animation("GIF", frames, duration=50), presets)
        assert rendition.frames == expected


@pytest.mark.parametrize(("written", "shown"), [(0, 100), (10, 100), (20, 20)])
def test_durations_browsers_do_not_show_are_what_they_show(written, shown):
    result = made(animation("GIF", duration=written))["webp"]
    result.load()
    assert result.info["duration"] == shown


@pytest.mark.parametrize(("options", "loop"), [({}, 1), ({"loop": 0}, 0), ({"loop": 4}, 5)])
def test_a_gif_is_shown_as_often_as_before(options, loop):
    assert made(animation("GIF", duration=50, **options))["webp"].info["loop"] == loop


def test_an_animation_that_is_damaged_later_on_is_corrupt():
    data = bytearray(animation("WEBP", duration=50, lossless=True))
    at = data.rindex(b"VP8L") + 13
    data[at : at + 8] = b"\xff" * 8
    with pytest.raises(CorruptImage):
        made(bytes(data))


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    fit=st.sampled_from(["contain", "cover", "crop"]),
    gravity=st.sampled_from(list(SHARES)),
    enlarge=st.booleans(),
    orientation=st.integers(1, 8),
)
def test_any_fit_has_the_size_it_is_placed_in_and_again_when_repeated(
    size, width, height, fit, gravity, enlarge, orientation
):
    exif = Image.Exif()
    exif[headers.ORIENTATION] = orientation
    data = encoded(Image.new("RGB", size, GREEN), "JPEG", exif=exif)
    preset = Preset("a", width, height, fit, gravity, enlarge and fit != "crop", ("png",))
    _header, (once,) = render(data, Presets((preset,)))
    seen = size[::-1] if orientation >= 5 else size
    assert (once.width, once.height) == place(seen, preset).size
    _header, (twice,) = render(once.data, Presets((preset,)))
    # What was made for the preset is made into itself.
    assert twice.data == once.data


def test_a_multi_picture_object_is_taken_for_its_first_picture():
    data = encoded(
        Image.new("RGB", (64, 64), RED),
        "MPO",
        save_all=True,
        append_images=[Image.new("RGB", (64, 64), BLUE)],
    )
    assert close(rendered(data).getpixel((32, 32)), RED, 12)


def lossless(data: bytes) -> Image.Image:
    return made(data, formats=("png",))["png"]


@pytest.mark.parametrize(
    ("depth", "colour", "row", "key", "alphas"),
    [
        (1, 0, b"\x50", 1, (255, 0, 255, 0)),
        (2, 0, b"\x1b", 1, (255, 0, 255, 255)),
        (4, 0, b"\x37\xf0", 7, (255, 0, 255, 255)),
        (8, 0, b"\x07\x70\x07\xff", 7, (0, 255, 0, 255)),
        # Both bytes have to be the key's: 0x0102 is not 0x0101, and not 0x0202.
        (16, 0, b"\x01\x01\x01\x02\x02\x02\x01\x02", 0x0102, (255, 0, 255, 0)),
    ],
)
def test_one_grey_of_a_png_is_transparent_at_any_depth(depth, colour, row, key, alphas):
    keyed = chunk(b"tRNS", key.to_bytes(2, "big"))
    image = lossless(png(4, 1, depth, colour, b"\0" + row, keyed))
    assert image.mode == "RGBA"
    assert tuple(image.getchannel("A").tobytes()) == alphas


def test_grey_with_premultiplied_alpha_is_read():
    fields = replaced(
        (258, 3, 2, short(8) * 2),
        (277, 3, 1, short(2)),
        (279, 4, 1, long(24)),
        (338, 3, 1, short(1)),  # ExtraSamples: associated alpha
    )
    image = lossless(tiff(*fields, pixels=b"\x40\x80" * 12))
    assert image.getpixel((1, 1)) == (127, 127, 127, 128)


LONG_TEXT = zlib.compress(bytes(5_000_000))


@pytest.mark.parametrize(
    "odd",
    [
        chunk(b"zTXt", b"XML\0\0" + LONG_TEXT),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LONG_TEXT),
        chunk(b"iCCP", b"profile\0\0" + LONG_TEXT),
        chunk(b"iCCP", b"profile\0\0no zlib"),
        chunk(b"cHRM", b"short"),
        chunk(b"gAMA", b""),
        chunk(b"pHYs", bytes(9))[:-1] + b"!",
        chunk(b"tRNS", bytes(6))[:-1] + b"!",
        chunk(b"acTL", bytes(8)),
    ],
    ids=lambda odd: odd[4:8].decode(),
)
def test_odd_chunks_of_a_png_do_not_cost_the_picture(odd):
    row = b"\0" + b"\x10\x20\x30" * 40
    assert lossless(png(40, 30, 8, 2, row * 30, odd)).tobytes() == b"\x10\x20\x30" * 40 * 30


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
        b"\0\0\0\x18ftypisom" + bytes(40),
        b"II,\0" + bytes(40),
    ],
)
def test_other_formats_are_refused_by_their_first_bytes(data):
    with pytest.raises(UnsupportedFormat):
        formats.read_header(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_an_image_that_breaks_off_is_corrupt(kind, share):
    data = encoded(Image.open(io.BytesIO(photograph(300, 200))), kind)
    with pytest.raises(CorruptImage):
        render(data[: int(len(data) * share)], PRESETS)


@pytest.mark.parametrize("keep", [False, True])
def test_a_png_whose_compressed_data_is_damaged_is_corrupt(keep):
    # The checksums of its chunks are right, so its structure is.
    rows = bytearray(zlib.compress(random.Random(3).randbytes(121 * 30)))
    rows[len(rows) // 2] ^= 0xFF
    data = png(40, 30, 8, 2, bytes(121 * 30))
    start, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    damaged = data[:start] + chunk(b"IDAT", bytes(rows)) + data[end:]
    with pytest.raises(CorruptImage, match="cannot be decoded"):
        render(damaged, Presets((Preset("only", 20, keep_copyright=keep),)))


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
    [(40_000, 40_000), (12_000, 10_001), (65_501, 1), (1, 65_501)],
)
def test_a_decompression_bomb_is_refused_by_its_header(width, height):
    with pytest.raises(TooManyPixels):
        formats.read_header(png_header(width, height))


def test_a_jpeg_may_have_more_pixels_than_are_decoded():
    # 108 megapixels, decoded at a quarter of each side.
    data = encoded(Image.new("L", (12_000, 9_000), 128), "JPEG")
    header = formats.read_header(data)
    assert (header.width, header.height) == (12_000, 9_000)


def test_too_many_bytes_are_refused():
    with pytest.raises(TooLarge):
        formats.read_header(b"\xff\xd8\xff" + bytes(formats.MAX_BYTES))


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
