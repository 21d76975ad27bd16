"""Coming in through an identity provider: users, roles, cameras, invitations, logout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from gallery.database import Database
from gallery.tables import console_provider_logins, console_provider_sessions
from pipeline.errors import ConfigError
from tests.oidc.fake import CLIENT_ID, FakeProvider, fake_provider
from tests.workers.console.oidc_world import COOKIE, Site, cookie_of, is_in, make_site, me
from tests.workers.console.world import PASSWORD, START_NS, Browser, World
from workers.console.access.roles import Role
from workers.console.access.users import UserChange
from workers.console.oidc.options import OidcOptions


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with fake_provider(lambda: START_NS / 1e9) as running:
        yield running


@pytest.fixture
def site(database: Database, provider: FakeProvider) -> Site:
    return make_site(database, provider)


def named(site: Site, name: str) -> str:
    """The id of a user."""
    user = site.world.access.users.named(name)
    assert user is not None
    return user.id


def test_the_first_login_makes_a_user_and_leads_to_where_one_wanted_to_go(site: Site) -> None:
    browser = site.world.browser("10.1.2.3")
    assert site.provider.issuer not in browser.get("/login").text
    answer = site.come_in(browser, wanted={"next": "/people?search=ü"}, preferred_username="ada")
    assert answer.status_code == 200
    assert answer.headers["refresh"] == "0; url=/people?search=%C3%BC"
    assert me(browser)["name"] == "ada"
    assert me(browser)["role"] == "operator"
    assert site.record == [
        f"user to be made for subject-1 of {site.provider.issuer}; role operator",
        f"login through {site.provider.issuer}",
    ]
    who, _, _ = site.world.record.records[-1]
    assert (who.name, who.address, who.user_id) == ("ada", "10.1.2.3", named(site, "ada"))


def test_what_the_browser_carries(site: Site) -> None:
    browser = site.world.browser()
    begun = browser.send("/oidc/login", page="/login")
    cookie = begun.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for part in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=600"):
        assert part in cookie
    query = site.provider.query(begun.headers["refresh"].partition("url=")[2])
    assert query["client_id"] == CLIENT_ID
    assert query["scope"] == "openid profile email"
    assert cookie_of(browser) not in query.values()
    answer = browser.get(
        site.provider.log_in(begun.headers["refresh"].partition("url=")[2], groups=["guards"])
    )
    session = next(one for one in answer.headers.get_list("set-cookie") if "pinwatch_session" in one)
    assert "SameSite=strict" in session
    assert cookie_of(browser) is None


def test_over_https_no_other_host_can_set_the_cookie(database: Database, provider: FakeProvider) -> None:
    site = make_site(database, provider, public="https://pinwatch.example.org")
    browser = Browser(site.world.console, origin="https://pinwatch.example.org")
    begun = browser.send("/oidc/login", page="/login")
    assert begun.headers["set-cookie"].startswith(f"__Host-{COOKIE}=")
    assert "Secure" in begun.headers["set-cookie"]
    query = provider.query(begun.headers["refresh"].partition("url=")[2])
    assert query["redirect_uri"] == "https://pinwatch.example.org/oidc/answer"


def test_only_the_two_steps_are_open(site: Site) -> None:
    found = {
        (method, path, described["x-permission"])
        for path, methods in site.world.console.app.openapi()["paths"].items()
        for method, described in methods.items()
        if path.startswith("/oidc")
    }
    assert found == {("post", "/oidc/login", "anyone"), ("get", "/oidc/answer", "anyone")}


def test_the_same_subject_is_the_same_user_whatever_else_changes(site: Site) -> None:
    site.come_in(site.world.browser(), preferred_username="ada", email="ada@example.org")
    browser = site.world.browser()
    site.come_in(browser, preferred_username="lovelace", email="other@example.org")
    assert me(browser)["name"] == "ada"
    assert len(site.world.access.users.all()) == 1


def test_nobody_becomes_somebody_else_by_a_name_or_an_address(site: Site) -> None:
    local = site.world.user("root", Role.ADMINISTRATOR)
    browser = site.world.browser()
    site.come_in(browser, preferred_username="ROOT", email="root@example.org")
    assert me(browser)["name"] == "ROOT (2)"
    assert me(browser)["user_id"] != local
    other = site.world.browser()
    site.come_in(other, sub="subject-2", preferred_username="root")
    assert me(other)["name"] == "root (3)"


def test_names_that_cannot_be_ours_are_made_to_fit(site: Site) -> None:
    names = ("a/b\x00\u202ec", "x" * 1000, "\u0000", "")
    got = []
    for number, name in enumerate(names):
        browser = site.world.browser()
        site.come_in(browser, sub=f"s{number}", preferred_username=name)
        got.append(me(browser)["name"])
    assert got == ["abc", "x" * 180, "s2", "s3"]


def test_role_and_cameras_follow_at_every_login(database: Database, provider: FakeProvider) -> None:
    site = make_site(database, provider, cameras={"north": ("North gate", "nowhere"), "guards": ("Hall",)})
    north = site.world.access.groups.add("North gate", ["gate"])
    site.world.access.groups.add("Hall", ["hall"])
    browser = site.world.browser()
    site.come_in(browser, groups=["guards", "north"])
    assert me(browser)["cameras"] == ["gate", "hall"]
    other = site.world.browser()
    site.come_in(other, groups=["audit", "unrelated"])
    assert me(browser)["role"] == "auditor"  # also where they were in before
    assert me(browser)["cameras"] == []
    assert "cameras none" in site.record[-2]
    site.world.access.groups.remove(north.id)
    site.come_in(other, groups=["guards", "north"])
    assert me(other)["cameras"] == ["hall"]


def test_the_first_role_of_the_list_counts(site: Site) -> None:
    browser = site.world.browser()
    site.come_in(browser, groups=["heads", "audit", "guards"])
    assert me(browser)["role"] == "operator"


def test_who_is_in_no_group_does_not_come_in_and_does_not_stay_in(site: Site) -> None:
    stranger = site.world.browser()
    answer = site.come_in(stranger, groups=["canteen"])
    assert answer.status_code == 403
    assert "no group that may use this console" in answer.text
    assert not is_in(stranger)
    assert site.world.access.users.all() == []
    assert site.record == [f"login through {site.provider.issuer} failed: in no group with a role: subject-1"]
    site.come_in(stranger)
    again = site.world.browser()
    assert site.come_in(again, groups=[]).status_code == 403
    assert not is_in(again)


def test_groups_come_from_where_they_are(database: Database, provider: FakeProvider) -> None:
    site = make_site(database, provider, groups_claim="realm_access.roles")
    browser = site.world.browser()
    site.come_in(browser, realm_access={"roles": ["heads"]}, preferred_username="ada")
    assert me(browser)["role"] == "administrator"
    assert "/userinfo" not in provider.asked
    provider.lies.claims = lambda claims: claims.pop("realm_access")
    other = site.world.browser()
    site.come_in(other, sub="subject-2", realm_access={"roles": ["audit"]})
    assert me(other)["role"] == "auditor"
    assert provider.asked.count("/userinfo") == 1


def test_groups_of_any_shape_are_no_fault(site: Site) -> None:
    for groups in ("guards", ["guards", 7, None]):
        assert site.come_in(site.world.browser(), groups=groups).status_code == 200
    for none in ({"guards": True}, 7, None, [["guards"]]):
        assert site.come_in(site.world.browser(), groups=none).status_code == 403


def test_only_verified_addresses_of_the_domains_come_in(database: Database, provider: FakeProvider) -> None:
    site = make_site(database, provider, roles={}, default_role=Role.VIEWER, email_domains=("Example.org",))
    for claims in (
        {},
        {"email": "ada@example.org"},
        {"email": "ada@example.org", "email_verified": "yes"},
        {"email": "ada@evil.example", "email_verified": True},
        {"email": "ada@example.org@evil.example", "email_verified": True},
        {"email": "ada@sub.example.org", "email_verified": True},
    ):
        assert site.come_in(site.world.browser(), **claims).status_code == 403, claims
    browser = site.world.browser()
    site.come_in(browser, email="Ada@EXAMPLE.org", email_verified=True)
    assert me(browser)["role"] == "viewer"


def test_who_is_disabled_here_stays_out(site: Site) -> None:
    browser = site.world.browser()
    site.come_in(browser, preferred_username="ada")
    site.world.access.users.change(named(site, "ada"), UserChange(disabled=True))
    assert not is_in(browser)
    answer = site.come_in(site.world.browser(), groups=["heads"])
    assert answer.status_code == 403
    user = site.world.access.users.named("ada")
    assert user is not None
    assert user.role is Role.OPERATOR
    assert site.record[-1].endswith("failed: the user is disabled")
    who, _, _ = site.world.record.records[-1]
    assert who.user_id == user.id


def invited_link(site: Site, name: str, role: Role = Role.VIEWER) -> str:
    user = site.world.access.users.add(name, role)
    return site.world.access.links.issue(user.id)


def test_an_invited_user_is_joined_by_the_link(database: Database, provider: FakeProvider) -> None:
    """Without roles in the settings, administrators decide, and only who was invited comes in."""
    site = make_site(database, provider, roles={})
    assert site.come_in(site.world.browser()).status_code == 403
    secret = invited_link(site, "ada", Role.AUDITOR)
    browser = site.world.browser()
    assert "Log in with your organisation" in browser.get(f"/welcome/{secret}").text
    site.come_in(browser, page=f"/welcome/{secret}", wanted={"link": secret}, preferred_username="other")
    assert (me(browser)["name"], me(browser)["role"]) == ("ada", "auditor")
    assert f"user to be joined with subject-1 of {provider.issuer}" in site.record
    assert site.world.browser().get(f"/welcome/{secret}").status_code == 404
    site.world.access.users.change(named(site, "ada"), UserChange(role=Role.OPERATOR))
    again = site.world.browser()
    site.come_in(again)
    assert me(again)["role"] == "operator"


def test_a_link_joins_nobody_who_has_a_password_and_is_good_for_one(
    database: Database, provider: FakeProvider
) -> None:
    site = make_site(database, provider, roles={})
    user_id = site.world.user("root", Role.ADMINISTRATOR)
    secret = site.world.access.links.issue(user_id)
    browser = site.world.browser()
    assert "organisation" not in browser.get(f"/welcome/{secret}").text
    assert site.come_in(browser, wanted={"link": secret}).status_code == 403
    secret = invited_link(site, "ada")
    first, second = site.world.browser(), site.world.browser()
    to = site.leave(second, link=secret)
    site.come_in(first, wanted={"link": secret})
    assert is_in(first)
    assert second.get(provider.log_in(to, sub="subject-2")).status_code == 403


def test_a_link_that_is_too_old_joins_nobody(database: Database, provider: FakeProvider) -> None:
    site = make_site(database, provider, roles={})
    secret = invited_link(site, "ada")
    site.world.clock.advance(24 * 3600)
    provider.now_s = lambda: site.world.clock.now_ns() / 1e9
    assert site.come_in(site.world.browser(), wanted={"link": secret}).status_code == 403


def test_passwords_go_on_working_for_local_users_and_for_nobody_else(site: Site) -> None:
    site.world.user("root", Role.ADMINISTRATOR)
    site.come_in(site.world.browser(), preferred_username="ada")
    root = site.world.browser()
    assert root.log_in("root").status_code == 303
    assert site.world.browser().log_in("ada").status_code == 401
    answer = root.send(f"/users/{named(site, 'ada')}/link", page="/users")
    assert answer.status_code == 422
    assert "has no password here" in answer.text
    page = root.get("/users").text
    assert f"comes in through {site.provider.issuer}" in page
    assert [user["provider"] for user in root.get("/api/v1/users").json()] == [site.provider.issuer, None]


def test_an_administrator_of_the_provider_does_not_count_as_the_last(site: Site) -> None:
    """Somebody must be able to come in when the provider is away."""
    site.come_in(site.world.browser(), groups=["heads"], preferred_username="ada")
    root = site.world.logged_in(Role.ADMINISTRATOR, "root")
    answer = root.api("PATCH", f"/users/{named(site, 'root')}", json={"disabled": True})
    assert "only administrator" in answer.json()["detail"]
    browser = site.world.browser()
    site.come_in(browser, groups=["guards"])
    assert me(browser)["role"] == "operator"


def test_the_session_is_one_of_ours_with_the_same_times(site: Site) -> None:
    browser = site.world.browser()
    site.come_in(browser)
    first = browser.client.cookies["pinwatch_session"]
    site.come_in(browser, page="/account")
    assert browser.client.cookies["pinwatch_session"] != first
    thief = site.world.browser()
    thief.give_cookie("pinwatch_session", first)
    assert not is_in(thief)
    assert "logout" in site.record
    site.world.clock.advance(31 * 60)
    assert not is_in(browser)


def rows(database: Database) -> int:
    with database.read() as connection:
        tables = (console_provider_logins, console_provider_sessions)
        return sum(len(connection.execute(select(table)).all()) for table in tables)


def test_logout_leads_to_the_provider_where_it_knows_one(database: Database, provider: FakeProvider) -> None:
    provider.lies.metadata = {"end_session_endpoint": f"{provider.issuer}/end?x=1"}
    site = make_site(database, provider)
    browser = site.world.browser()
    site.come_in(browser)
    with database.read() as connection:
        (kept,) = connection.execute(select(console_provider_sessions.c.id_token)).scalars()
    answer = browser.send("/logout")
    to = urlsplit(answer.headers["refresh"].partition("url=")[2])
    query = parse_qs(to.query)
    assert to.path == "/end"
    assert query["post_logout_redirect_uri"] == ["http://127.0.0.1:8080/login"]
    assert query["id_token_hint"][0].count(".") == 2
    assert "." not in kept, "whoever reads the database does not learn who it was"
    assert not is_in(browser)
    assert rows(database) == 0


def test_logout_of_a_local_user_stays_here(database: Database, provider: FakeProvider) -> None:
    provider.lies.metadata = {"end_session_endpoint": f"{provider.issuer}/end"}
    site = make_site(database, provider)
    browser = site.world.logged_in(Role.VIEWER)
    assert browser.send("/logout").headers["location"] == "/login"


def test_logout_stays_here_where_the_provider_knows_none(site: Site) -> None:
    browser = site.world.browser()
    site.come_in(browser)
    assert browser.send("/logout").headers["location"] == "/login"


def test_what_cannot_be_recorded_is_not_done(site: Site) -> None:
    site.world.record.full = OSError("the disk is full")
    browser = site.world.browser()
    assert site.come_in(browser).status_code == 500
    assert not is_in(browser)
    assert site.world.access.users.all() == []


def test_without_a_provider_there_is_no_such_way(world: World) -> None:
    browser = world.browser()
    assert "/oidc/" not in browser.get("/login").text
    assert browser.send("/oidc/login", page="/login").status_code == 404
    assert browser.get("/oidc/answer").status_code == 404


def test_settings_that_do_not_fit_are_refused() -> None:
    good: dict[str, Any] = {"issuer": "https://login.example.org", "client_id": "pinwatch"}
    assert OidcOptions(**good).issuer == good["issuer"]
    changes: list[tuple[dict[str, Any], str]] = [
        ({"issuer": "http://login.example.org"}, "must begin with https"),
        ({"issuer": "login.example.org"}, "is no address"),
        ({"issuer": "https://a@login.example.org"}, "is no address"),
        ({"client_id": ""}, "client_id"),
        ({"scopes": ("email",)}, "openid"),
        ({"default_role": Role.VIEWER}, "email_domains"),
    ]
    for changed, said in changes:
        with pytest.raises(ConfigError, match=said):
            OidcOptions(**{**good, **changed})


def test_a_secret_of_the_settings_is_not_shown() -> None:
    assert PASSWORD not in repr(OidcOptions("https://login.example.org", "pinwatch", PASSWORD))
