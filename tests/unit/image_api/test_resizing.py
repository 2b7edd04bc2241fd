from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from benchmarks.photograph import photograph
from image_api.chalicelib import resizing
from image_api.chalicelib.resizing import resize

PHOTOGRAPH = Image.open(io.BytesIO(photograph(401, 303))).convert("RGB")
# With room above and below: where a filter overshoots 0 or 255, the order of its two passes decides
# which pixels are clipped, and the two resizers take another order.
SOFT = PHOTOGRAPH.point(lambda value: 64 + value // 2)


def picture(mode: str, size: tuple[int, int], source: Image.Image = SOFT) -> Image.Image:
    image = source.crop((0, 0, *size))
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(size).point(lambda value: 64 + value // 2))
    return image.convert(mode)


def stock(image: Image.Image, size: tuple[int, int], box=None) -> Image.Image:
    return image.resize(size, Image.Resampling.LANCZOS, box=box)


def largest_difference(a: Image.Image, b: Image.Image) -> int:
    if a.mode == "RGBA":
        # Where nothing shows, the colour is nobody's business.
        a, b = a.convert("RGBa"), b.convert("RGBa")
    bands = zip(a.split(), b.split(), strict=True)
    return max(ImageChops.difference(x, y).getextrema()[1] for x, y in bands)


def test_the_accelerated_resizer_is_what_runs_here():
    assert resizing.ACCELERATED


@pytest.mark.parametrize("mode", sorted(resizing.ACCELERATED_MODES))
@pytest.mark.parametrize("size", [(400, 300), (199, 151), (1, 1), (37, 500), (900, 700)])
@pytest.mark.parametrize("box", [None, (10.25, 20.5, 390.75, 299.0)])
def test_accelerated_and_stock_pillow_agree(mode, size, box):
    image = picture(mode, (401, 303))
    # Each of the two passes may round the other way, and so may the alpha's two.
    allowed = 4 if mode == "RGBA" else 2
    assert largest_difference(resize(image, size, box), stock(image, size, box)) <= allowed


@pytest.mark.parametrize("size", [(400, 300), (199, 151), (37, 500), (900, 700)])
def test_at_hard_edges_the_mean_agrees(size):
    image = picture("RGB", (401, 303), PHOTOGRAPH)
    difference = ImageChops.difference(resize(image, size), stock(image, size))
    assert max(ImageStat.Stat(difference).mean) < 0.3


@settings(max_examples=60, deadline=None)
@given(
    full=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    mode=st.sampled_from(["L", "RGB"]),
    data=st.data(),
)
def test_any_box_of_any_size_agrees_with_stock_pillow(full, size, mode, data):
    image = picture(mode, full)
    left, top = data.draw(st.floats(0, full[0] - 0.5)), data.draw(st.floats(0, full[1] - 0.5))
    box = (
        left,
        top,
        data.draw(st.floats(left + 0.25, full[0])),
        data.draw(st.floats(top + 0.25, full[1])),
    )
    # From a box of few pixels the overshoot is larger, and clipped after all.
    assert largest_difference(resize(image, size, box), stock(image, size, box)) <= 6


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_consuming_the_picture_gives_the_same(mode):
    image = picture(mode, (401, 303))
    kept = resize(image, (100, 80))
    assert largest_difference(kept, resize(image, (100, 80), consume=True)) <= 1


def test_modes_unknown_to_the_resizer_go_to_pillow():
    image = picture("L", (64, 48)).convert("F")
    assert resize(image, (20, 10)).tobytes() == stock(image, (20, 10)).tobytes()


def test_without_the_resizer_pillow_resizes(monkeypatch):
    monkeypatch.setattr(resizing, "ACCELERATED", False)
    image = picture("RGBA", (64, 48))
    assert resize(image, (20, 10)).tobytes() == stock(image, (20, 10)).tobytes()


def test_the_same_size_is_the_same_picture():
    image = picture("RGB", (64, 48))
    assert resize(image, (64, 48), (0, 0, 64, 48)) is image
