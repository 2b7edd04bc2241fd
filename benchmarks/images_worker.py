"""A worker (see `benchmarks.worker`): this project's renditions of one file."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from image_api.chalicelib.presets import Preset
from image_api.chalicelib.renditions import render


def main() -> None:
    """Render once for each line of standard input."""
    task = json.loads(sys.argv[1])
    data = Path(task["source"]).read_bytes()
    presets = [Preset(str(width), width) for width in task["widths"]]
    for _line in sys.stdin:
        before = time.process_time()
        _header, renditions = render(data, presets, watermarked=False)
        cpu = time.process_time() - before
        made = [{"size": [each.width, each.height], "bytes": len(each.data)} for each in renditions]
        print(json.dumps({"cpu": cpu, "renditions": made}), flush=True)


if __name__ == "__main__":
    main()
