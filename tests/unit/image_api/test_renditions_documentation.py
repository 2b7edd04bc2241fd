"""docs/renditions.md and the decisions it names say what the code does."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from image_api.chalicelib import presets
from image_api.chalicelib.presets import AnimationBudget, Preset, Watermark, parse
from image_api.chalicelib.settings import DEFAULT_PROCESS_MEMORY

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "renditions.md").read_text(encoding="utf-8")


def keys(section: str) -> list[str]:
    """The first column of the table below a heading."""
    body = TEXT.split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", body, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("section", "described"),
    [
        ("Keys of a rendition", Preset),
        ("Keys of a watermark", Watermark),
        ("Keys of `[animation]`", AnimationBudget),
    ],
)
def test_every_key_is_documented(section, described):
    names = {field.name for field in fields(described)} - {"name"}
    assert sorted(keys(section)) == sorted(names)


def test_the_example_works():
    example = TEXT.split("```toml\n")[1].split("```")[0]
    hero, thumbnail = parse(tomllib.loads(example))
    assert hero.watermark == Watermark(text="© Example")
    assert hero.formats == thumbnail.formats == ("auto", "avif")
    assert (thumbnail.max_bytes, thumbnail.watermark) == (12_000, None)


def test_defaults_and_limits_are_the_codes():
    quality = presets.Quality()
    for said in (
        f"| {quality.jpeg}, {quality.webp}, {quality.avif} |",
        f"pixels, 1 to {presets.MAX_SIDE:,}",
        f"| {Watermark.scale} |",
        f"| {Watermark.margin} |",
        f"| {Watermark.opacity} |",
        f"| {AnimationBudget.max_frames} |",
        f"| {AnimationBudget.max_pixels:,} |",
    ):
        assert said in TEXT, said


def test_links_lead_to_files():
    for target in re.findall(r"\]\((\S+?)\)", TEXT):
        assert (DOCS / target).is_file(), target


def test_the_decision_names_the_memory_of_the_function():
    decision = (DOCS / "decisions" / "image-admission.md").read_text(encoding="utf-8")
    assert f"{DEFAULT_PROCESS_MEMORY // 2**20:,} MB" in decision
