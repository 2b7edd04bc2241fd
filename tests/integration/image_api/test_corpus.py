"""A corpus of odd files, built here, rendered within the function's memory and time.

Every file ends in renditions or in a typed refusal: no crash, no hang, no other exception. The
worker is a process of its own with a limit on its memory, as the function has.
"""

from __future__ import annotations

import io
import json
import os
import random
import struct
import subprocess
import sys
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageCms

from benchmarks.photograph import photograph
from image_api.chalicelib.headers import ORIENTATION
from image_api.chalicelib.presets import PRESETS
from tests.unit.image_api.handmade import chunk, long, png, replaced, tiff

# pillow-heif writes YCbCr by a function that Pillow 14 will not have.
pytestmark = pytest.mark.filterwarnings("ignore:.*getdata is deprecated:DeprecationWarning")

ROOT = Path(__file__).parents[3]
WORKER = Path(__file__).with_name("corpus_worker.py")
MEMORY = 1769 * 2**20
# The slowest file here takes a quarter of it; the function has 120 seconds.
SECONDS = 30
# How many damaged copies of each original; CORPUS_DAMAGED=500 is a long run.
DAMAGED = int(os.environ.get("CORPUS_DAMAGED", "12"))

KINDS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "HEIF")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F")
# Where files are cut off, as shares of their length.
CUTS = (*(number / 16 for number in range(1, 16)), 0.02, 0.98, 0.995)
# The formats that tell where they end, so that a part of a file is known for one.
SELF_DELIMITING = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF")


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def picture(width: int = 90, height: int = 60) -> Image.Image:
    image = Image.open(io.BytesIO(photograph(width, height)))
    image.info = {}
    return image.convert("RGB")


def modes() -> dict[str, bytes]:
    """Every mode in every format that can store it."""
    files = {}
    source = picture()
    for mode in MODES:
        if mode == "LAB":
            lab = ImageCms.createProfile("LAB")
            image = ImageCms.profileToProfile(
                source, ImageCms.createProfile("sRGB"), lab, outputMode="LAB"
            )
        else:
            step = source.convert("RGBA") if mode == "PA" else source
            image = (
                step.convert("P").convert("PA")
                if mode == "PA"
                else step.convert("L").convert(mode)
                if mode in ("I", "I;16", "F")
                else step.convert(mode)
            )
        for kind in KINDS:
            try:
                files[f"mode-{mode}-{kind}"] = encoded(image, kind)
            except (OSError, ValueError, KeyError):
                continue  # the format has no such mode
    return files


