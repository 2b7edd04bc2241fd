"""Removing what is stored of uploads that are gone: the end of processing, and of a deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import keys

if TYPE_CHECKING:
    from .storage import ImageStore, StoredManifest


def sweep(store: ImageStore, image_id: str, replaced: StoredManifest | None = None) -> None:
    """Remove what is stored of uploads that are no longer the image's current one.

    The order makes it safe beside other runs: what was there before the upload was looked at, and
    is not of that upload, belongs to one that is gone for good; whoever still works on that one
    finds the manifest changed. Of the manifest just `replaced` the renditions go that the new one
    does not list: those of other presets.
    """
    found = store.list_renditions(image_id)
    stored = store.get_manifest(image_id)
    source = store.find_source(image_id)
    if source is None:
        store.delete_renditions(found)
        if stored is not None:
            store.delete_manifest(image_id, stored)
        return
    current = keys.renditions_of(image_id, source.version)
    doomed = {key for key in found if not key.startswith(current)}
    if replaced is not None and stored is not None:
        listed = {rendition.key for rendition in stored.manifest.renditions}
        doomed |= {rendition.key for rendition in replaced.manifest.renditions} - listed
    store.delete_renditions(sorted(doomed))
