"""What `chalice deploy` would deploy, asked of Chalice, without AWS."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalice.deploy.packager import LambdaDeploymentPackager
from chalice.utils import OSUtils

from deploy import chalice, packing
from deploy.errors import ChaliceError

_PROGRAM = Path(__file__).with_name("chalice_model.py")
_SHOWN_LINES = 10


@dataclass(frozen=True)
class FunctionModel:
    """A function as it would be. `name` is its name in app.py."""

    name: str
    memory_mb: int
    timeout_s: int
    runtime: str
    handler: str
    architecture: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class AppModel:
    """An app as it would be: functions by their name in AWS, and the package they run from.

    `routes` says of each, such as `GET /items`, how it is authorized. `events` are pairs of a
    bucket and the function that its events invoke.
    """

    functions: Mapping[str, FunctionModel]
    routes: Mapping[str, str]
    events: frozenset[tuple[str, str]]
    package: Path


def app_model(directory: Path, stage: str, config: Mapping[str, Any]) -> AppModel:
    """Return what the project would become, with `config` in place of its config.json.

    The package is left in `.chalice/deployments`, Chalice's cache of packages.

    Raises ChaliceError: the app cannot be read or packaged.
    """
    process = subprocess.run(
        [sys.executable, "-P", str(_PROGRAM)],
        cwd=directory,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        input=json.dumps({"stage": stage, "config": config}),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        lines = [line for line in process.stderr.splitlines() if line.strip()]
        raise ChaliceError(
            f"Chalice cannot read or package the app: {chalice.reason(deque(lines))}",
            lines[-_SHOWN_LINES:],
        )
    answer = json.loads(process.stdout)
    return AppModel(
        {name: FunctionModel(**function) for name, function in answer["functions"].items()},
        answer["routes"],
        frozenset((bucket, function) for bucket, function in answer["events"]),
        Path(answer["package"]),
    )


def package_path(directory: Path, python: str, architecture: str) -> Path:
    """Return where Chalice looks for the project's package before it makes one."""
    packing.install()
    # Building the path takes neither the builder nor the output of a packager.
    packager = LambdaDeploymentPackager(OSUtils(), None, None, architecture)  # type: ignore[arg-type]
    return Path(packager.deployment_package_filename(str(directory), f"python{python}"))


def content_digest(package: Path) -> str:
    """Return the SHA-256 of what is in a package: names and contents, not when it was packed."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(package) as archive:
        for name in sorted(set(archive.namelist())):
            # Chalice packs the bytecode of vendor/, which comes and goes.
            if "__pycache__" not in name:
                digest.update(f"{name}\0".encode())
                digest.update(hashlib.sha256(archive.read(name)).digest())
    return digest.hexdigest()
