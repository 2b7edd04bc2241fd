"""Encoding: pictures to the bytes of a rendition, without metadata, within a byte budget."""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .presets import Colour, OutputFormat, Preset

MEDIA_TYPES: dict[OutputFormat, str] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
}
EXTENSIONS: dict[OutputFormat, str] = {
    "jpeg": "jpg",
    "png": "png",
    "webp": "webp",
    "avif": "avif",
}
# Imported by name, because saving in a format not registered yet makes Pillow import all 45.
_PLUGINS: dict[OutputFormat, str] = {
    "jpeg": "PIL.JpegImagePlugin",
    "png": "PIL.PngImagePlugin",
    "webp": "PIL.WebPImagePlugin",
    "avif": "PIL.AvifImagePlugin",
}


@dataclass(frozen=True)
class Picture:
    """An upright picture in sRGB, RGB or RGBA: its frames, and how they follow each other.

    A still has one frame. `durations` are in milliseconds; `loop` is how often an animation is
    shown, 0 for ever (RFC 9649, 2.7.1.1).
    """

    frames: tuple[Image.Image, ...]
    durations: tuple[int, ...] = (0,)
    loop: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """The (width, height) of every frame."""
        return self.frames[0].size

    @property
    def has_alpha(self) -> bool:
        """Whether any frame has an alpha channel."""
        return any(frame.mode == "RGBA" for frame in self.frames)

    def map(self, change: Callable[[Image.Image], Image.Image]) -> Picture:
        """Return the picture with every frame changed."""
        return Picture(tuple(map(change, self.frames)), self.durations, self.loop)

    def first(self) -> Picture:
        """Return the still that is the first frame."""
        return Picture(self.frames[:1])


def flatten(frame: Image.Image, background: Colour) -> Image.Image:
    """Lay a frame with transparency on the background; return others as they are."""
    if frame.mode != "RGBA":
        return frame
    flat = Image.new("RGB", frame.size, background)
    flat.paste(frame, mask=frame)
    return flat


def encode(
    picture: Picture, output_format: OutputFormat, preset: Preset, exif: bytes = b""
) -> bytes:
    """Encode a picture by the preset's quality, lowered until it fits in its `max_bytes`.

    A budget that even quality 1 exceeds is exceeded. JPEG must be without transparency.
    """
    import_module(_PLUGINS[output_format])
    if output_format == "png":
        return _save(picture.frames, "PNG", exif=exif)
    quality: int = getattr(preset.quality, output_format)
    data = _encode(picture, output_format, quality, exif)
    if preset.max_bytes is None or len(data) <= preset.max_bytes:
        return data
    # The highest quality that fits, by bisection: more quality takes more bytes.
    low, high = 1, quality
    best = _encode(picture, output_format, low, exif)
    while high - low > 1 and len(best) <= preset.max_bytes:
        middle = (low + high) // 2
        data = _encode(picture, output_format, middle, exif)
        if len(data) <= preset.max_bytes:
            low, best = middle, data
        else:
            high = middle
    return best


def _encode(picture: Picture, output_format: OutputFormat, quality: int, exif: bytes) -> bytes:
    match output_format:
        case "jpeg":
            return _save(
                picture.frames,
                "JPEG",
                quality=quality,
                subsampling="4:2:0",
                optimize=True,
                exif=exif,
            )
        case "avif":
            # One thread, as Lambda has at that size of memory; and equal bytes every time.
            return _save(
                picture.frames,
                "AVIF",
                quality=quality,
                speed=6,
                subsampling="4:2:0",
                max_threads=1,
                exif=exif,
            )
        case _:
            animation: dict[str, Any] = {}
            if len(picture.frames) > 1:
                animation = {
                    "save_all": True,
                    "append_images": picture.frames[1:],
                    "duration": list(picture.durations),
                    "loop": picture.loop,
                    # No key frames but the first, as libvips and gif2webp -kmax 0 do: choosing
                    # them means encoding every frame twice.
                    "kmin": 0,
                    "kmax": 0,
                }
            return _save(picture.frames, "WEBP", quality=quality, method=4, exif=exif, **animation)


def _save(frames: Sequence[Image.Image], pillow_format: str, **options: Any) -> bytes:
    output = io.BytesIO()
    if not options["exif"]:
        del options["exif"]
    frames[0].save(output, pillow_format, **options)
    return output.getvalue()
