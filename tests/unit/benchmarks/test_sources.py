from __future__ import annotations

import io

import pytest
from PIL import Image, ImageCms

from benchmarks import sources
from benchmarks.photograph import ORIENTATION


def test_equal_arguments_give_equal_bytes():
    assert sources.jpeg(300, 200, orientation=6) == sources.jpeg(300, 200, orientation=6)


def test_a_mosaic_is_filled_to_its_edges():
    image = sources.picture(4300, 3100)
    for box in ((0, 0, 50, 50), (4250, 3050, 4300, 3100), (4250, 0, 4300, 50)):
        low, high = image.crop(box).convert("L").getextrema()
        assert 0 < low < high


def test_jpegs_are_as_asked_for():
    profile = sources.display_p3()
    image = Image.open(
        io.BytesIO(sources.jpeg(90, 60, orientation=6, progressive=True, profile=profile))
    )
    assert image.size == (90, 60)
    assert image.getexif()[ORIENTATION] == 6
    assert image.info["progressive"]
    assert image.info["icc_profile"] == profile


def test_display_p3_has_wider_primaries_and_the_same_white():
    profile = ImageCms.ImageCmsProfile(io.BytesIO(sources.display_p3()))
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")

    def converted(*colour: int) -> tuple[int, ...]:
        image = ImageCms.applyTransform(Image.new("RGB", (1, 1), colour), transform)
        return image.getpixel((0, 0))

    # CSS Color 4, 10.3: color(display-p3 0.5 0.5 0.5) is the same grey in sRGB.
    assert all(abs(value - 128) <= 1 for value in converted(128, 128, 128))
    red, green, blue = converted(200, 100, 100)
    assert red > 205
    assert green < 100
    assert blue < 100


def test_a_png_runs_from_clear_to_opaque():
    alpha = Image.open(io.BytesIO(sources.png(64, 512))).getchannel("A")
    assert (alpha.getpixel((0, 0)), alpha.getpixel((0, 511))) == (0, 255)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_has_its_frames(kind):
    image = Image.open(io.BytesIO(sources.animation(kind)))
    assert (image.format, image.n_frames, image.size) == (kind, 30, (640, 480))
