"""Renditions: bytes of an upload in, bytes of every rendition out. Pure, and deterministic.

The work is ordered by cost. The file is decoded once, a JPEG at the smallest scale that serves the
densest rendition; that one is resized from the decoded pixels and every other from the next denser
one; colour and orientation are put right on the small picture, not on the large one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image

from . import admission, watermark
from .colour import can_be_filtered, to_srgb
from .encoding import EXTENSIONS, MEDIA_TYPES, Picture, encode, flatten
from .formats import (
    Header,
    open_image,
    orientation,
    refusing_decoder_errors,
)
from .geometry import place
from .refusals import CorruptImage
from .resizing import resize

if TYPE_CHECKING:
    from .geometry import Box, Placement, Size
    from .presets import OutputFormat, Preset, Presets

# Exif 2.32, 4.6.4 A: how the stored rows and columns become the picture as seen.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ARTIST, COPYRIGHT = 0x013B, 0x8298  # Exif 2.32, 4.6.4 D
# Browsers show a frame of up to 10 ms for that long, and so files are made to rely on it.
SHORTEST_DURATION, DEFAULT_DURATION = 10, 100


@dataclass(frozen=True)
class Rendition:
    """One rendition of an image: a file of `width` × `height` pixels, and how many frames.

    Its preset and format together are unique among the renditions of an image.
    """

    preset: str
    format: OutputFormat
    width: int
    height: int
    data: bytes
    frames: int = 1

    @property
    def media_type(self) -> str:
        """The media type (IANA)."""
        return MEDIA_TYPES[self.format]

    @property
    def extension(self) -> str:
        """The extension of a file name, without the dot."""
        return EXTENSIONS[self.format]


def render(data: bytes, presets: Presets, memory: int) -> tuple[Header, tuple[Rendition, ...]]:
    """Decode an upload and make the renditions of each preset, in the order given.

    Returns what the header says as well. Equal bytes give equal renditions. `memory` is the
    function's, in bytes. Raises Empty, TooLarge, UnsupportedFormat, TooManyPixels or CorruptImage.
    """
    header = admission.inspect(data, presets, memory)
    image = open_image(data, header)
    # What the decoder says holds, where a file says two things.
    turned = orientation(image, header)
    size = image.size[::-1] if turned >= 5 else image.size
    if (size, turned) != (header.size, header.orientation):
        header = replace(header, width=size[0], height=size[1], orientation=turned)
        admission.admit(header, len(data), presets, memory)
    is_line_art = image.mode in ("1", "P")
    picture = _decode(image, header, presets)
    # Not before: Pillow decodes a PNG to look for it, and what fails then does not fail again.
    exif = _copyright(image) if any(preset.keep_copyright for preset in presets) else b""
    del image
    return header, _make(picture, header, presets, exif, is_line_art=is_line_art)


def _decode(image: Image.Image, header: Header, presets: Presets) -> Picture:
    """Decode to the size that serves all presets: in sRGB, upright, without metadata."""
    base = admission.base_size(header, presets)
    frames, durations = [], []
    with refusing_decoder_errors():
        count = header.frames if admission.is_animated(header, presets) else 1
        for number in range(count):
            if number:
                image.seek(number)
            frames.append(_decode_frame(image, header, base))
            duration = image.info.get("duration") or 0
            durations.append(round(duration) if duration > SHORTEST_DURATION else DEFAULT_DURATION)
        loop = _loop(image)
    return Picture(tuple(frames), tuple(durations), loop)


def _decode_frame(image: Image.Image, header: Header, base: Size) -> Image.Image:
    profile = image.info.get("icc_profile")
    stored = header.stored(base)
    drafted = image.draft("RGB", stored)
    image.load()
    # An animation goes on from the frame, so it is not to be touched.
    is_last = header.frames == 1
    if can_be_filtered(image):
        box = drafted[1] if drafted else None
        resized = resize(image, stored, box, consume=is_last)
        picture = to_srgb(resized, profile, consume=is_last or resized is not image)
    else:
        picture = resize(to_srgb(image, profile), stored, consume=True)
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        # An alpha channel that says nothing: the rest is cheaper without it, and may be JPEG.
        picture = picture.convert("RGB")
    turn = UPRIGHT.get(header.orientation)
    if turn is not None:
        picture = picture.transpose(turn)
    elif picture is image and not is_last:
        picture = image.copy()
    # Pillow carries comments, profiles and timestamps along in `info`, and writes them again.
    picture.info = {}
    return picture


def _loop(image: Image.Image) -> int:
    """Return how often an animation is shown; 0 is for ever."""
    loop = image.info.get("loop")
    if image.format != "GIF":
        return loop or 0
    # A GIF counts the repetitions, and one without the extension is shown once (browsers agree).
    return 1 if loop is None else 0 if loop == 0 else min(loop + 1, 65_535)


def _copyright(image: Image.Image) -> bytes:
    """Return Exif data that has the fields Artist and Copyright alone; b"" without them."""
    try:
        with refusing_decoder_errors():
            found = image.getexif()
            kept = Image.Exif()
            for tag in (ARTIST, COPYRIGHT):
                if isinstance(found.get(tag), str):
                    # Pillow reads the field's bytes as Latin-1, and would write ASCII.
                    kept[tag] = found[tag].encode("latin-1", "replace")
            return kept.tobytes() if kept else b""
    except CorruptImage:
        return b""


def _make(
    picture: Picture, header: Header, presets: Presets, exif: bytes, *, is_line_art: bool
) -> tuple[Rendition, ...]:
    """Make every rendition, each from the next denser one that shows the whole picture."""
    placements = {preset.name: place(header.size, preset) for preset in presets}
    whole: Box = (0, 0, *header.size)
    made: dict[tuple[str, OutputFormat], Rendition] = {}
    # Presets may come to the same bytes: a small picture has one size for all of them.
    encoded: dict[object, bytes] = {}
    for preset in sorted(presets, key=lambda each: placements[each.name].scale, reverse=True):
        placement = placements[preset.name]
        part = picture.map(partial(_cut, placement=placement, full=header.size))
        if placement.box == whole and placement.scale <= 1:
            picture = part
        for output_format in _formats(preset, part, is_line_art=is_line_art):
            key = (placement, output_format, replace(preset, name="", width=1, height=None))
            output = part if output_format == "webp" else part.first()
            if key not in encoded:
                encoded[key] = _finish(output, output_format, preset, exif)
            made[preset.name, output_format] = Rendition(
                preset.name,
                output_format,
                *placement.size,
                encoded[key],
                len(output.frames),
            )
    return tuple(
        made[preset.name, output_format]
        for preset in presets
        for output_format in MEDIA_TYPES
        if (preset.name, output_format) in made
    )


def _cut(frame: Image.Image, placement: Placement, full: Size) -> Image.Image:
    """Return the placement's part of a frame that shows the whole picture of `full` size."""
    whole: Box = (0, 0, *full)
    if placement.box == whole:
        return resize(frame, placement.size)
    across, down = frame.width / full[0], frame.height / full[1]
    left, top, right, bottom = placement.box
    box = left * across, top * down, right * across, bottom * down
    width, height = placement.size
    if abs(box[2] - box[0] - width) < 1 and abs(box[3] - box[1] - height) < 1:
        # At the size it has already: cut out whole pixels instead of filtering between them.
        x = min(round(box[0]), frame.width - width)
        y = min(round(box[1]), frame.height - height)
        if x >= 0 and y >= 0:
            return frame.crop((x, y, x + width, y + height))
    return resize(frame, placement.size, box)


def _formats(preset: Preset, picture: Picture, *, is_line_art: bool) -> tuple[OutputFormat, ...]:
    """Return the formats of a rendition, `auto` decided.

    JPEG is the smallest that every client reads; what it cannot show, or shows badly, is WebP:
    animation, transparency, and line art, whose edges it surrounds with ripples.
    """
    is_webp = len(picture.frames) > 1 or picture.has_alpha or is_line_art
    automatic: OutputFormat = "webp" if is_webp else "jpeg"
    chosen = [automatic if each == "auto" else each for each in preset.formats]
    return tuple(dict.fromkeys(chosen))


def _finish(picture: Picture, output_format: OutputFormat, preset: Preset, exif: bytes) -> bytes:
    if output_format == "jpeg":
        picture = picture.map(lambda frame: flatten(frame, preset.background))
    if preset.watermark is not None:
        style = preset.watermark
        picture = picture.map(lambda frame: watermark.apply(frame, style))
    return encode(picture, output_format, preset, exif if preset.keep_copyright else b"")
