"""Programs measured whole, from their start to their end."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from benchmarks.worker import WorkerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def cpu_seconds(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> float:
    """Run the command in the folder to its end and return the processor time it took, in seconds.

    That of the processes it started and waited for counts, too. Raises WorkerError where it fails.
    """
    process = subprocess.Popen(
        list(command), cwd=folder, env=dict(variables), stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    # Popen must not wait for what has been waited for.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise WorkerError(f"{' '.join(command)} failed; its error is above")
    return usage.ru_utime + usage.ru_stime
