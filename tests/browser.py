"""A real browser for tests: Debian's Chromium, driven by Playwright.

`apt-get install chromium` brings it. Playwright's own download is not used: nothing is fetched
while tests run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable() -> str:
    """The path of a Chromium. Raises RuntimeError, which says what to install."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise RuntimeError(
        f"none of {', '.join(NAMES)} is on PATH: the tests in a browser need one. "
        "On Debian and Ubuntu: apt-get install chromium"
    )


@contextmanager
def launched() -> Iterator[Browser]:
    """A running browser, closed at the end."""
    path = executable()
    with sync_playwright() as playwright:
        # Without the proxy settings of the environment: every page is of this machine.
        environment = {
            name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
        }
        browser = playwright.chromium.launch(
            executable_path=path, args=list(FLAGS), env=dict(environment)
        )
        try:
            yield browser
        finally:
            browser.close()
