from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_api.chalicelib.geometry import SHARES, Placement, offset, place
from image_api.chalicelib.presets import MAX_SIDE, Preset

sizes = st.tuples(st.integers(1, 65_500), st.integers(1, 65_500))
sides = st.integers(1, MAX_SIDE)
positions = st.sampled_from(list(SHARES))


def is_aspect_kept(full, size):
    """Whether each side is within a pixel of what the other one asks for, and at least one."""
    width, height = size
    return (
        abs(width - max(1, Fraction(full[0] * height, full[1]))) <= 1
        or abs(height - max(1, Fraction(full[1] * width, full[0]))) <= 1
    ) and min(size) >= 1


@given(sizes, sides, st.none() | sides, st.booleans())
def test_contain_shows_all_within_the_bounds_and_keeps_the_aspect_ratio(
    full, width, height, enlarge
):
    placement = place(full, Preset("a", width, height, enlarge=enlarge))

    assert placement.box == (0, 0, *full)
    assert placement.size[0] <= width
    assert placement.size[1] <= (height or MAX_SIDE)
    assert is_aspect_kept(full, placement.size)
    if enlarge:
        # One bound is reached, or it would not be as large as it may be.
        assert placement.size[0] == width or placement.size[1] == (height or MAX_SIDE)
    else:
        assert placement.size[0] <= full[0]
        assert placement.size[1] <= full[1]


@given(sizes, sides, sides, positions, st.booleans())
def test_cover_fills_the_size_with_the_largest_piece_of_its_aspect_ratio(
    full, width, height, gravity, enlarge
):
    preset = Preset("a", width, height, "cover", gravity, enlarge)
    placement = place(full, preset)
    left, top, right, bottom = placement.box

    if enlarge or (full[0] >= width and full[1] >= height):
        assert placement.size == (width, height)
    else:
        assert placement.size[0] <= min(width, full[0])
        assert placement.size[1] <= min(height, full[1])
        assert is_aspect_kept((width, height), placement.size)
    assert 0 <= left < right <= full[0] + 1e-9
    assert 0 <= top < bottom <= full[1] + 1e-9
    # One side of the box is the picture's, and the scale is the same along both.
    assert math.isclose(right - left, full[0]) or math.isclose(bottom - top, full[1])
    assert math.isclose(
        (right - left) * placement.size[1], (bottom - top) * placement.size[0], rel_tol=1e-9
    )


@given(sizes, sides, sides, positions, st.booleans())
def test_crop_cuts_whole_pixels_out_at_their_own_size(full, width, height, gravity, enlarge):
    placement = place(full, Preset("a", width, height, "crop", gravity, enlarge))
    left, top, right, bottom = placement.box
    assert placement.size == (min(width, full[0]), min(height, full[1]))
    assert placement.size == (right - left, bottom - top)
    assert 0 <= left < right <= full[0]
    assert 0 <= top < bottom <= full[1]


@given(sizes, sides, sides, st.sampled_from(["contain", "cover", "crop"]), positions)
def test_placing_twice_changes_nothing(full, width, height, fit, gravity):
    preset = Preset("a", width, height, fit, gravity)
    once = place(full, preset)
    assert place(once.size, preset).size == once.size


@given(sizes, positions, st.data())
def test_gravity_names_the_side_that_stays(full, gravity, data):
    inner = data.draw(st.integers(1, full[0])), data.draw(st.integers(1, full[1]))
    left, top = offset(full, inner, gravity)
    right, bottom = full[0] - left - inner[0], full[1] - top - inner[1]
    assert min(left, top, right, bottom) >= 0
    for name, room in (("left", left), ("right", right), ("top", top), ("bottom", bottom)):
        if name in gravity.split("-"):
            assert room == 0
    if gravity == "center":
        assert abs(left - right) <= 1
        assert abs(top - bottom) <= 1


@pytest.mark.parametrize(
    ("full", "preset", "box", "size"),
    [
        ((4000, 3000), Preset("a", 1920), (0, 0, 4000, 3000), (1920, 1440)),
        ((4000, 3000), Preset("a", 1920, 1080), (0, 0, 4000, 3000), (1440, 1080)),
        ((500, 300), Preset("a", 1920), (0, 0, 500, 300), (500, 300)),
        ((500, 300), Preset("a", 1000, enlarge=True), (0, 0, 500, 300), (1000, 600)),
        ((20_000, 1), Preset("a", 320), (0, 0, 20_000, 1), (320, 1)),
        ((1, 20_000), Preset("a", 320), (0, 0, 1, 20_000), (1, 16_383)),
        ((4000, 3000), Preset("a", 400, 400, "cover"), (500, 0, 3500, 3000), (400, 400)),
        ((4000, 3000), Preset("a", 400, 400, "cover", "left"), (0, 0, 3000, 3000), (400, 400)),
        ((300, 200), Preset("a", 400, 400, "cover"), (50, 0, 250, 200), (200, 200)),
        ((300, 200), Preset("a", 100, 50, "crop", "bottom-right"), (200, 150, 300, 200), (100, 50)),
    ],
)
def test_examples(full, preset, box, size):
    assert place(full, preset) == Placement(box, size)
