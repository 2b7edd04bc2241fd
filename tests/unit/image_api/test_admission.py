from __future__ import annotations

import io
import json
import subprocess
import sys
from array import array

import pillow_heif
import pytest
from PIL import Image

from benchmarks.photograph import photograph
from image_api.chalicelib import admission
from image_api.chalicelib.formats import GIF, JPEG, PNG, WEBP, Header, read_header
from image_api.chalicelib.presets import PRESETS, AnimationBudget, Preset, Presets
from image_api.chalicelib.refusals import TooManyPixels

MIB = 2**20
# Renders standard input in a fresh process, and prints its peak memory in bytes.
MEASURE = """
import sys
from image_api.chalicelib.presets import PRESETS
from image_api.chalicelib.renditions import render
from image_api.chalicelib.allocator import keep_freed_memory
keep_freed_memory()
render(sys.stdin.buffer.read(), PRESETS, 10**12)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
"""


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


@pytest.fixture(scope="module")
def large() -> Image.Image:
    return Image.open(io.BytesIO(photograph(1600, 1200))).convert("RGB").resize((3200, 2400))


COSTLY = {
    "JPEG": ("RGB", {}),
    "progressive": ("RGB", {"progressive": True, "subsampling": "4:4:4"}),
    "CMYK": ("CMYK", {}),
    "PNG": ("LA", {"compress_level": 1}),
    "16-bit": ("I;16", {"compress_level": 1}),
    "WEBP": ("RGBA", {"method": 0}),
    "AVIF": ("RGBA", {"speed": 10}),
    "TIFF": ("F", {}),
    "BMP": ("RGB", {}),
    "GIF": ("P", {}),
}
KINDS = {"progressive": "JPEG", "CMYK": "JPEG", "16-bit": "PNG"}


def measured(data: bytes) -> int:
    finished = subprocess.run(
        [sys.executable, "-c", MEASURE], input=data, capture_output=True, check=True
    )
    peak: int = json.loads(finished.stdout)
    return peak


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")
@pytest.mark.parametrize("name", COSTLY)
def test_the_prediction_is_above_what_is_used_and_not_far(name, large):
    mode, options = COSTLY[name]
    data = encoded(large.convert(mode), KINDS.get(name, name), **options)
    peak = measured(data)
    predicted = admission.needed_bytes(read_header(data), len(data), PRESETS)
    assert peak < predicted < 3 * peak + 50 * MIB, (peak // MIB, predicted // MIB)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")
def test_heic_of_10_bits_is_predicted(large):
    output = io.BytesIO()
    options = {
        "bit_depth": 10,
        "chroma": "422",
        "quality": 30,
        "enc_params": {"preset": "ultrafast"},
    }
    wide = array("H", [value << 8 for value in large.tobytes()]).tobytes()
    pillow_heif.encode("RGB;16", large.size, wide, output, **options)
    data = output.getvalue()
    peak = measured(data)
    predicted = admission.needed_bytes(read_header(data), len(data), PRESETS)
    assert peak < predicted < 3 * peak, (peak // MIB, predicted // MIB)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")
def test_the_frames_of_an_animation_are_predicted():
    frames = [Image.effect_noise((600, 600), 60).quantize(64) for _ in range(60)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    peak = measured(data)
    predicted = admission.needed_bytes(read_header(data), len(data), PRESETS)
    assert peak < predicted < 2 * peak, (peak // MIB, predicted // MIB)


@pytest.mark.parametrize(
    ("header", "memory", "admitted"),
    [
        (Header(JPEG, 11_600, 8_700), 512, True),
        (Header(JPEG, 11_600, 8_700), 128, False),
        (Header(JPEG, 11_600, 8_700, samples=6 * 11_600 * 8_700), 512, False),
        (Header(PNG, 8_000, 6_000), 1769, True),
        (Header(PNG, 8_000, 6_000), 512, False),
        (Header(WEBP, 8_000, 6_000), 1769, True),
        (Header(WEBP, 10_900, 10_900), 1769, False),
    ],
)
def test_admission_is_by_the_functions_memory(header, memory, admitted):
    if admitted:
        admission.admit(header, 10**6, PRESETS, memory * MIB)
    else:
        with pytest.raises(TooManyPixels, match=f"there are {memory:,}"):
            admission.admit(header, 10**6, PRESETS, memory * MIB)


def test_a_larger_rendition_needs_more():
    header = Header(JPEG, 12_000, 9_000)
    small, large = (Presets((Preset("a", width),)) for width in (1000, 12_000))
    assert admission.decoded_size(header, admission.base_size(header, small)) == (1500, 1125)
    assert admission.decoded_size(header, admission.base_size(header, large)) == (12_000, 9_000)
    needed = [admission.needed_bytes(header, 10**6, presets) for presets in (small, large)]
    assert needed[1] > 4 * needed[0]


@pytest.mark.parametrize(
    ("frames", "size", "kept"),
    [
        (1, (10, 10), False),
        (2, (10, 10), True),
        (10, (10, 10), True),
        (11, (10, 10), False),
        (5, (100, 20), True),
        (6, (100, 20), False),
    ],
)
def test_an_animation_stays_one_within_frames_and_pixels(frames, size, kept):
    presets = Presets((Preset("a", 100),), AnimationBudget(max_frames=10, max_pixels=10_000))
    assert admission.is_animated(Header(GIF, *size, frames), presets) is kept
    assert not admission.is_animated(Header(PNG, *size, frames), presets)
