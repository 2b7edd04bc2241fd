"""The documentation as a site, and the messages it explains."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "troubleshooting.md"
SOURCES = ("deploy", "docs/diagrams", "sandbox", "Makefile", "crud_api", "image_api")


@pytest.fixture(scope="module")
def sources() -> str:
    """The text of everything that says something to users, literals of several lines joined."""
    paths = [
        path
        for name in SOURCES
        for path in (
            [ROOT / name] if (ROOT / name).is_file() else sorted((ROOT / name).rglob("*.py"))
        )
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return re.sub(r'"\s*\n\s*f?"', "", text)


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    generator = ["--with-requirements", "docs/site-requirements.txt", "--from", "mkdocs", "mkdocs"]
    command = [uv, "tool", "run", *generator, "build", "--strict", "--site-dir", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "index.html").exists()
    assert (tmp_path / "diagrams" / "overview.svg").exists()
    assert not list(tmp_path.rglob("*.py"))
    pages = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html"))
    # Nothing is fetched from elsewhere by somebody who reads.
    assert not re.findall(
        r'<(?:script|link|img)[^>]+(?:src|href)="https?://(?!squidfunk)[^"]+', pages
    )


def test_nothing_makes_chalice_local_restart() -> None:
    # Chalice 1.34 watches files by it where it is installed, and takes reading one for a change.
    assert importlib.util.find_spec("watchdog") is None


def messages() -> list[str]:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return [row.split("`")[1] for row in rows]


@pytest.mark.parametrize("message", messages())
def test_every_message_is_one_that_is_shown(sources: str, message: str) -> None:
    fixed = [part.strip(" ;:,") for part in message.split("…")]
    words = [part for part in fixed if len(part) > 3]
    assert words, message
    for part in words:
        assert part in sources, f"nothing says {part!r}"


@pytest.mark.parametrize("slug", re.findall(r"\d{3} `([a-z-]+)`", PAGE.read_text()))
def test_every_problem_is_one_of_the_catalogue(sources: str, slug: str) -> None:
    assert f'ProblemType("{slug}"' in sources
