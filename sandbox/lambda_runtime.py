"""The interpreter that functions run under: this Python with boto3 and nothing else.

AWS's Python runtimes contain boto3 and its dependencies; everything else has to be in the
function's own package (AWS Lambda developer guide, "Runtime dependencies in Python"). Running
functions under the project's virtual environment would hide a dependency the package lacks.
"""

from __future__ import annotations

import re
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

PROVIDED_BY_AWS = "boto3"


def create(directory: Path) -> Path:
    """Make an isolated environment in `directory` and return its interpreter's path."""
    venv.EnvBuilder(with_pip=False, symlinks=sys.platform != "win32", clear=True).create(directory)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site_packages = directory / "lib" / version / "site-packages"
    for name in sorted(_closure(PROVIDED_BY_AWS)):
        for source in _top_level(name):
            target = site_packages / source.name
            if not target.exists():
                target.symlink_to(source, target_is_directory=source.is_dir())
    return directory / "bin" / "python"


def _closure(name: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
    """`name` and every distribution it requires, extras left out."""
    seen |= {name}
    for requirement in distribution(name).requires or []:
        matched = re.match(r"[\w.-]+", requirement)
        if matched and "extra ==" not in requirement and matched[0] not in seen:
            seen = _closure(matched[0], seen)
    return seen


def _top_level(name: str) -> set[Path]:
    """The files and folders of a distribution that stand directly in site-packages."""
    installed = distribution(name)
    root = Path(str(installed.locate_file(".")))
    names = {
        file.parts[0]
        for file in installed.files or []
        if file.parts[0] not in ("..", "__pycache__")
    }
    return {root.resolve() / top for top in names}
