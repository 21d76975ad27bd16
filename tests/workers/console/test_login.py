"""Logging in and out: sessions, their ends, guessing, and where one is led afterwards."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select

from gallery.database import Database
from gallery.tables import console_attempts, console_sessions, console_tokens, console_users
from tests.workers.console.world import ORIGIN, PASSWORD, Browser, World
from workers.console.access.attempts import BY_ADDRESS, BY_USER, Patience
from workers.console.access.passwords import Passwords
from workers.console.access.roles import Permission, Role
from workers.console.access.users import UserChange
from workers.console.web.pages import safe_path

COOKIE = "pinwatch_session"
OTHER_PASSWORD = "another quiet shift"


def seen(browser: Browser) -> bool:
    """Whether the browser is logged in."""
    return browser.get("/account").status_code == 200


def test_login_leads_to_where_one_wanted_to_go(world: World) -> None:
    world.user("ada", Role.OPERATOR)
    browser = world.browser()
    led = browser.get("/people?search=b")
    assert led.status_code == 303
    assert led.headers["location"] == "/login?next=/people%3Fsearch%3Db"
    assert browser.log_in("ada", next="/people?search=b").headers["location"] == "/people?search=b"
    assert browser.get("/").headers["location"] == "/live"


def test_the_cookie_is_for_this_site_alone_and_only_its_digest_is_kept(world: World) -> None:
    world.user("ada", Role.VIEWER)
    browser = world.browser()
    cookie = browser.log_in("ada").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    secret = browser.client.cookies[COOKIE]
    with world.database.read() as connection:
        (kept,) = connection.execute(select(console_sessions.c.token_sha256)).scalars()
    assert kept == hashlib.sha256(secret.encode()).hexdigest()


def test_a_session_that_somebody_else_chose_is_worth_nothing(world: World) -> None:
    world.user("ada", Role.VIEWER)
    browser = world.browser()
    browser.give_cookie(COOKIE, "chosen-by-somebody-else")
    browser.log_in("ada")
    assert browser.client.cookies[COOKIE] != "chosen-by-somebody-else"
    other = world.browser()
    other.give_cookie(COOKIE, "chosen-by-somebody-else")
    assert not seen(other)


def test_logging_in_again_ends_the_session_before(world: World) -> None:
    browser = world.logged_in(Role.VIEWER, "ada")
    before = browser.client.cookies[COOKIE]
    browser.log_in("ada")
    other = world.browser()
    other.give_cookie(COOKIE, before)
    assert not seen(other)
    assert seen(browser)


def test_logout_ends_the_session_for_whoever_has_the_cookie(world: World) -> None:
    browser = world.logged_in(Role.VIEWER)
    secret = browser.client.cookies[COOKIE]
    assert browser.send("/logout").headers["location"] == "/login"
    thief = world.browser()
    thief.give_cookie(COOKIE, secret)
    assert not seen(thief)
    assert world.record.what()[-1] == "logout"


def test_an_unused_session_ends_and_a_used_one_goes_on_until_its_longest(world: World) -> None:
    idle, used = world.logged_in(Role.VIEWER, "ada"), world.logged_in(Role.VIEWER, "bo")
    world.clock.advance(29 * 60)
    assert seen(used)
    world.clock.advance(29 * 60)
    assert seen(used)
    assert not seen(idle)
    for _ in range(22):
        world.clock.advance(29 * 60)
        assert seen(used)
    world.clock.advance(29 * 60)
    assert not seen(used)


def test_a_new_password_ends_every_other_session(world: World) -> None:
    here = world.logged_in(Role.VIEWER, "ada")
    elsewhere = world.browser()
    elsewhere.log_in("ada")
    before = here.client.cookies[COOKIE]
    changed = here.send("/account/password", old=PASSWORD, new=OTHER_PASSWORD)
    assert changed.status_code == 303
    assert here.client.cookies[COOKIE] != before
    assert seen(here)
    assert not seen(elsewhere)
    assert elsewhere.log_in("ada").status_code == 401
    assert elsewhere.log_in("ada", OTHER_PASSWORD).status_code == 303


def test_the_old_password_is_asked_for(world: World) -> None:
    browser = world.logged_in(Role.VIEWER, "ada")
    answer = browser.send("/account/password", old="not the password", new=OTHER_PASSWORD)
    assert answer.status_code == 422
    assert world.browser().log_in("ada").status_code == 303


def test_a_password_that_is_easily_guessed_is_refused(world: World) -> None:
    browser = world.logged_in(Role.VIEWER, "ada-ada-ada")
    for new in ("short", "aaaaaaaaaaaaaaaa", "ada-ada-ada-", "x" * 2000):
        assert browser.send("/account/password", old=PASSWORD, new=new).status_code == 422, new
    assert seen(browser)


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(world: World) -> None:
    world.user("ada", Role.VIEWER)
    world.access.users.add("invited", Role.VIEWER)
    world.access.users.change(world.user("gone", Role.VIEWER), UserChange(disabled=True))
    texts = set()
    for name, password in (("ada", "wrong"), ("nobody", "wrong"), ("invited", "wrong"), ("gone", PASSWORD)):
        browser = world.browser()
        answer = browser.log_in(name, password)
        assert answer.status_code == 401
        token = browser.form_token("/login")
        texts.add(answer.text.replace(token, "").replace(f'value="{name}"', ""))
    assert len(texts) == 1


def test_an_unknown_user_costs_as_much_time_as_a_known_one(world: World) -> None:
    """With the real cost of a hash: without one, the answer would come twenty times as fast."""
    passwords = Passwords()
    kept = passwords.hash(PASSWORD)
    known, unknown = (min(timed(passwords, hashed) for _ in range(3)) for hashed in (kept, None))
    assert 0.4 < known / unknown < 2.5


def timed(passwords: Passwords, kept: str | None) -> float:
    begun = time.perf_counter()
    assert not passwords.fits(kept, "wrong")
    return time.perf_counter() - begun


def test_guessing_a_password_is_slowed_down_ever_more_and_a_restart_forgives_nothing(
    world: World, database: Database
) -> None:
    world.user("ada", Role.VIEWER)
    browser = world.browser()
    for _ in range(BY_USER.free + 1):
        assert browser.log_in("ada", "wrong").status_code == 401
    blocked = browser.log_in("ada", PASSWORD)
    assert blocked.status_code == 429
    assert blocked.headers["retry-after"] == "2"
    world.clock.advance(2.1)
    assert browser.log_in("ada", "wrong").status_code == 401
    again = World(database)
    again.clock.set_wall_ns(world.clock.now_ns())
    assert again.browser("10.9.9.9").log_in("ADA", PASSWORD).headers["retry-after"] == "4"
    again.clock.advance(4.1)
    assert again.browser().log_in("ada", PASSWORD).status_code == 303
    assert again.browser().log_in("ada", "wrong").status_code == 401


def test_who_does_not_exist_is_blocked_likewise(world: World) -> None:
    browser = world.browser()
    codes = [browser.log_in("nobody", "wrong").status_code for _ in range(BY_USER.free + 2)]
    assert codes[-2:] == [401, 429]


def test_an_address_that_guesses_many_users_is_blocked_and_others_are_not(world: World) -> None:
    world.user("ada", Role.VIEWER)
    guesser = world.browser("10.6.6.6")
    for number in range(BY_ADDRESS.free + 1):
        assert guesser.log_in(f"user{number}", "wrong").status_code == 401
    assert guesser.log_in("ada").status_code == 429
    assert world.browser("10.0.0.2").log_in("ada").status_code == 303


def test_one_network_of_ipv6_counts_as_one_guesser(world: World) -> None:
    for number in range(BY_ADDRESS.free + 1):
        assert world.browser(f"2001:db8::{number}").log_in(f"user{number}", "wrong").status_code == 401
    assert world.browser("2001:db8::ffff").log_in("other", "wrong").status_code == 429
    assert world.browser("2001:db8:0:1::1").log_in("other", "wrong").status_code == 401


def test_names_and_addresses_of_attempts_are_not_kept_readable(world: World) -> None:
    world.browser().log_in("hunter2 typed into the wrong field", "x")
    with world.database.read() as connection:
        kept = list(connection.execute(select(console_attempts.c.subject)).scalars())
    assert len(kept) == 2
    assert not [subject for subject in kept if "hunter2" in subject or "10.0" in subject]


@given(st.integers(0, 10_000), st.integers(0, 40))
def test_waiting_grows_and_is_bounded(failures: int, free: int) -> None:
    patience = Patience(free)
    wait = patience.wait_s(failures)
    assert (wait == 0) == (failures <= free)
    assert wait <= patience.wait_s(failures + 1) <= patience.longest_s


def test_nobody_is_led_elsewhere(world: World) -> None:
    world.user("ada", Role.VIEWER)
    for wanted in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"):
        assert world.browser().log_in("ada", next=wanted).headers["location"] == "/"


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=30))
@example("/\t/evil.example")
@example("/%09/evil.example")
@example("/people")
def test_a_path_to_go_to_stays_here(wanted: str) -> None:
    chosen = safe_path(wanted)
    assert chosen.startswith("/")
    assert not chosen.startswith(("//", "/\\"))
    assert not set(chosen) & set("\\\t\r\n ")


def test_failed_and_good_logins_are_recorded(world: World) -> None:
    user_id = world.user("ada", Role.VIEWER)
    browser = world.browser("10.1.2.3")
    browser.log_in("ada", "wrong")
    browser.log_in("ada")
    told = [(who.user_id, who.address, what) for who, what, _ in world.record.records]
    assert told == [(user_id, "10.1.2.3", "login failed"), (user_id, "10.1.2.3", "login")]


def test_the_theme_is_kept_and_is_one_of_three(world: World) -> None:
    browser = world.browser()
    browser.send("/theme", page="/login", theme="dark", next="/login")
    assert 'data-theme="dark"' in browser.get("/login").text
    browser.send("/theme", page="/login", theme='"><script>')
    assert 'data-theme="auto"' in browser.get("/login").text


def test_no_secret_is_kept_as_it_is(world: World) -> None:
    browser = world.logged_in(Role.VIEWER, "ada")
    made = browser.api(
        "POST", "/tokens", json={"name": "door", "scopes": [Permission.READ_SIGHTINGS], "days": 1}
    ).json()
    secrets = [made["secret"], browser.client.cookies[COOKIE], PASSWORD]
    with world.database.read() as connection:
        rows: list[Any] = []
        for table in (console_users, console_sessions, console_tokens):
            rows += connection.execute(select(table)).all()
    assert not [secret for secret in secrets if secret in str(rows)]
    assert "$argon2id$" in str(rows)


def test_a_form_of_another_site_is_refused(world: World) -> None:
    browser = world.logged_in(Role.OPERATOR)
    token = browser.form_token("/account")
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"origin": ORIGIN + "0"}):
        answer = browser.client.post("/logout", data={"form_token": token}, headers=headers)
        assert answer.status_code == 403
    del browser.client.headers["origin"]
    answer = browser.client.post(
        "/logout", data={"form_token": token}, headers={"sec-fetch-site": "cross-site"}
    )
    assert answer.status_code == 403
    assert seen(browser)


def test_a_form_without_its_token_is_refused(world: World) -> None:
    browser, other = world.logged_in(Role.OPERATOR, "ada"), world.logged_in(Role.OPERATOR, "bo")
    for data in ({}, {"form_token": ""}, {"form_token": other.form_token("/account")}):
        assert browser.client.post("/logout", data=data).status_code == 403
    answer = browser.client.patch("/api/v1/people/x", json={"name": "y"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert seen(browser)


def test_a_login_without_the_token_of_its_form_is_refused(world: World) -> None:
    """Nobody is logged in as somebody else without noticing."""
    world.user("ada", Role.VIEWER)
    browser = world.browser()
    fields = {"name": "ada", "password": PASSWORD, "next": "/"}
    assert browser.client.post("/login", data=fields).status_code == 403
    stolen = world.browser().form_token("/login")
    assert browser.client.post("/login", data={**fields, "form_token": stolen}).status_code == 403
    assert not seen(browser)
