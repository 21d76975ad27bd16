"""A console with an identity provider beside it, and somebody who goes from one to the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from httpx2 import Response

from gallery.database import Database
from tests.oidc.fake import CLIENT_ID, CLIENT_SECRET, FakeProvider
from tests.workers.console.world import HOST, PORT, Browser, World
from workers.console.access.origins import origins
from workers.console.access.roles import Role
from workers.console.oidc.options import OidcOptions

ROLES = {"guards": Role.OPERATOR, "audit": Role.AUDITOR, "heads": Role.ADMINISTRATOR}
COOKIE = "pinwatch_login"


@dataclass
class Site:
    """The console, the provider, and what they agreed on."""

    world: World
    provider: FakeProvider

    @property
    def record(self) -> list[str]:
        return self.world.record.what()

    def leave(self, browser: Browser, page: str = "/login", **fields: str) -> str:
        """Press the button; where the browser is sent."""
        answer = browser.send("/oidc/login", page=page, **fields)
        assert answer.status_code == 200, answer.text
        to = answer.headers["refresh"].partition("url=")[2]
        assert isinstance(to, str)
        return to

    def come_in(
        self, browser: Browser, *, page: str = "/login", wanted: dict[str, str] | None = None, **claims: Any
    ) -> Response:
        """All the way there and back."""
        to = self.leave(browser, page, **(wanted or {}))
        return browser.get(self.provider.log_in(to, **{"groups": ["guards"], **claims}))


def make_site(
    database: Database, provider: FakeProvider, *, public: str | None = None, **options: Any
) -> Site:
    """A console whose browsers find it at `public`; `options` are of the provider."""
    chosen = {
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "roles": ROLES,
        "timeout_s": 5.0,
        **options,
    }
    where = origins(HOST, PORT, public)
    return Site(World(database, oidc=OidcOptions(**chosen), origins=where), provider)


def me(browser: Browser) -> dict[str, Any]:
    answer = browser.get("/api/v1/me")
    assert answer.status_code == 200
    said = answer.json()
    assert isinstance(said, dict)
    return said


def is_in(browser: Browser) -> bool:
    return browser.get("/account").status_code == 200


def cookie_of(browser: Browser) -> str | None:
    return browser.client.cookies.get(COOKIE, domain=HOST)
