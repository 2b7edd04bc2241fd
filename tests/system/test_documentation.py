"""Every command the README and the documentation show is run here, in a copy of the checkout."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Checkout

ROOT = Path(__file__).resolve().parent.parent.parent
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").rglob("*.md"))

# This test is part of what it runs; CI runs it by that very command.
RUN_BY_CI = "make test"


_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LANGUAGES = ("console", "sh", "bash", "shell")


@dataclass(frozen=True)
class Block:
    """One fenced block of commands. `aws` says that it needs an AWS account."""

    script: str
    aws: bool


def blocks(page: str) -> list[Block]:
    """The page's blocks of commands, in order.

    ```console is run as it stands; ```console aws needs credentials for an AWS account.
    """
    found = []
    for fence in _FENCE.finditer(page):
        language, *words = fence["info"].split() or [""]
        if language in _LANGUAGES:
            found.append(Block(fence["body"], "aws" in words))
    return found


def script(block: Block) -> str:
    """The block's commands as a script that ends with the first failure."""
    lines = [line for line in block.script.splitlines() if line.strip() != RUN_BY_CI]
    return "set -euo pipefail\n" + "\n".join(lines)


def test_the_readme_starts_with_the_two_commands() -> None:
    assert blocks(README.read_text())[0].script.split("\n") == ["make demo", "make test", ""]


def test_make_demo_passes_every_step_and_leaves_nothing(checkout: Checkout) -> None:
    before = checkout.files()
    shown = checkout.run("make", "demo")
    assert shown.returncode == 0, shown.stdout
    marks = re.findall(r"^  ([✔✘])", shown.stdout, re.MULTILINE)
    assert marks
    assert set(marks) == {"✔"}, shown.stdout
    for part in ("image_api", "crud_api", "webtier", "monitoring"):
        assert f"✔ {part}: " in shown.stdout
    assert checkout.files() == before
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "command="], capture_output=True, text=True, check=True
    )
    assert str(checkout.path) not in listed.stdout


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_the_page_work(checkout: Checkout, page: Path) -> None:
    found = [block for block in blocks(page.read_text()) if script(block).count("\n")]
    for block in found:
        if block.script.startswith("make demo"):
            continue  # the test above
        commands = script(block)
        if block.aws:
            checkout.run("python", "-m", "sandbox", "up", "--empty", "--detach")
            commands = f'eval "$(python -m sandbox env)"\n{commands}'
        ran = checkout.run("bash", "-c", commands)
        if block.aws:
            checkout.run("python", "-m", "sandbox", "down")
        assert ran.returncode == 0, f"{block.script}\n{ran.stdout}"


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_the_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
