"""What the renditions look like beside sharp's, and how many bytes they take.

The reference is the whole picture, decoded in full, in sRGB, upright, and resized by Lanczos. Two
figures say how far a rendition is from it: the mean squared error (PSNR is its logarithm), and
1 - SSIM (Wang et al., 2004), which goes by structure as eyes do. Both and the bytes are given as
ratios to sharp's, so that 1 is as good, and below 1 is better.
"""

from __future__ import annotations

import io
import json
import math
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from PIL import Image, ImageCms, ImageOps

from benchmarks import peers, sources
from benchmarks.images import FOLDER, ROOT, WIDTHS, fetch_photographs
from benchmarks.ratios import Ratio, Result
from benchmarks.worker import started

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyvips

NAME = "image_quality"
# Within the width of a measurement: encoders of the same quality differ by as much.
GOAL = 1.03
SOURCES: dict[str, Callable[[], bytes]] = {
    "12 MP JPEG": lambda: sources.jpeg(4000, 3000),
    "13 MP JPEG, rotated, Display P3": lambda: sources.jpeg(
        4160, 3120, orientation=6, profile=sources.display_p3()
    ),
    "8 MP PNG": lambda: sources.png(3264, 2448),
}
FORMATS = ("jpeg", "webp")


def run(_rounds: int) -> Result:
    """Render once and compare; what is measured does not vary. Raises WorkerError."""
    try:
        peers.sharp()
        peers.libvips()
    except peers.PeerMissing as missing:
        return Result(NAME, {}, skipped=str(missing))
    fetch_photographs(NAME)
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, make in SOURCES.items():
            source = folder / "source"
            source.write_bytes(make())
            ours = _rendered(source, folder / "ours", [sys.executable, "-m"], ROOT)
            theirs = _rendered(source, folder / "sharp", ["node"], FOLDER)
            for width in WIDTHS:
                expected = _reference(source.read_bytes(), width)
                for form in FORMATS:
                    file = f"{width}.{form}"
                    a, b = _flat(ours / file), _flat(theirs / file)
                    print(
                        f"{NAME}: {label}, {file}: PSNR {_psnr(a, expected):.2f} dB "
                        f"(sharp {_psnr(b, expected):.2f}), SSIM {_ssim(a, expected):.4f} "
                        f"(sharp {_ssim(b, expected):.4f})",
                        file=sys.stderr,
                    )
                    pairs = {
                        "squared error": _error(a, expected) / _error(b, expected),
                        "1 - SSIM": (1 - _ssim(a, expected)) / (1 - _ssim(b, expected)),
                        "bytes": (ours / file).stat().st_size / (theirs / file).stat().st_size,
                    }
                    for figure, value in pairs.items():
                        found.setdefault(f"{form}, {figure} / sharp", []).append(value)
    return Result(
        NAME,
        {
            label: Ratio(
                round(median(values), 3), round(min(values), 3), round(max(values), 3), GOAL
            )
            for label, values in found.items()
        },
    )


def _rendered(source: Path, folder: Path, program: list[str], directory: Path) -> Path:
    """Have a worker write its renditions of `source` into `folder`."""
    folder.mkdir(exist_ok=True)
    task = {
        "source": str(source),
        "widths": WIDTHS,
        "formats": FORMATS,
        "watermark": None,
        "animated": False,
        "output": str(folder),
        "mode": "pipelines" if program == ["node"] else "",
    }
    script = "sharp_worker.mjs" if program == ["node"] else "benchmarks.images_worker"
    with started([*program, script, json.dumps(task)], directory) as worker:
        worker.work()
    return folder


def _reference(data: bytes, width: int) -> Image.Image:
    """Return the picture at that width, made with nothing spared."""
    with Image.open(io.BytesIO(data)) as image:
        profile = image.info.get("icc_profile")
        upright = ImageOps.exif_transpose(image)
        if profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                upright, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            upright = converted or upright
        size = width, math.floor(upright.height * width / upright.width + 0.5)
        return _on_white(upright.resize(size, Image.Resampling.LANCZOS))


def _flat(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return _on_white(image)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("RGB")
    flat = Image.new("RGB", image.size, (255, 255, 255))
    flat.paste(image, mask=image)
    return flat


def _vips(image: Image.Image) -> pyvips.Image:
    import pyvips

    return pyvips.Image.new_from_memory(image.tobytes(), image.width, image.height, 3, "uchar")


def _error(a: Image.Image, b: Image.Image) -> float:
    """Return the mean squared error of two pictures."""
    return float(((_vips(a) - _vips(b)) ** 2).avg())


def _psnr(a: Image.Image, b: Image.Image) -> float:
    return 10 * math.log10(255**2 / max(_error(a, b), 1e-9))


def _ssim(a: Image.Image, b: Image.Image) -> float:
    """Return the structural similarity of two pictures (Wang et al., 2004; Gauss, sigma 1.5)."""
    x, y = _vips(a).cast("float"), _vips(b).cast("float")

    def blurred(image: pyvips.Image) -> pyvips.Image:
        return image.gaussblur(1.5, precision="float")

    mean_x, mean_y = blurred(x), blurred(y)
    variance_x = blurred(x * x) - mean_x * mean_x
    variance_y = blurred(y * y) - mean_y * mean_y
    covariance = blurred(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    numerator = (mean_x * mean_y * 2 + c1) * (covariance * 2 + c2)
    denominator = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float((numerator / denominator).avg())
