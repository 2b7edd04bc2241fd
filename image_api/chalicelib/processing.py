"""The use case behind `process` and `reprocess`: what is stored of an image follows its upload.

An event says that an upload has changed, not what it is now: events come more than once, late and
in any order. So each is taken as a reason to look. What the bucket holds then becomes renditions,
or, where it holds nothing any more, its renditions go.

Several runs may work on one image at the same time. Renditions of different uploads lie apart
(`keys`), the manifest is replaced only where it is still the one that was read, and whoever has
written it removes what belongs to no upload any more (`sweep`).

An attempt is noted before its work begins: one that is killed, or runs out of memory, says nothing
at its end.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from . import keys, manifests, problems
from .notifications import is_older
from .presets import PRESETS
from .refusals import Refusal, TooLarge
from .storage import StorageUnavailable
from .sweeping import sweep
from .telemetry import BYTES, COUNT, MILLISECONDS, Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .manifests import Manifest, Origin
    from .notifications import ObjectChange
    from .storage import ImageStore, StoredManifest, StoredSource

logger = logging.getLogger("image_api.processing")

# What a manifest was made with: other presets, other renditions.
PRESETS_DIGEST = sha256(repr(PRESETS).encode()).hexdigest()[:16]
# How often a run begins anew because another one changed the image under its hands.
_ROUNDS = 5

Outcome = Literal["ready", "rejected", "removed", "unchanged", "late"]


class Overtaken(Exception):
    """Other runs changed the image again and again; the next attempt may have it to itself."""


@dataclass(frozen=True)
class Limits:
    """What one invocation of a function is held to.

    `max_bytes` is the size of the largest upload, `memory` the function's, in bytes, and `ends_at`
    when Lambda ends the invocation at the latest, in seconds since 1970.
    """

    max_bytes: int
    memory: int
    ends_at: float


def process_all(store: ImageStore, limits: Limits, changes: Sequence[ObjectChange]) -> None:
    """Process every change of an upload of this API.

    One that fails does not keep the others from being done. Raises an ExceptionGroup of the
    failures at the end, so that Lambda tries the event again; what is done then stays as it is.
    """
    failures = []
    for change in changes:
        image_id = keys.image_id(change.key)
        if change.bucket != store.source_bucket or image_id is None:
            logger.warning(
                "refused: %r in bucket %r is not an upload of this API", change.key, change.bucket
            )
            continue
        try:
            process(store, limits, image_id, change.sequencer)
        except Exception as error:  # whatever it is, the other records get their turn
            logger.exception("image failed", extra={"image_id": image_id})
            failures.append(error)
            _note_failure(store, limits, image_id, change.sequencer)
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {len(changes)} images failed", failures)


def process(store: ImageStore, limits: Limits, image_id: str, sequencer: str = "") -> Outcome:
    """Make what is stored of an image follow its upload, and return what came of it.

    An upload that cannot become renditions ends in a manifest too: trying again would not mend it.
    Raises StorageUnavailable, and Overtaken.
    """
    for _round in range(_ROUNDS):
        stored = store.get_manifest(image_id)
        if stored is not None and _is_late(sequencer, stored.manifest):
            # This run, or an earlier attempt of it, may have written renditions before it lost.
            sweep(store, image_id)
            logger.info("late event, nothing to do", extra={"image_id": image_id})
            return "late"
        source = store.find_source(image_id)
        if source is None:
            sweep(store, image_id)
            logger.info("upload is gone, and so is the rest", extra={"image_id": image_id})
            return "removed"
        if is_current(stored, source):
            sweep(store, image_id)
            logger.info("done already", extra={"image_id": image_id})
            return "unchanged"
        origin = manifests.Origin(source.version, sequencer, PRESETS_DIGEST)
        replacing = _note_attempt(store, limits, image_id, origin, stored)
        manifest = _make(store, limits, image_id, source, origin)
        if manifest is not None and _publish(store, image_id, manifest, replacing):
            sweep(store, image_id, stored)
            return "ready" if manifest.status == "ready" else "rejected"
    raise Overtaken(f"image {image_id} changed {_ROUNDS} times while it was processed")


def is_current(stored: StoredManifest | None, source: StoredSource) -> bool:
    """Tell whether a manifest is what becomes of this upload with today's presets."""
    if stored is None or not stored.manifest.is_result_of(source.version):
        return False
    return stored.manifest.origin.presets == PRESETS_DIGEST


def _is_late(sequencer: str, manifest: Manifest) -> bool:
    """Tell whether a later event has led to a result already."""
    return manifest.status != "attempted" and is_older(sequencer, manifest.origin.sequencer)


