from __future__ import annotations

import io

import pytest
from PIL import Image

from benchmarks.photograph import ORIENTATION, photograph


def test_equal_arguments_give_equal_bytes():
    assert photograph(120, 90, seed=3) == photograph(120, 90, seed=3)
    assert photograph(120, 90, seed=3) != photograph(120, 90, seed=4)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (640, 480)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_the_picture_has_the_size_and_orientation_asked_for(size, orientation):
    image = Image.open(io.BytesIO(photograph(*size, orientation=orientation)))
    assert image.size == size
    assert image.getexif()[ORIENTATION] == orientation


def test_it_compresses_as_photographs_do():
    # Camera files of that quality take 1 to 4 bits a pixel; noise takes over 6, a gradient 0.2.
    assert 1 <= 8 * len(photograph(1600, 1200)) / (1600 * 1200) <= 4


@pytest.mark.parametrize("orientation", [0, 9])
def test_an_orientation_outside_exif_is_an_error(orientation):
    with pytest.raises(ValueError, match="1 to 8"):
        photograph(10, 10, orientation=orientation)
