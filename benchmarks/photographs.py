"""Camera photographs to measure with, from packages of Debian's: two, of 18 and 20 megapixels.

They are fetched on first use, where there is an `apt-get` (no rights are needed: the packages are
unpacked here, not installed), and known by their digests. Cameras write pixels that a generator of
pictures only resembles: the noise of the sensor, the blur of lens and demosaicing, fine texture
beside plain sky. The decoder's time goes by that.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent / "photographs"


class PhotographsMissing(Exception):
    """They cannot be fetched here; the message is one line that says why."""


@dataclass(frozen=True)
class Photograph:
    """A file of a Debian package. The makers are named in the package's copyright file."""

    package: str
    path: str
    digest: str

    @property
    def file(self) -> Path:
        """Where it lies once it is fetched."""
        return FOLDER / Path(self.path).name

    def is_fetched(self) -> bool:
        """Tell whether it is there, byte for byte."""
        return self.file.is_file() and sha256(self.file.read_bytes()).hexdigest() == self.digest


PHOTOGRAPHS = (
    # A nuthatch on a branch before a plain ground; 6028 × 3391, CC BY-SA 3.0.
    Photograph(
        "lomiri-wallpapers-20.04",
        "usr/share/backgrounds/Kleiber_by_Lukas_Baubkus.jpg",
        "6572410c09f4492c74ccadde133565a14c0161617d5917d4c820c66d65a44ba7",
    ),
    # Elephants, by a Sony RX100 IV, sharp all over; 5640 × 3172, GPL 2 or later.
    Photograph(
        "mate-backgrounds",
        "usr/share/backgrounds/mate/abstract/Elephants_5640x3172.jpg",
        "7ab602cd55aedd107743973353e58771860d1a74a0cd0701e8351096535edde8",
    ),
)


def fetched() -> tuple[Path, ...]:
    """Return the photographs, or nothing where they have not been fetched."""
    if all(photograph.is_fetched() for photograph in PHOTOGRAPHS):
        return tuple(photograph.file for photograph in PHOTOGRAPHS)
    return ()


def fetch() -> None:
    """Make sure that they are there. Raises PhotographsMissing."""
    if fetched():
        return
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise PhotographsMissing(f"{program} is not installed, so there are no photographs")
    print(f"Fetching photographs into {FOLDER}", file=sys.stderr)
    FOLDER.mkdir(exist_ok=True)
    for photograph in PHOTOGRAPHS:
        if not photograph.is_fetched():
            _fetch(photograph)


def _fetch(photograph: Photograph) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run(["apt-get", "download", photograph.package], folder)
        (archive,) = folder.glob("*.deb")
        _run(["dpkg-deb", "--extract", archive.name, "content"], folder)
        found = folder / "content" / photograph.path
        if not found.is_file() or sha256(found.read_bytes()).hexdigest() != photograph.digest:
            raise PhotographsMissing(f"{photograph.package} has another {found.name} here")
        shutil.copy(found, photograph.file)


def _run(command: list[str], folder: Path) -> None:
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if finished.returncode:
        lines = finished.stderr.strip().splitlines() or ["it said nothing"]
        raise PhotographsMissing(f"{' '.join(command)} failed: {lines[-1]}")
