"""Answers of a provider that do not hold: one clear page, a record, nobody comes in, no fault of ours."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import select

from gallery.database import DATABASE_NAME, Database
from gallery.tables import console_provider_logins
from tests.oidc.fake import FakeProvider, Lies, fake_provider, new_key
from tests.workers.console.oidc_world import COOKIE, Site, cookie_of, is_in, make_site
from tests.workers.console.world import PASSWORD, START_NS, Browser
from workers.console.access.attempts import BY_ADDRESS
from workers.console.access.roles import Role

Claims = dict[str, Any]


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with fake_provider(lambda: START_NS / 1e9) as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Site]:
    """Building a console takes longer than any of these tests."""
    folder = tmp_path_factory.mktemp("data")
    shutil.copyfile(empty_database, folder / DATABASE_NAME)
    opened = Database.open(folder)
    with fake_provider(time.time) as running:
        site = make_site(opened, running)
        running.now_s = lambda: site.world.clock.now_ns() / 1e9
        yield site
    opened.close()


@pytest.fixture
def site(shared: Site) -> Site:
    """As if nothing had been before: failures are forgotten, and what is known of the provider is too old."""
    shared.provider.lies, shared.provider.keys = Lies(), [new_key("first")]
    shared.provider.asked.clear()
    shared.world.clock.advance(2 * 3600)
    return shared


def refused(
    site: Site, browser: Browser, address: str, reason: str, status: int = 400, case: object = None
) -> None:
    """That the browser gets the page and no session, and `reason` is recorded."""
    users = site.world.access.users.all()
    answer = browser.get(address)
    assert answer.status_code == status, (case, answer.text)
    assert "Not logged in" in answer.text, case
    assert "refresh" not in answer.headers
    assert "location" not in answer.headers
    assert not is_in(browser)
    assert f"failed: {reason}" in site.record[-1], case
    assert site.world.access.users.all() == users


CHANGED: dict[str, tuple[Callable[[Claims], object], str]] = {
    "another issuer": (lambda claims: claims.update(iss="https://evil.example"), "invalid_claim"),
    "no issuer": (lambda claims: claims.pop("iss"), "missing_claim"),
    "for another client": (lambda claims: claims.update(aud="somebody else"), "invalid_claim"),
    "for nobody": (lambda claims: claims.pop("aud"), "missing_claim"),
    "for many, handed to another": (
        lambda claims: claims.update(aud=["the console", "other"], azp="other"),
        "invalid_claim",
    ),
    "over": (lambda claims: claims.update(exp=claims["iat"] - 61), "expired_token"),
    "without an end": (lambda claims: claims.pop("exp"), "missing_claim"),
    "an end that is none": (lambda claims: claims.update(exp="never"), "invalid_claim"),
    "from the future": (lambda claims: claims.update(iat=claims["iat"] + 61), "invalid_claim"),
    "another nonce": (lambda claims: claims.update(nonce="x"), "invalid_claim"),
    "no nonce": (lambda claims: claims.pop("nonce"), "missing_claim"),
    "nobody": (lambda claims: claims.pop("sub"), "missing_claim"),
    "empty": (lambda claims: claims.update(sub=""), "invalid_claim"),
    "a number": (lambda claims: claims.update(sub=7), "invalid_claim"),
    "of another access token": (lambda claims: claims.update(at_hash="AAAA"), "invalid_claim"),
}


def test_an_id_token_with_wrong_claims(site: Site) -> None:
    for number, (case, (change, reason)) in enumerate(CHANGED.items()):
        site.provider.lies.claims = change
        browser = site.world.browser(f"10.0.1.{number}")
        address = site.provider.log_in(site.leave(browser), groups=["heads"])
        refused(site, browser, address, f"the ID token does not hold: {reason}", case=case)


def test_a_little_skew_is_taken(site: Site) -> None:
    site.provider.lies.claims = lambda claims: claims.update(exp=claims["iat"] - 55)
    browser = site.world.browser()
    assert site.come_in(browser).status_code == 200
    assert is_in(browser)


def test_an_id_token_that_nobody_signed(site: Site) -> None:
    site.provider.lies.header = {"alg": "none"}
    browser = site.world.browser()
    refused(site, browser, site.provider.log_in(site.leave(browser)), "the ID token does not hold")


def test_a_public_key_used_as_a_secret(site: Site) -> None:
    site.provider.lies.header = {"alg": "HS256"}
    browser = site.world.browser()
    refused(site, browser, site.provider.log_in(site.leave(browser)), "the ID token does not hold")


def test_an_id_token_of_another_key_by_the_same_name(site: Site) -> None:
    site.provider.lies.signer = new_key("first")
    browser = site.world.browser()
    refused(site, browser, site.provider.log_in(site.leave(browser)), "the ID token does not hold: bad_sign")


def test_a_key_that_the_token_brings_along_counts_for_nothing(site: Site) -> None:
    own = ECKey.generate_key("P-256")
    site.provider.lies.signer = own
    site.provider.lies.header = {"jwk": own.as_dict(private=False)}
    browser = site.world.browser()
    refused(site, browser, site.provider.log_in(site.leave(browser)), "the ID token does not hold")
    site.provider.lies.header = {"kid": "unknown", "jku": "https://evil.example/keys"}
    other = site.world.browser()
    refused(site, other, site.provider.log_in(site.leave(other)), "the ID token does not hold")


def test_new_keys_are_fetched_and_old_ones_are_not_taken(site: Site) -> None:
    site.come_in(site.world.browser())
    old = site.provider.keys[0]
    site.provider.keys = [new_key("second")]
    site.world.clock.advance(11)
    browser = site.world.browser()
    assert site.come_in(browser).status_code == 200
    assert is_in(browser)
    site.provider.lies.signer, site.provider.lies.header = old, {"kid": "first"}
    thief = site.world.browser()
    assert site.come_in(thief).status_code == 400
    assert not is_in(thief)


def test_unknown_keys_do_not_make_us_ask_for_ever(site: Site) -> None:
    site.come_in(site.world.browser())
    site.provider.lies.header = {"kid": "unknown"}
    site.world.clock.advance(11)
    for _ in range(5):
        assert site.come_in(site.world.browser()).status_code == 400
    assert site.provider.asked.count("/keys") == 2


def test_an_id_token_that_is_none(site: Site) -> None:
    header = base64.b64encode(b'{"alg":"ES256"}').decode()
    tokens = ["", "x", "a.b.c", "....", "é" * 10, "a" * 200_000, f"{header}.e30.x", "[" * 50_000]
    for number, token in enumerate(tokens):
        site.provider.lies.id_token = token
        browser = site.world.browser(f"10.0.1.{number}")
        address = site.provider.log_in(site.leave(browser))
        refused(site, browser, address, "the ID token", case=token[:20])


TOKEN_ANSWERS: list[tuple[int, bytes, int, str]] = [
    (200, b"{}", 400, "the provider sent no ID token"),
    (200, b"[]", 503, "the provider's token endpoint"),
    (200, b"not JSON", 503, "the provider's token endpoint"),
    (200, b'{"access_token": "x", "id_token": {"a": 1}}', 400, "the provider sent no ID token"),
    (200, b'{"id_token": "x"}', 400, "the provider sent no ID token"),
    (302, b"{}", 400, "the provider sent no ID token"),
    (400, b'{"error": "<script>", "error_description": "x"}', 400, "the provider does not take the code"),
    (500, b"oops", 503, "the provider's token endpoint"),
]


def test_a_token_endpoint_that_answers_nonsense(site: Site) -> None:
    for number, (status, body, expected, reason) in enumerate(TOKEN_ANSWERS):
        site.provider.lies.token_answer = (status, body)
        browser = site.world.browser(f"10.0.1.{number}")
        refused(site, browser, site.provider.log_in(site.leave(browser)), reason, expected, body)
    assert "<script>" not in str(site.record)


def test_an_answer_that_was_given_before(site: Site) -> None:
    """By the same browser, and by another that has the cookie as well."""
    browser = site.world.browser()
    to = site.leave(browser)
    cookie = cookie_of(browser)
    assert cookie is not None
    address = site.provider.log_in(to, groups=["guards"])
    assert browser.get(address).status_code == 200
    for thief in (site.world.browser(), browser):
        thief.give_cookie(COOKIE, cookie)
        answer = thief.get(address)
        assert answer.status_code == 400
        assert "finished already" in answer.text
    assert site.record[-1].endswith("no such login is under way")


def test_a_code_that_was_used_before(site: Site) -> None:
    first = site.world.browser()
    code = site.provider.log_in(site.leave(first)).partition("code=")[2].partition("&")[0]
    second = site.world.browser()
    address = site.provider.back(site.leave(second), code=code)
    refused(site, second, address, "the provider does not take the code: invalid_grant")


def test_an_answer_for_another_browser(site: Site) -> None:
    """Somebody is to be logged in as the attacker, or the other way round."""
    attacker, victim = site.world.browser(), site.world.browser()
    address = site.provider.log_in(site.leave(attacker), groups=["guards"])
    refused(site, victim, address, "no such login is under way")
    site.leave(victim)
    refused(site, victim, address, "the answer has another state")
    assert attacker.get(address).status_code == 200


def test_an_answer_to_no_question(site: Site) -> None:
    browser = site.world.browser()
    for parameters in (
        "",
        "?state=x",
        "?state=&code=",
        "?code=x",
        "?state=%00%ff&code=é",
        "?state=x&state=y",
    ):
        refused(site, browser, f"/oidc/answer{parameters}", "no such login is under way")
        site.leave(browser)
        refused(site, browser, f"/oidc/answer{parameters}", "the answer has another state")


def test_an_answer_that_comes_too_late(site: Site) -> None:
    browser = site.world.browser()
    address = site.provider.log_in(site.leave(browser))
    cookie = cookie_of(browser)
    assert cookie is not None
    site.world.clock.advance(600)
    browser.give_cookie(COOKIE, cookie)
    refused(site, browser, address, "no such login is under way")


@pytest.mark.parametrize(
    ("error", "status", "recorded"),
    [
        ("access_denied", 403, "the provider says access_denied"),
        ("server_error", 400, "the provider says server_error"),
        ("<script>alert(1)</script>", 400, "an error that is not known"),
    ],
)
def test_the_provider_says_no(site: Site, error: str, status: int, recorded: str) -> None:
    browser = site.world.browser()
    address = site.provider.back(site.leave(browser), error=error, error_description="<b>call 555</b>")
    answer = browser.get(address)
    assert answer.status_code == status
    assert "555" not in answer.text
    assert "alert(1)" not in answer.text
    assert recorded in site.record[-1]
    assert cookie_of(browser) is None


def test_an_answer_of_another_provider(site: Site) -> None:
    for issuer in ("https://evil.example", ""):
        browser = site.world.browser()
        address = site.provider.back(site.leave(browser), code="x", iss=issuer)
        refused(site, browser, address, "the answer comes from another provider")
    browser = site.world.browser()
    address = site.provider.back(site.leave(browser), code="x").partition("&iss=")[0]
    refused(site, browser, address + "&code=x", "the answer comes from another provider")


def test_what_is_told_of_somebody_else(site: Site) -> None:
    site.provider.lies.claims = lambda claims: claims.pop("groups", None)
    site.provider.lies.userinfo = {"sub": "somebody else", "groups": ["heads"]}
    browser = site.world.browser()
    address = site.provider.log_in(site.leave(browser))
    refused(site, browser, address, "the provider tells of somebody else")


def test_nobody_is_led_elsewhere(site: Site) -> None:
    for wanted in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/\r\nx: y"):
        browser = site.world.browser()
        answer = site.come_in(browser, wanted={"next": wanted})
        assert answer.headers["refresh"] == "0; url=/"
        assert "evil" not in answer.text


METADATA: dict[str, dict[str, Any]] = {
    "another issuer": {"issuer": "https://evil.example"},
    "an address without HTTPS": {"token_endpoint": "http://login.example.org/token"},
    "no address": {"authorization_endpoint": None},
    "an address that is none": {"jwks_uri": "javascript:alert(1)"},
    "a header in an address": {"authorization_endpoint": "http://127.0.0.1/\r\nset-cookie: x"},
    "no signature that is trusted": {"id_token_signing_alg_values_supported": ["none", "HS256"]},
}


@pytest.mark.parametrize("case", METADATA)
def test_a_document_that_does_not_hold(site: Site, case: str) -> None:
    site.provider.lies.metadata = METADATA[case]
    answer = site.world.browser().send("/oidc/login", page="/login")
    assert answer.status_code == 503
    assert "cannot be reached, or does not answer as it should" in answer.text
    assert "failed: the provider" in site.record[-1]
    assert site.world.access.provider is not None
    assert site.world.access.provider.problem() is not None


def test_a_provider_that_is_away_keeps_nobody_with_a_password_out(database: Database) -> None:
    with fake_provider(lambda: START_NS / 1e9) as provider:
        gone = provider
    site = make_site(database, gone)
    site.world.user("root", Role.ADMINISTRATOR)
    browser = site.world.browser()
    answer = browser.send("/oidc/login", page="/login")
    assert answer.status_code == 503
    assert "an administrator with a password can still log in" in answer.text
    assert browser.log_in("root", PASSWORD).status_code == 303


def test_a_provider_that_does_not_answer_is_not_waited_for(
    database: Database, provider: FakeProvider
) -> None:
    provider.lies.delay_s = 1.0
    site = make_site(database, provider, timeout_s=0.2)
    for _ in range(3):
        assert site.world.browser().send("/oidc/login", page="/login").status_code == 503
    assert len(provider.asked) == 1  # it is left alone for a while
    provider.lies.delay_s = 0.0
    site.world.clock.advance(11)
    assert site.world.browser().send("/oidc/login", page="/login").status_code == 200


def test_what_is_endless_is_not_read(database: Database, provider: FakeProvider) -> None:
    site = make_site(database, provider)
    provider.lies.metadata = {"padding": "x" * 2_000_000}
    assert site.world.browser().send("/oidc/login", page="/login").status_code == 503
    assert "too large" in site.record[-1]


def test_many_attempts_that_end_nowhere_are_slowed_down(site: Site) -> None:
    browser = site.world.browser("10.6.6.6")
    for _ in range(BY_ADDRESS.free + 1):
        site.leave(browser)
    answer = browser.send("/oidc/login", page="/login")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "2"
    other = site.world.browser("10.0.0.7")
    for _ in range(BY_ADDRESS.free + 5):  # whoever comes in costs nothing
        assert site.come_in(other).status_code == 200


def under_way(site: Site) -> list[Any]:
    with site.world.database.read() as connection:
        return [list(row) for row in connection.execute(select(console_provider_logins)).all()]


def test_a_form_of_another_site_begins_nothing(site: Site) -> None:
    before = under_way(site)
    browser = site.world.browser()
    token = browser.form_token("/login")
    foreign = {"origin": "https://evil.example"}
    assert browser.client.post("/oidc/login", data={"form_token": token}, headers=foreign).status_code == 403
    assert browser.client.post("/oidc/login", data={}).status_code == 403
    assert under_way(site) == before


def test_no_secret_is_kept_as_it_is(site: Site) -> None:
    browser = site.world.browser()
    query = site.provider.query(site.leave(browser))
    kept = json.dumps(under_way(site))
    assert "/" in kept
    for secret in (cookie_of(browser), query["state"], query["nonce"]):
        assert secret is not None
        assert secret not in kept
