"""Every page, in a real browser: accessible, in dark and light, wide and narrow, and by keyboard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser import looks
from tests.browser.conftest import NewPage
from tests.browser.seed import Seeds, seed
from tests.browser.site import Site
from tests.browser.walk import pages_of
from tests.browser.watched import Watched
from workers.console.access.roles import Role

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NARROW = {"width": 390, "height": 844}
Address = tuple[str, Role | None]


@pytest.fixture(scope="module")
def seeds(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    return seed(site, tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="module")
def pages(site: Site, seeds: Seeds) -> list[Address]:
    found = list(pages_of(site, seeds))
    assert len(found) >= 9
    return found


def test_nothing_grave_is_found_by_axe(pages: list[Address], new_page: NewPage) -> None:
    def look(shown: Watched) -> list[str]:
        return list(looks.accessibility(shown.page))

    assert walked(pages, new_page, look, theme="dark") == ""


def test_everything_can_be_read_in_the_light(pages: list[Address], new_page: NewPage) -> None:
    def look(shown: Watched) -> list[str]:
        return list(looks.accessibility(shown.page, "color-contrast", "link-in-text-block"))

    assert walked(pages, new_page, look, theme="light") == ""


def test_pages_are_in_order_and_whole_by_keyboard(pages: list[Address], new_page: NewPage) -> None:
    def look(shown: Watched) -> list[str]:
        return [*looks.structure(shown.page), *looks.keyboard(shown.page)]

    assert walked(pages, new_page, look) == ""


def test_nothing_must_be_moved_sideways_on_a_telephone(pages: list[Address], new_page: NewPage) -> None:
    def look(shown: Watched) -> list[str]:
        return list(looks.width(shown.page))

    assert walked(pages, new_page, look, viewport=NARROW) == ""


def test_titles_are_the_pages_own(pages: list[Address], new_page: NewPage) -> None:
    titles: dict[str, set[str]] = defaultdict(set)

    def look(shown: Watched) -> list[str]:
        titles[shown.page.title()].add(shown.page.url.partition("?")[0])
        return []

    walked(pages, new_page, look)
    assert {title: urls for title, urls in titles.items() if len(urls) > 1} == {}


def walked(
    pages: list[Address], new_page: NewPage, look: Callable[[Watched], list[str]], **options: Any
) -> str:
    """What `look` says about each page that it finds fault with, a line each."""
    browsers = {role: new_page(role, **options) for role in {role for _, role in pages}}
    faults = []
    for address, role in pages:
        shown = browsers[role]
        shown.open(address)
        faults += [f"{address}: {fault}" for fault in look(shown)]
    return "\n".join(faults)
