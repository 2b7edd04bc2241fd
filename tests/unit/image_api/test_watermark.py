from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from benchmarks.photograph import photograph
from image_api import draw_watermark
from image_api.chalicelib import watermark
from image_api.chalicelib.geometry import SHARES
from image_api.chalicelib.presets import PRESETS, Preset, Presets, Watermark
from tests.unit.image_api.rendering import render

STYLE = next(iter(PRESETS)).watermark
TEXT = Watermark(text="© Example", scale=0.4)


def changed_box(style, size, mode="RGB"):
    plain = Image.new(mode, size, (100, 120, 140, 255)[: len(mode)])
    return ImageChops.difference(watermark.apply(plain, style), plain).convert("RGB").getbbox()


def test_the_stored_mark_is_the_drawn_one():
    with Image.open(watermark.FOLDER / STYLE.image) as stored:
        drawn = draw_watermark.draw()
        difference = ImageChops.difference(stored.convert("RGBA"), drawn)
    # Versions of Pillow may round differently.
    assert max(high for _low, high in difference.getextrema()) <= 2


@pytest.mark.parametrize("size", [(1920, 1280), (640, 480), (320, 213), (333, 777)])
def test_the_mark_is_at_the_bottom_right_inside_its_margin(size):
    ((left, top, right, bottom),) = watermark.places(STYLE, size)
    margin = round(size[0] * STYLE.margin)
    assert (right, bottom) == (size[0] - margin, size[1] - margin)
    assert right - left == round(size[0] * STYLE.scale)
    changed = changed_box(STYLE, size)
    assert left <= changed[0] < changed[2] <= right
    assert top <= changed[1] < changed[3] <= bottom


@pytest.mark.parametrize("style", [STYLE, TEXT])
@pytest.mark.parametrize("position", SHARES)
def test_every_position_puts_the_mark_where_its_name_says(position, style):
    size, style = (800, 600), replace(style, position=position)
    left, top, right, bottom = changed_box(style, size)
    across, down = SHARES[position]
    centre = (left + right) / 2 / size[0], (top + bottom) / 2 / size[1]
    for place, share in zip(centre, (across, down), strict=True):
        expected = {0: place < 0.35, 0.5: 0.4 < place < 0.6, 1: place > 0.65}
        assert expected[share], (position, centre)


@settings(max_examples=80, deadline=None)
@given(
    size=st.tuples(st.integers(1, 700), st.integers(1, 700)),
    position=st.sampled_from(list(SHARES)),
    tile=st.booleans(),
    scale=st.floats(0.02, 1),
    margin=st.floats(0, 0.4),
)
def test_no_mark_is_cut_off_or_overlaps_another(size, position, tile, scale, margin):
    style = replace(STYLE, position=position, tile=tile, scale=scale, margin=margin)
    boxes = watermark.places(style, size)
    edge = round(size[0] * margin)
    assert tile or len(boxes) <= 1
    for left, top, right, bottom in boxes:
        assert edge <= left < right <= size[0] - edge
        assert edge <= top < bottom <= size[1] - edge
    for number, a in enumerate(boxes[:20]):
        for b in boxes[number + 1 : 40]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_tiles_fill_the_picture():
    boxes = watermark.places(replace(STYLE, tile=True, scale=0.1, margin=0.02), (1000, 1000))
    assert len(boxes) == 8 * 10
    left, top, right, bottom = changed_box(replace(STYLE, tile=True, scale=0.1), (1000, 1000))
    assert left < 100
    assert top < 100
    assert right > 900
    assert bottom > 900


@pytest.mark.parametrize("size", [(10, 10), (1, 400), (400, 1), (1000, 60)])
def test_a_picture_too_small_for_the_mark_stays_as_it_is(size):
    assert changed_box(STYLE, size) is None


def test_the_mark_does_not_touch_the_picture_it_is_given():
    plain = Image.new("RGB", (640, 480), (100, 120, 140))
    before = plain.tobytes()
    watermark.apply(plain, STYLE)
    assert plain.tobytes() == before


