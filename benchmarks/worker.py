"""A process that does a piece of work each time it is asked, and tells what it cost.

It reads one line a piece of work from standard input and answers each with one line of JSON that
has at least `cpu`, the seconds of processor time the work took. Starting up is not counted.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


class WorkerError(Exception):
    """The worker ended, or answered something else than JSON."""


class Worker:
    """A running worker process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def work(self) -> dict[str, Any]:
        """Have the work done once and return the answer. Raises WorkerError."""
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise WorkerError("the worker has no pipes")
        try:
            process.stdin.write("\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
        except (OSError, ValueError) as error:
            raise WorkerError(f"{process.args!r} ended; its error is above") from error
        return answer


@contextmanager
def started(
    command: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Worker]:
    """Start a worker in `directory`, and end it, whatever happens.

    `environment` takes the place of this process's environment variables.
    """
    process = subprocess.Popen(
        list(command),
        cwd=directory,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Worker(process)
    finally:
        process.kill()
        process.communicate()
