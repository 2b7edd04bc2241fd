from __future__ import annotations

from image_api.chalicelib.manifests import Source
from image_api.chalicelib.srcset import srcset


def rendition(width: int, height: int, media_type: str = "image/jpeg") -> dict[str, object]:
    url = f"https://e/{width}x{height}.{media_type[6:]}"
    return {"media_type": media_type, "width": width, "height": height, "url": url}


def test_widths_ascend_by_media_type():
    made = [
        rendition(1280, 853),
        rendition(640, 427),
        rendition(1280, 853, "image/webp"),
        rendition(640, 427, "image/webp"),
    ]
    assert srcset(made, Source("image/jpeg", 4000, 2667)) == {
        "image/jpeg": "https://e/640x427.jpeg 640w, https://e/1280x853.jpeg 1280w",
        "image/webp": "https://e/640x427.webp 640w, https://e/1280x853.webp 1280w",
    }


def test_a_width_is_named_once_and_a_piece_of_the_picture_not_at_all():
    made = [rendition(300, 200), rendition(300, 200), rendition(100, 100)]
    assert srcset(made, Source("image/jpeg", 300, 200)) == {
        "image/jpeg": "https://e/300x200.jpeg 300w"
    }


def test_an_extreme_aspect_ratio_is_rounded_to_a_pixel():
    made = [rendition(320, 1)]
    assert srcset(made, Source("image/png", 5000, 2)) == {"image/jpeg": "https://e/320x1.jpeg 320w"}


def test_without_renditions_there_is_none():
    assert srcset([], None) == {}
