from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Prints how many pages the system had to hand out for the second of two equal pictures.
MEASURE = """
import resource
import sys
from PIL import Image
from image_api.chalicelib import allocator
if sys.argv[1] == "kept":
    assert allocator.keep_freed_memory()
    assert allocator.keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(2):
    before = faults()
    Image.new("RGB", (2000, 1500), (1, 2, 3)).resize((1000, 750))
    handed_out = faults() - before
print(handed_out)
"""


def pages_handed_out(what: str) -> int:
    command = [sys.executable, "-c", MEASURE, what]
    pages: int = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return pages


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library may be another one")
def test_the_memory_of_a_picture_serves_the_next_one():
    # 15 MB are some 3,700 pages of 4 KiB.
    assert pages_handed_out("returned") > 2000
    assert pages_handed_out("kept") < 100
