from __future__ import annotations

import json
import sys

import pytest
from PIL import Image, ImageFilter

from benchmarks import image_memory, image_quality, images, sources
from benchmarks.ratios import Ratio
from benchmarks.worker import WorkerError, started


@pytest.mark.parametrize("is_png", [False, True])
def test_ours_and_tuned_libvips_make_the_same_renditions(tmp_path, is_png):
    source, mark, out = (tmp_path / name for name in ("source", "mark.png", "out"))
    source.write_bytes(sources.png(400, 260) if is_png else sources.jpeg(400, 260, orientation=6))
    mark.write_bytes(sources.mark())
    out.mkdir()
    case = images.Case("a", bytes, {}, ("jpeg", "webp"), (200, 100), watermark=not is_png)
    task = json.loads(case.task(source, mark, "")) | {"output": str(out)}
    command = [sys.executable, "-m"]
    with (
        started([*command, "benchmarks.images_worker", json.dumps(task)], images.ROOT) as ours,
        started([*command, "benchmarks.libvips_worker", json.dumps(task)], images.ROOT) as theirs,
    ):
        images._compare(case, ours, theirs)
        answer = ours.work()
    assert answer["cpu"] > 0
    sizes = [each["size"] for each in answer["renditions"]]
    assert sizes == (
        [[200, 130]] * 2 + [[100, 65]] * 2 if is_png else [[200, 308]] * 2 + [[100, 154]] * 2
    )
    assert {path.name for path in out.iterdir()} == {"200.jpeg", "200.webp", "100.jpeg", "100.webp"}


def test_renditions_of_other_sizes_are_not_compared():
    class Answering:
        def __init__(self, width: int) -> None:
            self.width = width

        def work(self) -> dict[str, object]:
            return {"renditions": [{"size": [self.width, 100], "bytes": 1000}]}

    case = images.CASES[0]
    images._compare(case, Answering(100), Answering(101))
    with pytest.raises(WorkerError, match="2 MP JPEG: the sizes differ"):
        images._compare(case, Answering(100), Answering(102))


def test_the_median_is_of_the_cases_from_jpeg_to_jpeg():
    jpegs = [case.label for case in images.CASES if case.is_jpeg]
    assert len(jpegs) == 6
    ratios = {f"{label} / sharp": Ratio(n / 10, 0, 1, 1) for n, label in enumerate(jpegs)}
    ratios["8 MP PNG with alpha / sharp"] = Ratio(9.0, 9, 9, 1)
    assert images._medians(ratios) == {
        "median of JPEG to JPEG / sharp": Ratio(0.25, 0.0, 0.5, 0.33)
    }


def test_quality_figures_know_equal_worse_and_worst():
    image = sources.picture(200, 150)
    soft = image.filter(ImageFilter.GaussianBlur(1))
    softer = image.filter(ImageFilter.GaussianBlur(3))
    assert image_quality._error(image, image) == 0
    assert image_quality._ssim(image, image) == pytest.approx(1)
    assert image_quality._ssim(image, softer) < image_quality._ssim(image, soft) < 0.999
    assert image_quality._error(image, softer) > image_quality._error(image, soft) > 0
    grey, lighter = (Image.new("RGB", (50, 50), (value,) * 3) for value in (100, 110))
    # 10 log10(255² / 10²)
    assert image_quality._psnr(grey, lighter) == pytest.approx(28.13, abs=0.01)


def test_the_peak_of_a_whole_process_is_measured(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(sources.jpeg(2400, 1800))
    # The pixels as they are decoded, at least, and no other copy of the whole.
    assert 2400 * 1800 * 4 < image_memory.peak(source) < 3 * 2400 * 1800 * 4
    source.write_bytes(b"a letter")
    with pytest.raises(WorkerError, match="UnsupportedFormat"):
        image_memory.peak(source)
