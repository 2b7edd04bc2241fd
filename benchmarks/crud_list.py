"""A page of the lists of the items API: what it costs with a million items, beside a hundred.

Requests to DynamoDB and the read units it counts, for pages at the beginning, in the middle and by
tag. Nothing here is measured in time: what a page costs is what it reads.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ratios import Ratio, Result
from benchmarks.worker import WorkerError

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "crud_list"
FEW = 100
MANY = 1_000_000
"""It takes 2 GB of memory and some minutes."""


def run(_rounds: int) -> Result:
    """Return what each page costs with many items over few. Rounds change nothing."""
    few, many = (_pages(count) for count in (FEW, MANY))
    ratios, figures = {}, {}
    for page, costs in many.items():
        for cost in ("requests", "units"):
            value = round(costs[cost] / few[page][cost], 3)
            label = f"{cost} for {page}, {MANY:,} items over {FEW}"
            ratios[label] = Ratio(value, value, value, 1.0)
        figures[f"index entries read for {page}, of {MANY:,} items"] = costs["entries"]
    return Result(NAME, ratios, figures=figures)


def _pages(count: int) -> Mapping[str, Mapping[str, float]]:
    worker = subprocess.run(
        [sys.executable, "-m", "benchmarks.crud_list_worker", str(count)],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if worker.returncode:
        raise WorkerError("the worker of crud_list ended; its error is above")
    pages: Mapping[str, Mapping[str, float]] = json.loads(worker.stdout)
    return pages
