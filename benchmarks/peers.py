"""Peers: sharp from npm, pinned by package-lock.json and installed on first use; libvips."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


class PeerMissing(Exception):
    """A peer cannot run here; the message is one line that says why."""


def sharp() -> str:
    """Make sure sharp is installed and return its version. Raises PeerMissing."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise PeerMissing(f"{program} is not installed, so there is no sharp to compare with")
    pinned: str = json.loads((FOLDER / "package.json").read_text())["dependencies"]["sharp"]
    if _installed() != pinned:
        print(f"Installing sharp {pinned} into {FOLDER / 'node_modules'}", file=sys.stderr)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        finished = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
        if finished.returncode:
            lines = finished.stderr.strip().splitlines() or ["it said nothing"]
            raise PeerMissing(f"sharp could not be installed: npm ci failed: {lines[-1]}")
    return pinned


def libvips() -> str:
    """Return the version of libvips. Raises PeerMissing."""
    try:
        import pyvips
    except (ImportError, OSError) as error:
        raise PeerMissing(
            "pyvips is not installed, so there is no libvips to compare with"
        ) from error
    return ".".join(str(pyvips.version(part)) for part in range(3))


def _installed() -> str | None:
    try:
        package = (FOLDER / "node_modules" / "sharp" / "package.json").read_text()
    except FileNotFoundError:
        return None
    version: str = json.loads(package)["version"]
    return version
