"""Every page that the schema knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

from tests.browser.seed import Seeds
from tests.browser.site import Site
from workers.console.access.roles import Permission, Role

_NO_PAGES = ("/api/", "/static/")


def pages_of(site: Site, seeds: Seeds) -> Iterator[tuple[str, Role | None]]:
    """Addresses of all pages, and who looks at them: nobody, or the administrator.

    Raises:
        LookupError: a page's parameters are not known.
        AssertionError: a page cannot be reached.
    """
    schema = site.world.console.app.openapi()
    cookies = {site.cookie_name: site.cookie(Role.ADMINISTRATOR)}
    for path, described in sorted(schema["paths"].items()):
        if "get" not in described or path.startswith(_NO_PAGES):
            continue
        role = _who(described["get"])
        address = seeds.address(path)
        if _is_page(site.origin + address, cookies if role else {}):
            yield address, role
    yield from ((address, Role.ADMINISTRATOR) for address in seeds.more)


def _who(operation: dict[str, Any]) -> Role | None:
    return None if operation["x-permission"] == Permission.ANYONE else Role.ADMINISTRATOR


def _is_page(url: str, cookies: dict[str, str]) -> bool:
    """Whether it is for people to read; what leads elsewhere is looked at there."""
    with requests.get(url, cookies=cookies, timeout=30, allow_redirects=False, stream=True) as answer:
        if answer.status_code in (302, 303, 307):
            return False
        assert answer.status_code == 200, f"{url} answers {answer.status_code}: see tests/browser/seed.py"
        return answer.headers["content-type"].startswith("text/html")
