"""System tests work in a copy of the checkout: a sandbox of their own, and nothing else touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent.parent
NOT_COPIED = (
    ".git",
    ".venv",
    ".sandbox",
    "build",
    "node_modules",
    "deployed",
    "deployments",
    "*_cache",
)


@dataclass(frozen=True)
class Checkout:
    """A copy of the project, with the virtual environment that runs the tests."""

    path: Path

    def run(
        self, *command: str, timeout: float = 240, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy, without a terminal; `python` is the environment's."""
        return subprocess.run(
            command,
            cwd=self.path,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """This process's environment without AWS settings, the copy's `.venv/bin` first on PATH."""
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTEST_", "MAKE"))
        }
        return kept | {"PATH": f"{self.path / '.venv' / 'bin'}:{kept['PATH']}"} | dict(more or {})

    def files(self) -> dict[str, bytes]:
        """Every file by its path, caches left out."""
        found = {}
        for path in self.path.rglob("*"):
            inside = path.relative_to(self.path)
            if not {".venv", "__pycache__", "deployments"} & set(inside.parts) and path.is_file():
                found[str(inside)] = path.read_bytes()
        return found


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A copy of the checkout; whatever sandbox a test left running in it is stopped at the end."""
    path = tmp_path_factory.mktemp("checkout") / "project"
    shutil.copytree(ROOT, path, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    (path / ".venv").symlink_to(ROOT / ".venv")
    for part in ("image_api", "crud_api"):
        # The packages that Chalice built earlier: with them a deployment needs no network.
        cache = ROOT / part / ".chalice" / "deployments"
        cache.mkdir(parents=True, exist_ok=True)
        (path / part / ".chalice" / "deployments").symlink_to(cache)
    copied = Checkout(path)
    yield copied
    copied.run("python", "-m", "sandbox", "down")
