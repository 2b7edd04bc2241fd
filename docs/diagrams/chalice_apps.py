"""A Chalice app as Chalice models it: its functions, routes, events and policies."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docs.diagrams.resources import STAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class App:
    """What an app deploys.

    `functions` has names in AWS by Chalice's; `routes` the methods by path; `events` the functions
    by the bucket whose events they are for; `policies` each function's.
    """

    name: str
    functions: Mapping[str, str]
    routes: Mapping[str, tuple[str, ...]]
    events: Mapping[str, str]
    policies: Mapping[str, Mapping[str, Any]]


@cache
def read(name: str) -> App:
    """Read the app in the folder of that name. Raises ValueError: it cannot be imported."""
    project = ROOT / name
    done = subprocess.run(
        [sys.executable, "-P", ROOT / "monitoring" / "chalice_models.py", project, STAGE],
        env={"AWS_DEFAULT_REGION": "us-east-1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"{project}: {done.stderr.strip().splitlines()[-1]}")
    found = json.loads(done.stdout)
    functions = {function["key"]: function["name"] for function in found["functions"]}
    return App(
        name,
        functions,
        {path: tuple(methods) for path, methods in found["routes"].items()},
        found["bucket_events"],
        {
            key: json.loads((project / ".chalice" / f"policy-{STAGE}-{key}.json").read_text())
            for key in functions
        },
    )
