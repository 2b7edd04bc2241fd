"""The use case of `reprocess`: bring the renditions of uploads up to date with the presets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from . import batch, keys
from .processing import is_current, process

if TYPE_CHECKING:
    from .batch import Result, Task
    from .processing import Limits
    from .storage import ImageStore

logger = logging.getLogger("image_api.reprocessing")


def reprocess(store: ImageStore, limits: Limits, event: object) -> dict[str, Any]:
    """Do the tasks of an S3 Batch Operations job and return its answer.

    A task that fails now is one to try again, and does not keep the others from being done. In a
    dry run the results say what would be done. Raises MalformedInvocation.
    """
    invocation = batch.invocation(event)
    results = tuple(
        _do(store, limits, task, dry_run=invocation.dry_run) for task in invocation.tasks
    )
    return batch.answer(invocation, results)


def _do(store: ImageStore, limits: Limits, task: Task, *, dry_run: bool) -> Result:
    image_id = keys.image_id(task.key)
    if task.bucket != store.source_bucket or image_id is None:
        return batch.Result(task.task_id, "PermanentFailure", "not an upload of this API")
    try:
        done = _plan(store, image_id) if dry_run else process(store, limits, image_id)
    except Exception as error:  # whatever it is, the other tasks get their turn
        logger.exception("image failed", extra={"image_id": image_id})
        return batch.Result(task.task_id, "TemporaryFailure", type(error).__name__)
    return batch.Result(task.task_id, "Succeeded", done)


def _plan(store: ImageStore, image_id: str) -> str:
    source = store.find_source(image_id)
    if source is None:
        return "would be removed"
    return "unchanged" if is_current(store.get_manifest(image_id), source) else "would be made"
