"""Object keys: where an image's source, renditions and manifest lie in the two buckets.

A rendition's key has the version of the upload it was made from, as a folder, and a digest of its
own bytes. So what is made from one upload never overwrites what was made from another, and the URL
of a rendition never serves other bytes.
"""

from __future__ import annotations

from hashlib import sha256

from .identifiers import is_id

SOURCES = "images/"
RENDITIONS = "renditions/"
MANIFESTS = "manifests/"

# 64 bits: the keys that must differ are those of one image.
_DIGITS = 16


def source(image_id: str) -> str:
    """Return the key of the upload, in the source bucket."""
    return f"{SOURCES}{image_id}"


def renditions(image_id: str) -> str:
    """Return what the keys of all the image's renditions begin with."""
    return f"{RENDITIONS}{image_id}/"


def renditions_of(image_id: str, version: str) -> str:
    """Return what the keys of the renditions of one version of the upload begin with.

    S3 leaves the form of version ids open, so a digest stands for it.
    """
    return f"{renditions(image_id)}{sha256(version.encode()).hexdigest()[:_DIGITS]}/"


def rendition(image_id: str, version: str, preset: str, extension: str, data: bytes) -> str:
    """Return the key of a rendition, in the destination bucket."""
    digest = sha256(data).hexdigest()[:_DIGITS]
    return f"{renditions_of(image_id, version)}{preset}-{digest}.{extension}"


def manifest(image_id: str) -> str:
    """Return the key of the manifest, in the destination bucket.

    It is no rendition's neighbour, so that a CDN can be given the renditions and nothing else.
    """
    return f"{MANIFESTS}{image_id}.json"


def image_id(key: str) -> str | None:
    """Return the id of the image whose source has this key; None where it is no source's key."""
    name = key.removeprefix(SOURCES)
    return name if key == SOURCES + name and is_id(name) else None
