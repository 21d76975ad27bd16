"""Consoles, and browsers to look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import running
from tests.browser.site import Site, empty_site
from tests.browser.watched import Watched
from tests.conftest import Requirement, need
from workers.console.access.roles import Role

NewPage = Callable[..., Watched]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser. Not for longer than a module: its loop would be in the way of other tests' loops."""
    need(Requirement.BROWSER)
    with running() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Site]:
    """A console with nothing in it but a user of each role."""
    with empty_site(empty_database, tmp_path_factory.mktemp("data")) as made:
        yield made


@pytest.fixture
def new_page(chromium: Browser, site: Site) -> Iterator[NewPage]:
    """``new_page(role, theme=…, **options of the context)``; what the page complains about fails the test."""
    contexts, pages = [], []

    def make(role: Role | None = None, theme: str = "auto", **options: Any) -> Watched:
        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        cookies = {"pinwatch_theme": theme} | ({site.cookie_name: site.cookie(role)} if role else {})
        context.add_cookies([{"name": name, "value": cookies[name], "url": site.origin} for name in cookies])
        pages.append(Watched(context, site.origin))
        return pages[-1]

    yield make
    for context in contexts:
        context.close()
    assert [one for page in pages for one in page.complaints] == []
