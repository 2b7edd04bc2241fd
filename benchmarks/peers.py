"""Peers: sharp and the AWS CDK from npm, pinned and installed on first use; libvips."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
CDK = FOLDER / "cdk"


class PeerMissing(Exception):
    """A peer cannot run here; the message is one line that says why."""


def sharp() -> str:
    """Make sure sharp is installed and return its version. Raises PeerMissing."""
    return _from_npm(FOLDER, "sharp")


def cdk() -> str:
    """Make sure the AWS CDK is installed and return its library's version. Raises PeerMissing."""
    return _from_npm(CDK, "aws-cdk-lib")


def libvips() -> str:
    """Return the version of libvips. Raises PeerMissing."""
    try:
        import pyvips
    except (ImportError, OSError) as error:
        raise PeerMissing(
            "pyvips is not installed, so there is no libvips to compare with"
        ) from error
    return ".".join(str(pyvips.version(part)) for part in range(3))


def _from_npm(folder: Path, package: str) -> str:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise PeerMissing(
                f"{program} is not installed, so there is no {package} to compare with"
            )
    pinned: str = json.loads((folder / "package.json").read_text())["dependencies"][package]
    if _installed(folder, package) != pinned:
        print(f"Installing {package} {pinned} into {folder / 'node_modules'}", file=sys.stderr)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if finished.returncode:
            lines = finished.stderr.strip().splitlines() or ["it said nothing"]
            raise PeerMissing(f"{package} could not be installed: npm ci failed: {lines[-1]}")
    return pinned


def _installed(folder: Path, package: str) -> str | None:
    try:
        described = (folder / "node_modules" / package / "package.json").read_text()
    except FileNotFoundError:
        return None
    version: str = json.loads(described)["version"]
    return version
