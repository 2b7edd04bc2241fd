"""Deploys the four parts into the sandbox, with the very commands that deploy them to AWS."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox import environment
from sandbox.emulator import ROOT, Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = ("image_api", "crud_api", "webtier", "monitoring")
CHALICE_PARTS = ("image_api", "crud_api")
STAGE = "local"


class DeploymentError(Exception):
    """A part did not deploy; its own output said why."""


@dataclass(frozen=True)
class Deployment:
    """One part deployed, and the seconds that took."""

    part: str
    seconds: float


def deploy(emulator: Emulator, part: str, say: Callable[[str], None]) -> Deployment:
    """Run `python -m deploy PART --stage local` against the emulator, its lines passed to `say`.

    Raises DeploymentError where it fails.
    """
    started = time.monotonic()
    command = [sys.executable, "-u", "-m", "deploy", part, "--stage", STAGE]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment.environment(os.environ, emulator.endpoint, emulator.directory),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            for line in process.stdout or ():
                say(line.rstrip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise DeploymentError(
            f"{part} did not deploy: `{' '.join(command[2:])}` exited {process.returncode}."
        )
    return Deployment(part, time.monotonic() - started)


def forget() -> None:
    """Remove what `chalice deploy` recorded: it names APIs that ended with the sandbox."""
    for part in CHALICE_PARTS:
        (ROOT / part / ".chalice" / "deployed" / f"{STAGE}.json").unlink(missing_ok=True)