def depths() -> dict[str, bytes]:
    """Every kind of pixel a PNG can have, plain and with the transparency its kind allows."""
    files = {}
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    # Colour type and bit depths (PNG, 3rd edition, table 12).
    for colour, allowed in {
        0: (1, 2, 4, 8, 16),
        2: (8, 16),
        3: (1, 2, 4, 8),
        4: (8, 16),
        6: (8, 16),
    }.items():
        for depth in allowed:
            width, height = 40, 30
            row = bytes(
                (7 * number) % 251 for number in range(width * channels[colour] * depth // 8)
            )
            colours = (bytes(range(256)) * 3)[: 3 * 2**depth]
            palette = [chunk(b"PLTE", colours)] if colour == 3 else []
            plain = png(width, height, depth, colour, (b"\0" + row) * height, *palette)
            files[f"depth-{colour}-{depth}"] = plain
            keyed = {0: bytes(2), 2: bytes(6), 3: b"\x40\x80"}.get(colour)
            if keyed is not None:
                files[f"depth-{colour}-{depth}-keyed"] = png(
                    width,
                    height,
                    depth,
                    colour,
                    (b"\0" + row) * height,
                    *palette,
                    chunk(b"tRNS", keyed),
                )
    return files


def oriented() -> dict[str, bytes]:
    """Every orientation, and two that do not exist."""
    files = {}
    for orientation in range(10):
        for kind in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
            exif = Image.Exif()
            exif[ORIENTATION] = orientation
            files[f"orientation-{orientation}-{kind}"] = encoded(picture(), kind, exif=exif)
    return files


def odd() -> dict[str, bytes]:
    """Valid files that ask for care."""
    source = picture()
    alpha = source.convert("RGBA")
    alpha.putalpha(Image.linear_gradient("L").resize(alpha.size))
    frames = [source.rotate(30 * number) for number in range(6)]
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    row = b"\0" + b"\x80\x00\x40\x00\x20\x00" * 40
    rows = {"save_all": True, "append_images": frames[1:]}
    return {
        "progressive": encoded(source, "JPEG", progressive=True),
        "restarts": encoded(source, "JPEG", restart_marker_blocks=1),
        "subsampling-444": encoded(source, "JPEG", subsampling="4:4:4"),
        "subsampling-422": encoded(source, "JPEG", subsampling="4:2:2"),
        "mpo": encoded(source, "MPO", **rows),
        "cmyk-profile-of-rgb": encoded(source.convert("CMYK"), "JPEG", icc_profile=profile),
        "profile-garbage": encoded(source, "JPEG", icc_profile=b"\0" * 500),
        "profile-on-grey": encoded(source.convert("L"), "PNG", icc_profile=profile),
        "exif-garbage": encoded(source, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"x" * 30),
        "rgb-16-bit": png(40, 30, 16, 2, row * 30),
        "colour-key": png(40, 30, 8, 2, (b"\0" + b"\1\2\3" * 40) * 30, chunk(b"tRNS", bytes(6))),
        "palette-transparency": encoded(source.quantize(16), "PNG", transparency=3),
        "palette-alphas": encoded(source.quantize(8), "PNG", transparency=bytes(range(8))),
        "apng": encoded(source, "PNG", **rows),
        "avif-sequence": encoded(source, "AVIF", **rows),
        "tiff-pages": encoded(
            frames[1].copy(), "TIFF", save_all=True, append_images=[frames[2].copy()]
        ),
        "tiff-big-endian": encoded(source.convert("I;16B"), "TIFF"),
        "tiff-jpeg": encoded(source, "TIFF", compression="jpeg"),
        "tiff-lzw": encoded(alpha, "TIFF", compression="tiff_lzw"),
        "animated-gif": encoded(source, "GIF", **rows, duration=50),
        "animated-gif-no-duration": encoded(source, "GIF", **rows, duration=0),
        "animated-gif-alpha": encoded(alpha, "GIF", **rows, disposal=2, loop=3),
        "animated-webp": encoded(source, "WEBP", **rows, duration=[1, 2, 300, 40, 50, 60]),
        "animated-webp-alpha": encoded(alpha, "WEBP", **rows, lossless=True),
        "many-frames": encoded(
            Image.new("L", (1, 1)),
            "GIF",
            save_all=True,
            append_images=[Image.new("L", (1, 1), number % 256) for number in range(900)],
        ),
        "one-pixel": encoded(Image.new("RGB", (1, 1)), "JPEG"),
        "tall": encoded(Image.new("RGB", (1, 20_000)), "PNG"),
        "long": encoded(Image.new("RGB", (65_500, 1)), "JPEG"),
        "long-gif": encoded(Image.new("L", (30_000, 2)), "GIF"),
        "long-webp": encoded(Image.new("RGBA", (16_383, 3), (0, 0, 0, 9)), "WEBP"),
    }


def polyglots() -> dict[str, bytes]:
    """Files that are something else, too, or only at first sight an image."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("run.sh", "echo pwned")
    script = b"<script>alert(1)</script><?php system($_GET[0]); ?>"
    source = picture()
    return {
        "jpeg-zip": encoded(source, "JPEG") + archive.getvalue(),
        "jpeg-script": encoded(source, "JPEG", comment=script),
        "png-html": encoded(source, "PNG") + b"<html>" + script,
        "gif-script": encoded(source.quantize(), "GIF", comment=script),
        "webp-zip": encoded(source, "WEBP") + archive.getvalue(),
        "avif-zip": encoded(source, "AVIF") + archive.getvalue(),
        "bmp-zip": encoded(source, "BMP") + archive.getvalue(),
        "tiff-zip": encoded(source, "TIFF") + archive.getvalue(),
    }


def impostors() -> dict[str, bytes]:
    """Files of other kinds, and those that only begin as images."""
    return {
        "html": b"<html><body>no</body></html>",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        "pdf": b"%PDF-1.7\n" + bytes(100),
        "zip": b"PK\x03\x04" + bytes(100),
        "psd": b"8BPS\0\1" + bytes(100),
        "ico": b"\0\0\1\0\1\0" + bytes(100),
        "wave": b"RIFF\x24\0\0\0WAVEfmt " + bytes(28),
        "mp4": b"\0\0\0\x18ftypisom" + bytes(100),
        "jpeg2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60),
        "panasonic-raw": b"IIU\0\x18\0\0\0" + bytes(60),
        "zeros": bytes(1000),
        "one-byte": b"\xff",
    }


def bombs() -> dict[str, bytes]:
    """Few bytes that ask for many pixels."""
    small = encoded(Image.new("L", (8, 8)), "JPEG")
    at = small.index(b"\xff\xc0")
    gif = bytearray(encoded(Image.new("L", (8, 8)), "GIF"))
    gif[6:10] = b"\xff\xff\xff\xff"
    bmp = bytearray(encoded(Image.new("L", (8, 8)), "BMP"))
    bmp[18:26] = struct.pack("<ii", 60_000, 60_000)
    lzw = encoded(Image.new("L", (8, 8)), "TIFF", compression="tiff_lzw")
    for tag in (256, 257):  # ImageWidth, ImageLength
        entry = struct.pack("<HHII", tag, 3, 1, 8)
        assert entry in lzw
        lzw = lzw.replace(entry, struct.pack("<HHII", tag, 3, 1, 60_000))
    avif = encoded(Image.new("L", (8, 8)), "AVIF")
    sizes = b"ispe\0\0\0\0" + struct.pack(">II", 8, 8)
    assert sizes in avif
    animation = [Image.new("P", (16_000, 5_000)) for _ in range(2)]
    return {
        "png-header": png(60_000, 60_000, 8, 2, bytes(1000)),
        "png-text": png(
            8, 8, 8, 0, bytes(72), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000)))
        ),
        "png-profile": png(
            8, 8, 8, 0, bytes(72), chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(50_000_000)))
        ),
        "png-pixels": png(8, 8, 8, 0, bytes(60_000_000)),
        "png-whole": png(10_900, 10_900, 1, 0, bytes(1364) * 10_900),
        "jpeg-scans": many_scans(9000),
        "jpeg-header": small[: at + 5] + struct.pack(">HH", 65_500, 65_500) + small[at + 9 :],
        "gif-screen": bytes(gif),
        "gif-frames": encoded(
            animation[0], "GIF", save_all=True, append_images=animation[1:], duration=[9, 9]
        ),
        "bmp-header": bytes(bmp),
        "tiff-header": lzw,
        "avif-header": avif.replace(sizes, sizes[:8] + struct.pack(">II", 60_000, 60_000)),
        "webp-whole": encoded(Image.new("RGB", (12_000, 9_999)), "WEBP", lossless=True, method=0),
    }


def piles() -> dict[str, bytes]:
    """Small pictures with as many empty parts as go into 20 MB: work for whoever goes through."""
    source = picture()
    jpeg, raster, webp = (encoded(source, kind) for kind in ("JPEG", "PNG", "WEBP"))
    gif = encoded(Image.new("P", (1, 1)), "GIF")
    frame = gif[gif.index(b",\0\0\0\0") : -1]
    size = 20_000_000
    chunks = webp[8:] + b"XXXX\0\0\0\0" * (size // 8)
    return {
        "jpeg-comments": jpeg[:2] + b"\xff\xfe\0\2" * (size // 4) + jpeg[2:],
        "jpeg-tables": jpeg[:2] + b"\xff\xdb\0\2" * (size // 4) + jpeg[2:],
        "jpeg-fill": jpeg[:2] + b"\xff" * size + jpeg[2:],
        "png-texts": raster[:33] + chunk(b"tEXt", b"") * (size // 12) + raster[33:],
        "png-data": raster[:-12] + chunk(b"IDAT", b"") * (size // 12) + raster[-12:],
        "gif-frames": gif[:-1] + frame * (size // len(frame)) + b";",
        "webp-chunks": b"RIFF" + struct.pack("<I", len(chunks)) + chunks,
        "avif-boxes": encoded(source, "AVIF") + b"\0\0\0\x08free" * (size // 8),
        "tiff-fields": tiff(
            *replaced((273, 4, 2**21, long(0))),
            *((tag, 4, 2**21, long(0)) for tag in range(1000, 61_000)),
            pixels=bytes(8 * 2**20),
        ),
    }


def many_scans(size: int) -> bytes:
    """A progressive JPEG whose last scan comes a thousand times."""
    data = encoded(Image.new("L", (size, size)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 1000 + data[-2:]


def originals() -> dict[str, bytes]:
    """One file of each format, and the kinds of JPEG, PNG and WebP that decode differently."""
    source, files = picture(), {}
    for kind in KINDS:
        files[kind] = encoded(source.quantize() if kind == "GIF" else source, kind)
    frames = [source.rotate(120 * number) for number in range(3)]
    return files | {
        "JPEG-progressive": encoded(source, "JPEG", progressive=True),
        "JPEG-cmyk": encoded(source.convert("CMYK"), "JPEG"),
        "PNG-palette": encoded(source.quantize(), "PNG", transparency=3),
        "PNG-16-bit": encoded(source.convert("I;16"), "PNG"),
        "TIFF-deflate": encoded(source, "TIFF", compression="tiff_deflate"),
        "WEBP-lossless": encoded(source, "WEBP", lossless=True),
        "WEBP-animated": encoded(source, "WEBP", save_all=True, append_images=frames),
        "GIF-animated": encoded(source, "GIF", save_all=True, append_images=frames),
    }


def truncated() -> dict[str, bytes]:
    return {
        f"{name}-cut-{share:.4f}": data[: max(1, round(len(data) * share))]
        for name, data in originals().items()
        # At every few bytes of the header, and at many places after it.
        for share in (*(at / len(data) for at in range(1, 64, 7)), *CUTS)
    }


def damaged() -> dict[str, bytes]:
    """Bytes changed, removed, inserted and swapped at random."""
    source, files = random.Random(7), {}
    for name, original in originals().items():
        for number in range(DAMAGED):
            data = bytearray(original)
            for _ in range(source.randrange(1, 6)):
                at = source.randrange(len(data))
                match source.randrange(4):
                    case 0:
                        data[at] = source.randrange(256)
                    case 1:
                        del data[at : at + source.randrange(1, 40)]
                    case 2:
                        data[at:at] = source.randbytes(source.randrange(1, 40))
                    case 3:
                        # Headers are where a single byte does most.
                        data[min(at, source.randrange(64), len(data) - 1)] = 0xFF
            files[f"{name}-{number}"] = bytes(data)
    return files


@pytest.fixture(scope="module", autouse=True)
def heic():
    """Writing HEIC, for the corpus; the app itself only reads it."""
    pillow_heif.register_heif_opener()


@pytest.fixture
def run(tmp_path):
    def call(files: dict[str, bytes]) -> dict[str, dict]:
        folder = tmp_path / "corpus"
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        finished = subprocess.run(
            [sys.executable, str(WORKER), str(folder), str(MEMORY), str(SECONDS)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        answers = [json.loads(line) for line in finished.stdout.splitlines()]
        following = sorted(files)[len(answers) :][:1]
        assert finished.returncode == 0, f"{following}: {finished.stderr[-2000:]}"
        assert [answer["file"] for answer in answers] == sorted(files)
        assert max(answer["seconds"] for answer in answers) < SECONDS
        return {answer["file"]: answer for answer in answers}

    return call


def outcomes(answers: dict[str, dict]) -> dict[str, str]:
    return {name: answer["outcome"] for name, answer in answers.items()}


def test_every_mode_orientation_and_odd_file_has_renditions_of_the_right_size(run):
    files = modes() | depths() | oriented() | odd()
    assert len(files) > 130
    answers = run(files)
    assert {name for name, outcome in outcomes(answers).items() if outcome != "renditions"} == set()
    widths = [preset.width for preset in PRESETS]
    for name, answer in answers.items():
        width, height = answer["size"]
        if name.startswith("orientation"):
            assert (width, height) == ((60, 90) if name[12] in "5678" else (90, 60)), name
        if max(width, height) > 16_383:
            continue
        for made, asked in zip(answer["made"], widths, strict=True):
            assert made[0] == min(asked, width), name
            assert abs(made[1] - max(1, height * made[0] / width)) <= 1, name
    for name, frames in (("animated-gif", 6), ("animated-webp-alpha", 6), ("many-frames", 1)):
        assert {made[2] for made in answers[name]["made"]} == {frames}, name


def test_a_polyglot_is_taken_for_the_image_it_begins_as(run):
    assert set(outcomes(run(polyglots())).values()) == {"renditions"}


def test_what_is_no_image_is_refused(run):
    assert set(outcomes(run(impostors())).values()) == {"UnsupportedFormat"}


def test_bombs_are_defused(run):
    found = outcomes(run(bombs()))
    # Pixels no header announces are not asked for, and what fits in memory is rendered.
    assert found.pop("png-pixels") == "renditions"
    assert found.pop("png-whole") == "renditions"
    assert found.pop("gif-frames") == "renditions"
    assert {found.pop(name) for name in ("png-text", "png-profile")} <= {
        "CorruptImage",
        "renditions",
    }
    # The rows it announces are not in the file.
    assert found.pop("bmp-header") == "CorruptImage"
    # Each scan takes as long as the picture, and a hundred bytes.
    assert found.pop("jpeg-scans") == "CorruptImage"
    assert set(found.values()) == {"TooManyPixels"}, found


def test_parts_piled_up_take_no_time(run):
    answers = run(piles())
    found = outcomes(answers)
    # What no decoder asks for is not read, so this one is no worse for it.
    assert found.pop("tiff-fields") == "renditions"
    assert set(found.values()) == {"CorruptImage"}, found
    assert max(answer["seconds"] for answer in answers.values()) < SECONDS / 3


def test_a_file_that_breaks_off_is_corrupt(run):
    found = outcomes(run(truncated()))
    # A TIFF or BMP that lost only padding, or metadata at its end, is none the worse for it.
    assert {
        outcome for name, outcome in found.items() if name.split("-")[0] in SELF_DELIMITING
    } <= {"CorruptImage", "UnsupportedFormat"}
    assert set(found.values()) <= {"CorruptImage", "UnsupportedFormat", "renditions"}
    assert Counter(found.values())["CorruptImage"] > 0.8 * len(found)


def test_damaged_files_are_rendered_or_refused_never_anything_else(run):
    counted = Counter(outcomes(run(damaged())).values())
    assert set(counted) <= {"renditions", "CorruptImage", "TooManyPixels", "UnsupportedFormat"}
    # Neither too tame nor mere noise.
    assert min(counted["renditions"], counted["CorruptImage"]) > 10
