"""`render` with the memory that the function `process` is deployed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_api.chalicelib import renditions
from image_api.chalicelib.settings import DEFAULT_PROCESS_MEMORY

if TYPE_CHECKING:
    from image_api.chalicelib.formats import Header
    from image_api.chalicelib.presets import Presets
    from image_api.chalicelib.renditions import Rendition


def render(data: bytes, presets: Presets) -> tuple[Header, tuple[Rendition, ...]]:
    return renditions.render(data, presets, DEFAULT_PROCESS_MEMORY)
