"""Presets: what is made of every upload, read from the stage's settings file and checked.

`renditions.toml` in this folder is that file, unless the environment variable RENDITIONS names
another one beside it. It is read while the function starts: a value that cannot work stops the
start with an error that names the key. docs/renditions.md describes the keys.

A changed file applies to uploads processed from then on.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast, get_args

FOLDER = Path(__file__).parent
DEFAULT_FILE = "renditions.toml"

# The longest side of a WebP (RFC 9649, 2.7: 14 bits), and so of any rendition.
MAX_SIDE = 16_383
# A rendition that differs in name only would be one more object to store and to pay for.
MAX_PRESETS = 32

Fit = Literal["contain", "cover", "crop"]
OutputFormat = Literal["jpeg", "png", "webp", "avif"]
FormatChoice = Literal["auto", "jpeg", "png", "webp", "avif"]
Position = Literal[
    "top-left",
    "top",
    "top-right",
    "left",
    "center",
    "right",
    "bottom-left",
    "bottom",
    "bottom-right",
]
Colour = tuple[int, int, int]

_T = TypeVar("_T")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


class PresetsError(ValueError):
    """The settings file is missing or has a key that cannot work; the message names both."""


@dataclass(frozen=True)
class Watermark:
    """A mark laid over a rendition: a picture of this folder, or a text.

    `scale` is the mark's width and `margin` its distance from the edges (or, tiled, from the next
    mark), both as shares of the rendition's width. `opacity` is 0 to 1. `colour` is the text's.
    """

    image: str | None = None
    text: str | None = None
    position: Position = "bottom-right"
    tile: bool = False
    scale: float = 0.16
    margin: float = 0.02
    opacity: float = 0.55
    colour: Colour = (255, 255, 255)


@dataclass(frozen=True)
class Quality:
    """Encoder quality, 1 to 100, by output format; PNG is lossless."""

    jpeg: int = 80
    webp: int = 80
    avif: int = 50


@dataclass(frozen=True)
class Preset:
    """One rendition, or one for each of its `formats`.

    `fit` says how the picture meets `width` × `height` pixels:

    - contain: the whole picture within them; without a height, `width` alone bounds it
    - cover: they are filled, and what sticks out is cut off, the `gravity` side kept
    - crop: that many pixels are cut out at the `gravity` side, at their own size

    A picture too small for that is enlarged only where `enlarge` is set; otherwise contain keeps
    its size, cover gives the largest piece of that aspect ratio, and crop what there is. (A crop is
    never enlarged.)

    `max_bytes` lowers the quality until the file fits. `background` shows through transparency in
    a JPEG. `keep_copyright` keeps the Exif fields Artist and Copyright; all other metadata goes.
    """

    name: str
    width: int
    height: int | None = None
    fit: Fit = "contain"
    gravity: Position = "center"
    enlarge: bool = False
    formats: tuple[FormatChoice, ...] = ("auto",)
    quality: Quality = Quality()
    max_bytes: int | None = None
    background: Colour = (255, 255, 255)
    keep_copyright: bool = False
    watermark: Watermark | None = None


@dataclass(frozen=True)
class AnimationBudget:
    """Up to how many frames, and pixels in all of them together, an animation stays one."""

    max_frames: int = 500
    max_pixels: int = 100_000_000


@dataclass(frozen=True)
class Presets:
    """A settings file: its renditions in the order they are written, and the budget."""

    renditions: tuple[Preset, ...]
    animation: AnimationBudget = AnimationBudget()

    def __iter__(self) -> Iterator[Preset]:
        return iter(self.renditions)


class _Table:
    """A table of the file, whose keys are taken one by one; every complaint names its key."""

    def __init__(self, file: str, path: str, members: Any) -> None:
        self._file = file
        self._path = path
        if not isinstance(members, Mapping):
            raise PresetsError(f"{file}: {path} must be a table.")
        self._members = dict(members)

    def wrong(self, key: str, rule: str) -> PresetsError:
        """Return the error that says what `key` must be."""
        where = f"{self._path}.{key}" if self._path else key
        return PresetsError(f"{self._file}: {where} {rule}")

    def take(self, key: str) -> Any:
        """Remove a key and return its value, None where it is not set."""
        return self._members.pop(key, None)

    def table(self, key: str) -> _Table:
        """Remove a key and return its value as a table, an empty one where it is not set."""
        path = f"{self._path}.{key}" if self._path else key
        return _Table(self._file, path, self._members.pop(key, {}))

    def __contains__(self, key: str) -> bool:
        return key in self._members

    def keys(self) -> list[str]:
        """Return the keys not taken yet, in the order of the file."""
        return list(self._members)

    def end(self) -> None:
        """Complain about a key that nothing has taken."""
        for key in self._members:
            raise self.wrong(key, "is not a key of that table; docs/renditions.md lists them.")

    def holds_false(self, key: str) -> bool:
        """Tell whether a key is false, and remove it then."""
        if self._members[key] is not False:
            return False
        del self._members[key]
        return True

    def text(self, key: str) -> str | None:
        """Take a text of 1 to 200 characters that can be seen."""
        value = self.take(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.isprintable() or not 1 <= len(value) <= 200:
            raise self.wrong(key, f"is {value!r}; it must be a text of 1 to 200 characters.")
        return value

    def whole(self, key: str, default: _T, low: int, high: int) -> int | _T:
        """Take a whole number from `low` to `high`."""
        value = self.take(key)
        if value is None:
            return default
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(
                key, f"is {value!r}; it must be a whole number from {low:,} to {high:,}."
            )
        return value

    def share(self, key: str, default: float, low: float, high: float) -> float:
        """Take a number from `low` to `high`."""
        value = self.take(key)
        if value is None:
            return default
        if type(value) not in (int, float) or not low <= value <= high:
            raise self.wrong(key, f"is {value!r}; it must be a number from {low} to {high}.")
        return float(value)

    def truth(self, key: str, default: bool) -> bool:
        """Take true or false."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, f"is {value!r}; it must be true or false.")
        return value

    def choice(self, key: str, default: _T, choices: tuple[str, ...]) -> _T:
        """Take one of the words in `choices`."""
        value = self.take(key)
        if value is None:
            return default
        if value not in choices:
            raise self.wrong(key, f"is {value!r}; it must be one of {', '.join(choices)}.")
        return cast("_T", value)

    def colour(self, key: str, default: Colour) -> Colour:
        """Take a colour as "#rrggbb"."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, str) or not _COLOUR.fullmatch(value):
            raise self.wrong(key, f'is {value!r}; it must be a colour such as "#ffffff".')
        red, green, blue = bytes.fromhex(value[1:])
        return red, green, blue


def load(name: str = DEFAULT_FILE, folder: Path = FOLDER) -> Presets:
    """Read and check the settings file `name` in `folder`. Raises PresetsError."""
    # A stage's setting names a file, never a way out of the folder.
    if Path(name).name != name or not name.endswith(".toml"):
        raise PresetsError(f"RENDITIONS is {name!r}; it must be the name of a .toml file.")
    try:
        members = tomllib.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PresetsError(f"RENDITIONS is {name!r}, and there is no such file.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PresetsError(f"{name} cannot be read: {error}") from error
    return parse(members, name, folder)


def parse(members: Mapping[str, Any], file: str = DEFAULT_FILE, folder: Path = FOLDER) -> Presets:
    """Check the content of a settings file. Raises PresetsError, which names the key.

    `folder` is where the pictures of watermarks lie.
    """
    top = _Table(file, "", members)
    defaults = _read(top.table("defaults"), "", Preset("", 1), folder)
    animation = top.table("animation")
    budget = AnimationBudget(
        animation.whole("max_frames", AnimationBudget.max_frames, 1, 10_000),
        animation.whole("max_pixels", AnimationBudget.max_pixels, 1, 10**9),
    )
    animation.end()
    listed = top.table("renditions")
    top.end()
    names = listed.keys()
    if not 1 <= len(names) <= MAX_PRESETS:
        raise top.wrong("renditions", f"has {len(names)} tables; it needs 1 to {MAX_PRESETS}.")
    presets = []
    for name in names:
        if not _NAME.fullmatch(name):
            raise listed.wrong(
                name, "is not a name: up to 32 lower-case letters, digits and inner hyphens."
            )
        presets.append(_read(listed.table(name), name, defaults, folder))
    return Presets(tuple(presets), budget)


def _read(table: _Table, name: str, defaults: Preset, folder: Path) -> Preset:
    """Read a rendition's table; with no name, the table of the defaults."""
    width = defaults.width
    height = None
    if name:
        asked: int | None = table.whole("width", None, 1, MAX_SIDE)
        if asked is None:
            raise table.wrong("width", f"is missing; give the pixels, 1 to {MAX_SIDE:,}.")
        width = asked
        height = table.whole("height", None, 1, MAX_SIDE)
    fit = table.choice("fit", defaults.fit, get_args(Fit))
    if name and height is None and fit != "contain":
        raise table.wrong("height", f"is missing, which the fit {fit} needs.")
    preset = Preset(
        name,
        width,
        height,
        fit,
        table.choice("gravity", defaults.gravity, get_args(Position)),
        table.truth("enlarge", defaults.enlarge),
        _formats(table, defaults.formats),
        _quality(table.table("quality"), defaults.quality),
        table.whole("max_bytes", defaults.max_bytes, 256, 2**30),
        table.colour("background", defaults.background),
        table.truth("keep_copyright", defaults.keep_copyright),
        _watermark(table, defaults.watermark, folder),
    )
    if fit == "crop" and preset.enlarge:
        raise table.wrong("enlarge", "is true, but a crop is never enlarged; take the fit cover.")
    if name and preset.max_bytes is not None and preset.formats == ("png",):
        raise table.wrong("max_bytes", "works by quality, which PNG does not have.")
    table.end()
    return preset


