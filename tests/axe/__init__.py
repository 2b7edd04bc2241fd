"""axe-core's accessibility rules on a page in a browser: https://github.com/dequelabs/axe-core."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from tests import npm

if TYPE_CHECKING:
    from playwright.sync_api import Page

HERE = Path(__file__).resolve().parent


@functools.cache
def _source() -> str:
    npm.install(HERE)
    return (HERE / "node_modules" / "axe-core" / "axe.min.js").read_text()


def violations(page: Page) -> list[str]:
    """Every violation on the page as it is now: the rule, and the elements that break it."""
    page.evaluate(_source())
    found = page.evaluate("() => axe.run()")
    return [
        f"{violation['id']}: {violation['help']}: {node['html']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
