"""The system's Chromium, driven by Playwright: no browser is ever downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = ("--disable-dev-shm-usage", "--mute-audio", "--disable-gpu")


def program() -> str:
    """Where the browser is.

    Raises:
        RuntimeError: there is none.
    """
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise RuntimeError("Debian: chromium")
    return found


@contextmanager
def running() -> Iterator[Browser]:
    """The browser, as long as the block lasts."""
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=[*_ARGUMENTS, *as_root])
        try:
            yield browser
        finally:
            browser.close()