def _formats(table: _Table, default: tuple[FormatChoice, ...]) -> tuple[FormatChoice, ...]:
    value = table.take("formats")
    if value is None:
        return default
    choices = get_args(FormatChoice)
    if not isinstance(value, list) or not value or any(each not in choices for each in value):
        raise table.wrong(
            "formats", f"is {value!r}; it must be a list of one or more of {', '.join(choices)}."
        )
    if len(set(value)) != len(value):
        raise table.wrong("formats", f"is {value!r}; it names a format twice.")
    return tuple(value)


def _quality(table: _Table, default: Quality) -> Quality:
    quality = Quality(
        table.whole("jpeg", default.jpeg, 1, 100),
        table.whole("webp", default.webp, 1, 100),
        table.whole("avif", default.avif, 1, 100),
    )
    table.end()
    return quality


def _watermark(table: _Table, default: Watermark | None, folder: Path) -> Watermark | None:
    """Read `watermark`: a table that changes the default's keys, or false for none."""
    if "watermark" not in table:
        return default
    if table.holds_false("watermark"):
        return None
    mark = table.table("watermark")
    base = default or Watermark()
    image, text = mark.text("image"), mark.text("text")
    if image is not None and text is not None:
        raise mark.wrong("text", "is set beside image; a watermark is one of them.")
    if image is None and text is None:
        image, text = base.image, base.text
    if image is None and text is None:
        raise mark.wrong("image", "is missing; name a picture, or set text.")
    if image is not None and (Path(image).name != image or not (folder / image).is_file()):
        raise mark.wrong("image", f"is {image!r}, which is no file beside the settings.")
    watermark = Watermark(
        image,
        text,
        mark.choice("position", base.position, get_args(Position)),
        mark.truth("tile", base.tile),
        mark.share("scale", base.scale, 0.01, 1),
        mark.share("margin", base.margin, 0, 0.5),
        mark.share("opacity", base.opacity, 0, 1),
        mark.colour("colour", base.colour),
    )
    mark.end()
    return watermark


PRESETS: Final = load(os.environ.get("RENDITIONS") or DEFAULT_FILE)
