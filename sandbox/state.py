"""Which sandbox is running: one small file in `.sandbox/`, beside everything else it writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sandbox.emulator import ROOT, Emulator

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY = ROOT / ".sandbox"


def write(emulator: Emulator) -> None:
    """Record a running emulator, so that other commands find it."""
    document = {"pid": emulator.pid, "endpoint": emulator.endpoint}
    path = emulator.directory / "state.json"
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(document))
    draft.replace(path)


def read(directory: Path = DIRECTORY) -> Emulator | None:
    """The emulator recorded in `directory`, running or not; None where there is none."""
    try:
        document = json.loads((directory / "state.json").read_text())
        return Emulator(int(document["pid"]), str(document["endpoint"]), directory)
    except (FileNotFoundError, ValueError, KeyError):
        return None


def running(directory: Path = DIRECTORY) -> Emulator | None:
    """The emulator recorded in `directory` where it is running and answers, else None."""
    emulator = read(directory)
    return emulator if emulator is not None and emulator.alive() else None
