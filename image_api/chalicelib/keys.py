"""Object keys: where an image's source and renditions lie in the two buckets."""

from __future__ import annotations

from .identifiers import is_id

SOURCES = "images/"
RENDITIONS = "renditions/"


def source(image_id: str) -> str:
    """Return the key of the upload, in the source bucket."""
    return f"{SOURCES}{image_id}"


def rendition(image_id: str, preset: str) -> str:
    """Return the key of a rendition, in the destination bucket."""
    return f"{RENDITIONS}{image_id}/{preset}.jpg"


def manifest(image_id: str) -> str:
    """Return the key of the manifest, in the destination bucket."""
    return f"{RENDITIONS}{image_id}/manifest.json"


def image_id(key: str) -> str | None:
    """Return the id of the image whose source has this key; None where it is no source's key."""
    name = key.removeprefix(SOURCES)
    return name if key == SOURCES + name and is_id(name) else None
