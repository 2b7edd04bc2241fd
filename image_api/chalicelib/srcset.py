"""The `srcset` attribute (HTML Standard, 4.8.4.2.1), ready to be pasted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .manifests import Source


def srcset(renditions: Iterable[Mapping[str, Any]], source: Source | None) -> dict[str, str]:
    """Return the value of `srcset` for each media type, its widths ascending.

    Renditions that are a part of the picture only, or have a width twice, are left out: a browser
    takes whichever candidate has the width it needs, so all have to show the same.
    """
    candidates: dict[str, dict[int, str]] = {}
    for rendition in renditions:
        if source is not None and _same_picture(rendition, source):
            widths = candidates.setdefault(rendition["media_type"], {})
            widths.setdefault(rendition["width"], rendition["url"])
    return {
        media_type: ", ".join(f"{url} {width}w" for width, url in sorted(widths.items()))
        for media_type, widths in candidates.items()
    }


def _same_picture(rendition: Mapping[str, Any], source: Source) -> bool:
    """Tell whether a rendition has the aspect ratio of the source, but for rounding to pixels."""
    width: int = rendition["width"]
    height: int = rendition["height"]
    return abs(height * source.width - width * source.height) <= max(source.width, source.height)
