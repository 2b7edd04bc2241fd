"""Renders every file of a folder within the function's memory, one JSON line a file.

    python corpus_worker.py FOLDER MEMORY SECONDS

MEMORY is in bytes, of address space. A file that takes more than SECONDS ends the process. Any
folder will do: what matters is that every file ends in renditions or in a refusal by name.
"""

from __future__ import annotations

import faulthandler
import io
import json
import resource
import sys
import time
from pathlib import Path

from PIL import Image

from image_api.chalicelib.allocator import keep_freed_memory
from image_api.chalicelib.presets import PRESETS
from image_api.chalicelib.refusals import Refusal
from image_api.chalicelib.renditions import render


def main() -> None:
    # As the function does: what one file leaves must not keep the next from fitting.
    keep_freed_memory()
    folder, memory, seconds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        faulthandler.dump_traceback_later(seconds, exit=True)
        before = time.monotonic()
        try:
            header, renditions = render(path.read_bytes(), PRESETS, memory)
            outcome = "renditions"
        except Refusal as refusal:
            outcome, renditions = type(refusal).__name__, ()
        taken = time.monotonic() - before
        made = []
        for rendition in renditions:
            with Image.open(io.BytesIO(rendition.data)) as image:
                image.load()
                assert image.size == (rendition.width, rendition.height), path
                assert not image.getexif(), path
                assert not {"exif", "xmp", "icc_profile", "comment"} & set(image.info), path
                made.append([rendition.width, rendition.height, rendition.frames])
        faulthandler.cancel_dump_traceback_later()
        size = [header.width, header.height] if renditions else None
        name = str(path.relative_to(folder))
        answer = {"file": name, "outcome": outcome, "seconds": taken}
        print(json.dumps(answer | {"size": size, "made": made}), flush=True)


if __name__ == "__main__":
    main()
