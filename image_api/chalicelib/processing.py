"""The use case of the `process` function: an upload becomes renditions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from . import keys, manifests, problems
from .presets import PRESETS
from .refusals import Refusal
from .renditions import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .notifications import ObjectCreated
    from .storage import ImageStore

logger = logging.getLogger("image_api.processing")


def process_all(store: ImageStore, bucket: str, created: Sequence[ObjectCreated]) -> None:
    """Process every object that is an upload of this API, in `bucket`.

    One that fails does not keep the others from being done. Raises an ExceptionGroup of the
    failures at the end, so that Lambda tries the event again; what is done then is done once more,
    to the same result.
    """
    failures = []
    for object_created in created:
        image_id = keys.image_id(object_created.key)
        if object_created.bucket != bucket or image_id is None:
            logger.warning(
                "refused: %r in bucket %r is not an upload of this API",
                object_created.key,
                object_created.bucket,
            )
            continue
        try:
            process(store, image_id)
        except Exception as error:  # whatever it is, the other records get their turn
            logger.exception("image %s failed", image_id)
            failures.append(error)
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {len(created)} images failed", failures)


def process(store: ImageStore, image_id: str) -> None:
    """Make and store the renditions of an upload, then its manifest.

    An upload that cannot become renditions ends in a manifest too: trying again would not mend it.
    One that was deleted meanwhile leaves nothing. Raises StorageUnavailable.
    """
    try:
        data = store.get_source(image_id)
        if data is None:
            # An attempt before this one may have stopped half-way.
            store.delete_renditions(image_id)
            logger.info("image %s was deleted before it was processed", image_id)
            return
        header, renditions = render(data, PRESETS)
    except Refusal as refusal:
        logger.info("image %s rejected: %s", image_id, refusal)
        manifest = manifests.rejected(problems.refused(refusal).document())
    else:
        stored = []
        for rendition in renditions:
            key = keys.rendition(image_id, rendition.preset)
            store.put_rendition(key, rendition.data)
            stored.append(
                manifests.StoredRendition(
                    preset=rendition.preset,
                    format="jpeg",
                    width=rendition.width,
                    height=rendition.height,
                    bytes=len(rendition.data),
                    key=key,
                )
            )
        source = manifests.Source(header.format.media_type, header.width, header.height)
        manifest = manifests.ready(source, tuple(stored))
        logger.info("image %s ready", image_id)
    store.put_manifest(image_id, manifest)
    # A deletion removes the source first and the renditions after. So if the source is gone now,
    # that deletion may have looked for renditions before they were written.
    if store.find_source(image_id) is None:
        store.delete_renditions(image_id)
        logger.info("image %s was deleted while it was processed", image_id)
