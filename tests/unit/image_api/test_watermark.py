from __future__ import annotations

import pytest
from PIL import Image, ImageChops

from benchmarks.photograph import photograph
from image_api import draw_watermark
from image_api.chalicelib import watermark
from image_api.chalicelib.presets import PRESETS, WATERMARK
from image_api.chalicelib.renditions import render


def test_the_stored_mark_is_the_drawn_one():
    with Image.open(watermark.FILE) as stored:
        drawn = draw_watermark.draw()
        difference = ImageChops.difference(stored.convert("RGBA"), drawn)
    # Versions of Pillow may round differently.
    assert max(high for _low, high in difference.getextrema()) <= 2


@pytest.mark.parametrize("size", [(1920, 1280), (640, 480), (320, 213), (333, 777)])
def test_the_mark_is_at_the_bottom_right_inside_its_margin(size):
    left, top, right, bottom = watermark.place(size)
    margin = round(size[0] * WATERMARK.margin)
    assert (right, bottom) == (size[0] - margin, size[1] - margin)
    assert right - left == round(size[0] * WATERMARK.width)
    assert top > 0

    plain = Image.new("RGB", size, (100, 120, 140))
    changed = ImageChops.difference(watermark.apply(plain), plain).getbbox()
    assert changed is not None
    assert changed[0] >= left
    assert changed[1] >= top
    assert changed[2] <= right
    assert changed[3] <= bottom


@pytest.mark.parametrize("size", [(10, 10), (1, 400), (400, 1), (1000, 60)])
def test_a_picture_too_small_for_the_mark_stays_as_it_is(size):
    plain = Image.new("RGB", size, (100, 120, 140))
    assert watermark.apply(plain).tobytes() == plain.tobytes()


def test_the_mark_does_not_touch_the_picture_it_is_given():
    plain = Image.new("RGB", (640, 480), (100, 120, 140))
    before = plain.tobytes()
    watermark.apply(plain)
    assert plain.tobytes() == before


def test_opacity_bounds_how_far_the_mark_covers():
    black = Image.new("RGB", (1920, 1280), 0)
    brightest = max(high for _low, high in watermark.apply(black).getextrema())
    assert brightest == pytest.approx(255 * WATERMARK.opacity, abs=3)


def test_on_transparency_the_mark_has_its_own_opacity_and_colour():
    clear = Image.new("RGBA", (1920, 1280), (255, 0, 0, 0))
    marked = watermark.apply(clear)
    assert marked.getchannel("A").getextrema()[1] == pytest.approx(255 * WATERMARK.opacity, abs=3)
    # The red of fully transparent pixels is no colour: it must not show in the mark.
    box = watermark.place(clear.size)
    centre = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
    red, green, blue, _alpha = marked.getpixel(centre)
    assert red == green == blue


def test_on_opaque_pixels_rgb_and_rgba_agree():
    colour = (10, 200, 90)
    flat = watermark.apply(Image.new("RGB", (640, 480), colour))
    layered = watermark.apply(Image.new("RGBA", (640, 480), (*colour, 255)))
    difference = ImageChops.difference(flat, layered.convert("RGB"))
    assert max(high for _low, high in difference.getextrema()) <= 1


def test_every_rendition_carries_the_mark():
    data = photograph(2000, 1400)
    _header, marked = render(data, PRESETS)
    _header, plain = render(data, PRESETS, watermarked=False)
    assert [a.data == b.data for a, b in zip(marked, plain, strict=True)] == [False] * 4