def _note_attempt(
    store: ImageStore,
    limits: Limits,
    image_id: str,
    origin: Origin,
    stored: StoredManifest | None,
) -> StoredManifest | None:
    """Note that an attempt begins, and return the manifest that its result will replace.

    An image that has a result keeps it until there is another one. Where another run has changed
    the manifest meanwhile nothing is noted: a run at the same upload has noted itself.
    """
    attempts = 1
    if stored is not None:
        if stored.manifest.is_result_of(origin.version) or _is_own(stored.manifest, limits):
            return stored
        if stored.manifest.is_attempt_at(origin.version):
            attempts += stored.manifest.attempts
    note = manifests.attempted(origin, attempts, limits.ends_at)
    return store.put_manifest(image_id, note, stored) or store.get_manifest(image_id)


def _is_own(manifest: Manifest, limits: Limits) -> bool:
    """Tell whether this invocation has noted itself already."""
    return manifest.running_until == limits.ends_at


def _make(
    store: ImageStore, limits: Limits, image_id: str, source: StoredSource, origin: Origin
) -> Manifest | None:
    """Make and store the renditions and return their manifest; None where the upload changed."""
    # Here, so that what only looks (the API, a dry run, a duplicate event) does not import Pillow.
    from . import allocator
    from . import renditions as pixels

    allocator.keep_freed_memory()
    metrics = Metrics()
    metrics.add("BytesIn", source.bytes, BYTES)
    try:
        if source.bytes > limits.max_bytes:
            # Whoever may write to the bucket may write 5 TB; memory has to be asked first.
            raise TooLarge(
                f"The image has {source.bytes:,} bytes; the limit is {limits.max_bytes:,}."
            )
        started = perf_counter()
        data = store.read_source(image_id, source.etag)
        metrics.add("ReadTime", _milliseconds(started), MILLISECONDS)
        if data is None:
            return None
        started = perf_counter()
        header, renditions = pixels.render(data, PRESETS, limits.memory)
        metrics.add("RenderTime", _milliseconds(started), MILLISECONDS)
    except Refusal as refusal:
        problem = problems.refused(refusal)
        logger.info("rejected: %s", refusal, extra={"image_id": image_id})
        metrics.add("Rejections", 1, COUNT)
        metrics.emit(image_id=image_id, problem=problem.problem_type.slug)
        return manifests.rejected(origin, problem.document())
    started = perf_counter()
    listed = []
    for rendition in renditions:
        key = keys.rendition(
            image_id, source.version, rendition.preset, rendition.extension, rendition.data
        )
        store.put_rendition(key, rendition.data, rendition.media_type)
        listed.append(
            manifests.StoredRendition(
                preset=rendition.preset,
                format=rendition.format,
                media_type=rendition.media_type,
                width=rendition.width,
                height=rendition.height,
                bytes=len(rendition.data),
                key=key,
            )
        )
    metrics.add("WriteTime", _milliseconds(started), MILLISECONDS)
    metrics.add("Renditions", len(listed), COUNT)
    metrics.add("BytesOut", sum(rendition.bytes for rendition in listed), BYTES)
    metrics.emit(image_id=image_id)
    logger.info("ready", extra={"image_id": image_id})
    shown = manifests.Source(header.format.media_type, header.width, header.height)
    return manifests.ready(origin, shown, tuple(listed))


def _publish(
    store: ImageStore, image_id: str, manifest: Manifest, replacing: StoredManifest | None
) -> bool:
    """Store the manifest; False where the upload's result is there, or another upload is."""
    for _round in range(_ROUNDS):
        if store.put_manifest(image_id, manifest, replacing):
            return True
        # It may be this very write that came first, with its answer lost.
        replacing = store.get_manifest(image_id)
        if replacing is None:
            return False
        if not replacing.manifest.is_attempt_at(manifest.origin.version):
            return replacing.manifest == manifest
        # Another run has begun at the same upload, and would come to the same result.
    return False


def _note_failure(store: ImageStore, limits: Limits, image_id: str, sequencer: str) -> None:
    """Note that this attempt is over, so that GET can tell when the last one is.

    An image that has a result keeps it. What made the attempt fail may keep this from being noted;
    the event is not lost for that.
    """
    with suppress(StorageUnavailable, BotoCoreError, ClientError):
        source = store.find_source(image_id)
        if source is None:
            return
        stored = store.get_manifest(image_id)
        origin = manifests.Origin(source.version, sequencer, PRESETS_DIGEST)
        noted = _note_attempt(store, limits, image_id, origin, stored)
        if noted is not None and _is_own(noted.manifest, limits):
            over = replace(noted.manifest, running_until=0)
            store.put_manifest(image_id, over, noted)


def _milliseconds(started: float) -> float:
    return (perf_counter() - started) * 1000
