"""The archive of the actions' code, the same bytes for the same code.

Its name has the checksum of its bytes: the template names exactly the code that it runs, and a
changed action is a changed template. `python -m deploy` uploads it; for a deployment by other
tools, `python -m monitoring.package [--output DIR]` writes it.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ACTIONS = Path(__file__).with_name("actions")
HANDLER = f"{ACTIONS.name}.handler.handler"

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows


@cache
def archive() -> bytes:
    """Return the archive: the folder `actions`, in alphabetical order, without times."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for path in sorted(ACTIONS.glob("*.py")):
            entry = zipfile.ZipInfo(f"{ACTIONS.name}/{path.name}", _EPOCH)
            entry.external_attr = 0o100644 << 16  # readable by the user that Lambda runs it as
            # Stored, not deflated: compressed bytes differ between versions of zlib.
            target.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def key() -> str:
    """Return the archive's key in the artifact bucket: its checksum."""
    return f"{hashlib.sha256(archive()).hexdigest()}.zip"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the archive and print its path; return the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m monitoring.package",
        description="Write the archive of the actions' code, under the key that the template "
        "expects it at in the artifact bucket.",
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, default=Path("build"), help="default: build/"
    )
    path = parser.parse_args(arguments).output / key()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(archive())
    except OSError as error:
        print(f"python -m monitoring.package: {error}", file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
