"""The console against a real provider: there, its forms, back, and out again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gallery.database import Database
from tests.conftest import Requirement, need
from tests.oidc.fake import CLIENT_ID, CLIENT_SECRET
from tests.oidc.server import Person, running_provider
from tests.workers.console.oidc_world import is_in, me
from tests.workers.console.world import ORIGIN, Browser, World
from workers.console.access.roles import Role
from workers.console.oidc.options import OidcOptions

ACCOUNTS: dict[str, dict[str, Any]] = {
    "ada": {"name": "Ada Lovelace", "groups": ["guards"], "email": "ada@example.org", "email_verified": True},
    "eve": {"name": "Eve", "groups": ["canteen"]},
}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    need(Requirement.OIDC)
    with running_provider(ORIGIN, ACCOUNTS) as address:
        yield address


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def world(database: Database, provider: str) -> World:
    options = OidcOptions(
        issuer=provider,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        scopes=("openid", "profile", "email", "groups"),
        roles={"guards": Role.OPERATOR},
        email_domains=("example.org",),
    )
    made = World(database, oidc=options)
    made.clock.set_wall_ns(time.time_ns())
    return made


def leave(browser: Browser) -> str:
    to = browser.send("/oidc/login", page="/login").headers["refresh"].partition("url=")[2]
    assert isinstance(to, str)
    return to


def test_in_and_out_again(world: World, provider: str) -> None:
    browser = world.browser()
    with Person(provider) as person:
        back = person.log_in(leave(browser), "ada")
        assert back.startswith(f"{ORIGIN}/oidc/answer?")
        assert browser.get(back).status_code == 200
        assert (me(browser)["name"], me(browser)["role"]) == ("ada", "operator")
        farewell = browser.send("/logout").headers["refresh"].partition("url=")[2]
        assert not is_in(browser)
        assert farewell.startswith(f"{provider}/session/end?")
        assert person.log_out(farewell) == f"{ORIGIN}/login"
        again = person.log_in(leave(browser), "ada")  # is asked again who it is
        assert browser.get(again).status_code == 200
    assert len(world.access.users.all()) == 1


def test_somebody_who_may_not(world: World, provider: str) -> None:
    browser = world.browser()
    with Person(provider) as person:
        answer = browser.get(person.log_in(leave(browser), "eve"))
    assert answer.status_code == 403
    assert not is_in(browser)


def test_somebody_who_turns_back(world: World, provider: str) -> None:
    browser = world.browser()
    with Person(provider) as person:
        answer = browser.get(person.decline(leave(browser)))
    assert answer.status_code == 403
    assert world.record.what()[-1].endswith("the provider says access_denied")


def test_a_code_is_good_once_and_for_the_browser_that_asked(world: World, provider: str) -> None:
    browser, thief = world.browser(), world.browser()
    with Person(provider) as person:
        back = person.log_in(leave(browser), "ada")
    code = back.partition("code=")[2].partition("&")[0]
    own = leave(thief)
    state = own.partition("state=")[2].partition("&")[0]
    stolen = f"/oidc/answer?code={code}&state={state}&iss={provider}"
    assert thief.get(stolen).status_code == 400
    assert world.record.what()[-1].endswith("the provider does not take the code: invalid_grant")
    assert not is_in(thief)
