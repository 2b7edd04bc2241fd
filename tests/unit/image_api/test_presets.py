from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from image_api.chalicelib import presets
from image_api.chalicelib.presets import (
    AnimationBudget,
    Preset,
    PresetsError,
    Quality,
    Watermark,
    load,
    parse,
)

ENVIRONMENT = {"SOURCE_BUCKET": "a", "DESTINATION_BUCKET": "b", "AWS_DEFAULT_REGION": "us-east-1"}


def parse_one(**members: Any) -> Preset:
    (preset,) = parse({"renditions": {"a": {"width": 100} | members}})
    return preset


def test_the_file_of_the_project_is_read():
    assert [preset.width for preset in load()] == [1920, 1280, 640, 320]
    assert all(preset.watermark == Watermark("watermark.png") for preset in load())


def test_a_rendition_has_the_defaults_it_does_not_change():
    parsed = parse(
        {
            "defaults": {
                "formats": ["auto", "avif"],
                "quality": {"jpeg": 70},
                "background": "#102030",
                "watermark": {"text": "©", "opacity": 1},
                "keep_copyright": True,
            },
            "animation": {"max_frames": 9},
            "renditions": {
                "a": {"width": 100},
                "b": {
                    "width": 200,
                    "height": 100,
                    "fit": "cover",
                    "gravity": "top",
                    "enlarge": True,
                    "max_bytes": 9000,
                    "quality": {"webp": 60},
                    "watermark": {"tile": True},
                },
                "c": {"width": 300, "watermark": False, "formats": ["png"]},
            },
        }
    )
    common = {
        "formats": ("auto", "avif"),
        "quality": Quality(jpeg=70),
        "background": (16, 32, 48),
        "keep_copyright": True,
        "watermark": Watermark(text="©", opacity=1.0),
    }
    assert parsed.animation == AnimationBudget(max_frames=9)
    assert parsed.renditions == (
        Preset("a", 100, **common),
        Preset(
            "b",
            200,
            100,
            "cover",
            "top",
            enlarge=True,
            max_bytes=9000,
            **common
            | {
                "quality": Quality(jpeg=70, webp=60),
                "watermark": Watermark(text="©", opacity=1.0, tile=True),
            },
        ),
        Preset("c", 300, **common | {"watermark": None, "formats": ("png",)}),
    )


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "renditions has 0 tables; it needs 1 to 32"),
        ({"rendition": {}}, "rendition is not a key of that table"),
        ({"renditions": 3}, "renditions must be a table"),
        ({"renditions": {"A b": {"width": 3}}}, "renditions.A b is not a name"),
        ({"renditions": {"a": {}}}, "renditions.a.width is missing"),
        ({"renditions": {"a": {"width": 10}}, "defaults": {"width": 3}}, "defaults.width is not"),
        ({"renditions": {"a": {"width": 10}}, "defaults": []}, "defaults must be a table"),
        (
            {"renditions": {"a": {"width": 10}}, "animation": {"max_frames": 0}},
            "animation.max_frames is 0",
        ),
        ({"renditions": {"a": {"width": 10}}, "animation": {"x": 0}}, "animation.x is not a key"),
    ],
)
def test_a_file_that_cannot_work_is_an_error_that_names_the_key(members, said):
    with pytest.raises(PresetsError, match=said) as error:
        parse(members, "some.toml")
    assert str(error.value).startswith("some.toml: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("members", "key"),
    [
        ({"width": 0}, "width"),
        ({"width": 16_384}, "width"),
        ({"width": 1.5}, "width"),
        ({"width": True}, "width"),
        ({"width": "100"}, "width"),
        ({"height": -1}, "height"),
        ({"fit": "fill"}, "fit"),
        ({"fit": ["cover"]}, "fit"),
        ({"fit": "cover"}, "height"),
        ({"fit": "crop"}, "height"),
        ({"fit": "crop", "height": 3, "enlarge": True}, "enlarge"),
        ({"gravity": "middle"}, "gravity"),
        ({"enlarge": "no"}, "enlarge"),
        ({"formats": "jpeg"}, "formats"),
        ({"formats": []}, "formats"),
        ({"formats": ["gif"]}, "formats"),
        ({"formats": [["jpeg"]]}, "formats"),
        ({"formats": ["jpeg", "jpeg"]}, "formats"),
        ({"quality": 80}, "quality"),
        ({"quality": {"jpeg": 0}}, "quality.jpeg"),
        ({"quality": {"webp": 101}}, "quality.webp"),
        ({"quality": {"png": 90}}, "quality.png"),
        ({"max_bytes": 10}, "max_bytes"),
        ({"max_bytes": 5000, "formats": ["png"]}, "max_bytes"),
        ({"background": "white"}, "background"),
        ({"background": "#fff"}, "background"),
        ({"background": 3}, "background"),
        ({"keep_copyright": 1}, "keep_copyright"),
        ({"watermark": True}, "watermark"),
        ({"watermark": "mark.png"}, "watermark"),
        ({"watermark": {}}, "watermark.image"),
        ({"watermark": {"image": "none.png"}}, "watermark.image"),
        ({"watermark": {"image": "../app.py"}}, "watermark.image"),
        ({"watermark": {"image": 3}}, "watermark.image"),
        ({"watermark": {"image": "watermark.png", "text": "a"}}, "watermark.text"),
        ({"watermark": {"text": ""}}, "watermark.text"),
        ({"watermark": {"text": "a\nb"}}, "watermark.text"),
        ({"watermark": {"text": "a", "opacity": 2}}, "watermark.opacity"),
        ({"watermark": {"text": "a", "scale": 0}}, "watermark.scale"),
        ({"watermark": {"text": "a", "margin": float("nan")}}, "watermark.margin"),
        ({"watermark": {"text": "a", "position": "x"}}, "watermark.position"),
        ({"watermark": {"text": "a", "tile": 1}}, "watermark.tile"),
        ({"watermark": {"text": "a", "colour": "red"}}, "watermark.colour"),
        ({"watermark": {"text": "a", "size": 3}}, "watermark.size"),
        ({"sharpen": True}, "sharpen"),
    ],
)
def test_a_value_that_cannot_work_is_an_error_that_names_the_key(members, key):
    with pytest.raises(PresetsError) as error:
        parse_one(**members)
    assert str(error.value).startswith(f"renditions.toml: renditions.a.{key} ")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(Preset.__annotations__)[1:]), values))
def test_any_table_is_a_preset_or_an_error(members):
    try:
        preset = parse_one(**members)
    except PresetsError as error:
        said = str(error)
    else:
        said = f"renditions.toml: renditions.{preset.name}"
    assert said.startswith("renditions.toml: renditions.a")


@pytest.mark.parametrize("name", ["../renditions.toml", "other.toml", "/etc/passwd", "presets.py"])
def test_a_missing_file_is_an_error(name):
    with pytest.raises(PresetsError, match="RENDITIONS is"):
        load(name)


def test_a_file_that_is_no_toml_is_an_error(tmp_path):
    (tmp_path / "a.toml").write_text("width = = 3")
    with pytest.raises(PresetsError, match=r"a\.toml cannot be read: .*line 1"):
        load("a.toml", tmp_path)


def test_a_stage_may_name_another_file_and_a_wrong_one_stops_the_import(load_app):
    with pytest.raises(ValueError, match=r"RENDITIONS is 'prod\.toml', and there is no such file"):
        load_app("image_api", ENVIRONMENT | {"RENDITIONS": "prod.toml"})
    load_app("image_api", ENVIRONMENT | {"RENDITIONS": presets.DEFAULT_FILE})
