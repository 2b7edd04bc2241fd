"""The Lambda functions to watch, read from the Chalice projects that deploy them.

No list of functions is kept by hand: a function Chalice would deploy has its alarms, and one it
would no longer deploy has none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = (ROOT / "image_api", ROOT / "crud_api")
"""The Chalice projects of this repository that are watched."""


class InventoryError(Exception):
    """A project cannot be read. The message is one line: it names the project and what is wrong."""


@dataclass(frozen=True)
class Function:
    """One Lambda function as Chalice deploys it."""

    key: str
    """Chalice's name of it, such as `api_handler`."""
    name: str
    """Its name in AWS, such as `image_api-prod`."""
    timeout_seconds: int
    asynchronous: bool
    """Invoked by S3, SNS or EventBridge: Lambda keeps the events it throttles, and tries again."""


@dataclass(frozen=True)
class RestApi:
    """One REST API of API Gateway: `name` and `stage` are its dimensions in CloudWatch."""

    name: str
    stage: str


@dataclass(frozen=True)
class Service:
    """One Chalice application in one stage."""

    name: str
    functions: tuple[Function, ...]
    rest_api: RestApi | None


def read(project: Path, stage: str) -> Service:
    """Return the functions and the API that `chalice deploy --stage STAGE` would create.

    The project is imported with the variables of `local`, which are always recorded: a stage that
    was never deployed can be watched from its first day. Names and time-outs are the stage's.

    Raises InventoryError: there is no Chalice project, no such stage, or it cannot be imported.
    """
    config_file = project / ".chalice" / "config.json"
    try:
        config: dict[str, Any] = json.loads(config_file.read_text())
    except FileNotFoundError:
        raise InventoryError(f"{project}: no Chalice project (.chalice/config.json)") from None
    except ValueError as error:
        raise InventoryError(f"{config_file}: not JSON: {error}") from None
    stages = config.get("stages", {})
    if stage not in stages:
        known = ", ".join(sorted(stages)) or "none"
        raise InventoryError(f"{config_file}: no stage {stage!r} (its stages: {known})")
    models = Path(__file__).with_name("chalice_models.py")
    run = subprocess.run(
        [sys.executable, "-P", str(models), str(project), stage],
        # Lambda always has a region, and an app may make a client while it is imported.
        env={"AWS_DEFAULT_REGION": "us-east-1", **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        reason = (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]
        raise InventoryError(f"{project}: stage {stage!r} cannot be read: {reason}")
    found = json.loads(run.stdout)
    return Service(
        name=found["name"],
        functions=tuple(Function(**function) for function in found["functions"]),
        rest_api=RestApi(**found["rest_api"]) if found["rest_api"] else None,
    )