@pytest.mark.parametrize("opacity", [0, 0.2, 0.55, 1])
@pytest.mark.parametrize("style", [STYLE, TEXT])
def test_opacity_bounds_how_far_the_mark_covers(style, opacity):
    black = Image.new("RGB", (1920, 1280), 0)
    marked = watermark.apply(black, replace(style, opacity=opacity))
    brightest = max(high for _low, high in marked.getextrema())
    # Lanczos overshoots at hard edges by a few levels.
    assert brightest == pytest.approx(255 * opacity, abs=4)


@pytest.mark.parametrize("style", [STYLE, TEXT])
def test_on_transparency_the_mark_has_its_own_opacity_and_colour(style):
    clear = Image.new("RGBA", (1920, 1280), (255, 0, 0, 0))
    marked = watermark.apply(clear, style)
    highest = marked.getchannel("A").getextrema()[1]
    assert highest == pytest.approx(255 * style.opacity, abs=4)
    # The red of fully transparent pixels is no colour: it must not show in the mark.
    ((left, top, right, bottom),) = watermark.places(style, clear.size)
    mark = marked.crop((left, top, right, bottom))
    visible = mark.getchannel("A").point(lambda alpha: 255 * (alpha > 40))
    red, green, _blue, _alpha = mark.split()
    excess = ImageChops.subtract(red, green)
    assert ImageChops.darker(excess, visible).getextrema()[1] == 0


def test_a_text_has_the_colour_asked_for():
    marked = watermark.apply(
        Image.new("RGB", (1000, 400), 0), replace(TEXT, colour=(255, 0, 0), opacity=1)
    )
    (_, red), (_, green), (_, blue) = marked.getextrema()
    assert red > 250
    assert green < 8
    assert blue < 8


@pytest.mark.parametrize("style", [STYLE, TEXT])
def test_on_opaque_pixels_rgb_and_rgba_agree(style):
    colour = (10, 200, 90)
    flat = watermark.apply(Image.new("RGB", (640, 480), colour), style)
    layered = watermark.apply(Image.new("RGBA", (640, 480), (*colour, 255)), style)
    difference = ImageChops.difference(flat, layered.convert("RGB"))
    assert max(high for _low, high in difference.getextrema()) <= 1


def test_every_rendition_carries_the_mark_unless_its_preset_has_none():
    marked, plain = Preset("a", 400, watermark=STYLE), Preset("b", 400)
    _header, (a, b) = render(photograph(800, 600), Presets((marked, plain)))
    with (
        Image.open(io.BytesIO(a.data)) as with_mark,
        Image.open(io.BytesIO(b.data)) as without,
    ):
        difference = ImageChops.difference(with_mark, without).point(
            lambda value: 255 * (value > 40)
        )
    ((left, top, right, bottom),) = watermark.places(STYLE, (400, 300))
    box = difference.getbbox()
    # JPEG spreads a change over its block of 16 pixels.
    assert box[0] >= left - 16
    assert box[1] >= top - 16
    assert (box[2], box[3]) <= (right + 16, bottom + 16)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_every_frame_of_an_animation_carries_the_mark(kind):
    frames = [Image.new("RGB", (400, 300), (shade, 30, 30)) for shade in (0, 40, 80, 120)]
    output = io.BytesIO()
    frames[0].save(output, kind, save_all=True, append_images=frames[1:], duration=50)
    _header, (rendition,) = render(
        output.getvalue(), Presets((Preset("a", 400, watermark=replace(STYLE, opacity=1)),))
    )
    with Image.open(io.BytesIO(rendition.data)) as animation:
        assert animation.n_frames == 4
        ((left, top, right, bottom),) = watermark.places(STYLE, (400, 300))
        for number in range(4):
            animation.seek(number)
            frame = animation.convert("RGB")
            assert frame.crop((left, top, right, bottom)).getchannel("G").getextrema()[1] > 200
            assert frame.crop((0, 0, 200, 150)).getchannel("G").getextrema()[1] < 60
