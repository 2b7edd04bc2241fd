"""The web tier's default template, beside `cdk synth` of a stack of the same resources.

Both start afresh, make the template and write it. What counts is the processor time of the whole
command, with the processes it starts. The peer is written for the AWS CDK as people write it
(cdk/app.js), with its default checks; what it makes beyond ours is within a tenth of the resources.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks import peers
from benchmarks.processes import cpu_seconds
from benchmarks.ratios import Result, alternate, ratio
from benchmarks.worker import WorkerError

NAME = "webtier_template"
GOAL = 0.05
ROOT = Path(__file__).resolve().parent.parent
# One round of the peer takes seconds, not milliseconds.
_MOST_ROUNDS = 5
_LABEL = "webtier/build.py, CPU time over cdk synth"


def run(rounds: int) -> Result:
    """Measure `rounds` times, five at most. Raises WorkerError."""
    try:
        peers.cdk()
    except peers.PeerMissing as missing:
        return Result(NAME, {}, skipped=str(missing))
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours", Path(folder) / "theirs"
        our_command = [sys.executable, "webtier/build.py", "--output", str(ours)]
        cdk = str(peers.CDK / "node_modules" / "aws-cdk" / "bin" / "cdk")
        cdk_command = ["node", cdk, "synth", "--quiet", "--no-notices", "--output", str(theirs)]
        variables = os.environ | {
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            # Its warnings are not part of the comparison.
            "CI": "true",
        }
        measured = alternate(
            lambda: cpu_seconds(our_command, ROOT, os.environ),
            lambda: cpu_seconds(cdk_command, peers.CDK, variables),
            min(rounds, _MOST_ROUNDS),
            warm_up=1,
        )
        compare(resource_types(ours), resource_types(theirs))
    return Result(NAME, {_LABEL: ratio(*measured, GOAL)})


def resource_types(folder: Path) -> Counter[str]:
    """How many resources of each type the only template in the folder has."""
    (template,) = (path for path in folder.glob("*.json") if "Resources" in _read(path))
    return Counter(resource["Type"] for resource in _read(template)["Resources"].values())


def compare(ours: Counter[str], theirs: Counter[str]) -> None:
    """Make sure that the two stacks are alike.

    Raises WorkerError where the peer lacks a type, has fewer resources of one, or more than a tenth
    more in all.
    """
    lacking = ours - theirs
    # A policy written inline or as a resource of its own is the same work.
    if lacking or not theirs.total() <= ours.total() * 1.1:
        raise WorkerError(
            f"the stacks differ: the peer lacks {dict(lacking)} and has {theirs.total()} "
            f"resources beside {ours.total()}: bring benchmarks/cdk/app.js up to date"
        )


def _read(path: Path) -> dict[str, dict[str, dict[str, str]]]:
    document: dict[str, dict[str, dict[str, str]]] = json.loads(path.read_text(encoding="utf-8"))
    return document
