"""Inviting, one-time links, roles, groups of cameras, tokens, and the last administrator."""

from __future__ import annotations

import threading

import pytest

from gallery.database import Database
from pipeline.errors import ConfigError, UsageError
from tests.workers.console.world import ORIGIN, PASSWORD, Browser, World
from workers.console.access.login import first_link, link_of
from workers.console.access.origins import origins
from workers.console.access.roles import Permission, Role
from workers.console.access.users import UserChange

DAY_S = 24 * 3600


def welcome(browser: Browser, secret: str, **fields: str) -> int:
    page = f"/welcome/{secret}"
    if browser.get(page).status_code != 200:
        return browser.get(page).status_code
    return browser.send(page, page=page, password=PASSWORD, **fields).status_code


def test_the_first_link_makes_an_administrator_once(world: World) -> None:
    access = world.access
    secret = first_link(access.users, access.links)
    assert secret is not None
    browser = world.browser()
    assert welcome(browser, secret, name="root") == 303
    assert browser.get("/users").status_code == 200
    assert welcome(world.browser(), secret, name="second") == 404
    assert first_link(access.users, access.links) is None


def test_the_first_link_is_good_for_a_day_and_replaced_by_the_next_start(world: World) -> None:
    access = world.access
    old, new = first_link(access.users, access.links), first_link(access.users, access.links)
    assert old is not None
    assert new is not None
    assert welcome(world.browser(), old, name="root") == 404
    world.clock.advance(DAY_S)
    assert welcome(world.browser(), new, name="root") == 404
    assert access.users.all() == []


def test_the_first_link_is_dead_as_soon_as_there_is_a_user(world: World) -> None:
    secret = first_link(world.access.users, world.access.links)
    assert secret is not None
    world.user("ada", Role.VIEWER)
    assert welcome(world.browser(), secret, name="root") == 404


def test_two_who_use_one_link_at_once_do_not_both_come_in(world: World) -> None:
    secret = world.access.links.issue(None)
    made: list[object] = []
    gate = threading.Barrier(2)

    def accept(name: str) -> None:
        gate.wait()
        made.append(world.access.links.accept(secret, name, PASSWORD))

    threads = [threading.Thread(target=accept, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(user is not None for user in made) == 1
    assert len(world.access.users.all()) == 1


def test_a_bad_password_leaves_the_link_good(world: World) -> None:
    secret = world.access.links.issue(None)
    browser, page = world.browser(), f"/welcome/{secret}"
    for _ in range(30):
        assert browser.send(page, page=page, password="short", name="root").status_code == 422
    assert welcome(browser, secret, name="root") == 303


def test_whoever_tries_links_that_are_none_blocks_nobody_elses(world: World) -> None:
    guesser = world.browser("10.6.6.6")
    token = guesser.form_token("/login")
    data = {"form_token": token, "password": PASSWORD}
    codes = [guesser.client.post(f"/welcome/guess{n}", data=data).status_code for n in range(22)]
    assert codes[0] == 404
    assert codes[-1] == 429
    assert welcome(world.browser(), world.access.links.issue(None), name="root") == 303


def test_an_invited_user_sets_a_password_and_has_their_role(world: World) -> None:
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    shown = root.send("/users", name="ada", role="auditor")
    assert shown.status_code == 200
    secret = shown.text.partition(f"{ORIGIN}/welcome/")[2].partition("<")[0]
    browser = world.browser()
    assert welcome(browser, secret) == 303
    me = browser.get("/api/v1/me").json()
    assert (me["name"], me["role"], me["cameras"]) == ("ada", "auditor", [])
    assert "/welcome/" not in root.get("/users").text


def test_a_link_for_a_forgotten_password_ends_sessions_and_is_for_users_alone(world: World) -> None:
    browser = world.logged_in(Role.VIEWER, "ada")
    secret = link_of(world.access.users, world.access.links, "ada")
    assert welcome(world.browser(), secret) == 303
    assert browser.get("/account").status_code == 303
    with pytest.raises(UsageError, match="no user called 'bo'"):
        link_of(world.access.users, world.access.links, "bo")


def test_a_disabled_user_is_out_at_once_everywhere(world: World) -> None:
    root, ada = world.logged_in(Role.ADMINISTRATOR), world.logged_in(Role.OPERATOR, "ada")
    user_id = ada.get("/api/v1/me").json()["user_id"]
    program = world.token(user_id, Permission.READ_SIGHTINGS)
    link = world.access.links.issue(user_id)
    assert program.get("/api/v1/sightings").status_code == 200
    assert root.send(f"/users/{user_id}/disable").status_code == 303
    assert ada.get("/sightings").status_code == 303
    assert program.get("/api/v1/sightings").status_code == 401
    assert welcome(world.browser(), link) == 404
    assert world.browser().log_in("ada").status_code == 401
    root.send(f"/users/{user_id}/enable")
    assert world.browser().log_in("ada").status_code == 303


def test_another_role_counts_from_the_next_request_on(world: World) -> None:
    root, ada = world.logged_in(Role.ADMINISTRATOR), world.logged_in(Role.VIEWER, "ada")
    assert ada.get("/people").status_code == 403
    user_id = ada.get("/api/v1/me").json()["user_id"]
    root.send(f"/users/{user_id}", role="operator")
    assert ada.get("/people").status_code == 200


def test_the_last_administrator_stays(world: World) -> None:
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    me = root.get("/api/v1/me").json()["user_id"]
    world.access.users.add("invited", Role.ADMINISTRATOR)  # who has not come yet does not count
    for change in ({"role": "viewer"}, {"disabled": True}):
        answer = root.api("PATCH", f"/users/{me}", json=change)
        assert answer.status_code == 422
        assert "only administrator" in answer.json()["detail"]
    world.user("second", Role.ADMINISTRATOR)
    assert root.api("PATCH", f"/users/{me}", json={"role": "viewer"}).status_code == 200


def test_two_administrators_who_remove_each_other_do_not_both_succeed(world: World) -> None:
    ids = [world.user(name, Role.ADMINISTRATOR) for name in ("one", "two")]
    gate, failed = threading.Barrier(2), []

    def disable(user_id: str) -> None:
        gate.wait()
        try:
            world.access.users.change(user_id, UserChange(disabled=True))
        except UsageError as error:
            failed.append(str(error))

    threads = [threading.Thread(target=disable, args=(user_id,)) for user_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 1
    assert sum(not user.disabled for user in world.access.users.all()) == 1


def test_names_are_unique_whatever_their_case(world: World) -> None:
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    for name in ("root", "ROOT", "", "a/b", "x" * 300):
        assert root.api("POST", "/users", json={"name": name, "role": "viewer"}).status_code == 422


def test_groups_through_the_api_and_the_pages(world: World) -> None:
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    made = root.api("POST", "/groups", json={"name": "north", "cameras": ["gate", "yard"]}).json()
    assert made["cameras"] == ["gate", "yard"]
    ada = world.logged_in(Role.VIEWER, "ada", [made["id"]])
    assert ada.get("/api/v1/me").json()["cameras"] == ["gate", "yard"]
    assert root.send(f"/groups/{made['id']}", name="north", cameras=["yard"]).status_code == 303
    assert ada.get("/api/v1/me").json()["cameras"] == ["yard"]
    assert root.api("POST", "/groups", json={"name": "NORTH"}).status_code == 422
    assert root.api("DELETE", f"/groups/{made['id']}").status_code == 204
    assert ada.get("/api/v1/me").json()["cameras"] == []
    assert root.api("DELETE", f"/groups/{made['id']}").status_code == 422
    assert (
        root.api("POST", "/users", json={"name": "x", "role": "viewer", "groups": ["?"]}).status_code == 422
    )


def test_a_token_works_until_it_is_revoked_or_expires(world: World) -> None:
    ada = world.logged_in(Role.OPERATOR, "ada")
    wanted = {"name": "door", "scopes": ["read:people"], "days": 2}
    made = ada.api("POST", "/tokens", json=wanted).json()
    again = ada.api("POST", "/tokens", json=wanted).json()
    door, other = world.program(made["secret"]), world.program(again["secret"])
    assert door.get("/api/v1/people").status_code == 200
    assert door.get("/people").status_code == 200  # pages need no more than the API
    assert ada.api("DELETE", f"/tokens/{made['token']['id']}").status_code == 204
    assert door.get("/api/v1/people").status_code == 401
    assert door.get("/api/v1/people").headers["www-authenticate"] == "Bearer"
    world.clock.advance(2 * DAY_S)
    assert other.get("/api/v1/people").status_code == 401


def test_a_token_gives_away_only_what_one_may_do_oneself(world: World) -> None:
    ada = world.logged_in(Role.VIEWER, "ada")
    for scopes in (["admin"], ["own-account"], ["anyone"], []):
        wanted = {"name": "x", "scopes": scopes, "days": 1}
        assert ada.api("POST", "/tokens", json=wanted).status_code == 422
    assert (
        ada.api("POST", "/tokens", json={"name": "x", "scopes": ["read:live"], "days": 9999}).status_code
        == 422
    )


def test_a_token_is_shown_once_and_only_to_its_user(world: World) -> None:
    ada, bo = world.logged_in(Role.VIEWER, "ada"), world.logged_in(Role.VIEWER, "bo")
    shown = ada.send("/account/tokens", name="door", days="1", scopes="read:live").text
    assert "pinwatch_" in shown.partition('class="secret"')[2]
    assert 'class="secret"' not in ada.get("/account").text
    (token,) = ada.get("/api/v1/tokens").json()
    assert bo.get("/api/v1/tokens").json() == []
    assert bo.api("DELETE", f"/tokens/{token['id']}").status_code == 422


def test_a_wrong_token_is_not_made_up_for_by_a_cookie(world: World) -> None:
    ada = world.logged_in(Role.OPERATOR)
    for given in ("Bearer nonsense", "Basic YTpi", "Bearer", ""):
        assert ada.get("/api/v1/people", headers={"authorization": given}).status_code == 401


def test_changes_of_users_are_recorded_with_who_made_them(world: World) -> None:
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    me = root.get("/api/v1/me").json()["user_id"]
    made = root.api("POST", "/users", json={"name": "ada", "role": "viewer"}).json()["user"]["id"]
    root.api("PATCH", f"/users/{made}", json={"role": "operator", "groups": []})
    told = [(who.user_id, what) for who, what, _ in world.record.records if made in what]
    assert told == [
        (me, f"user {made} invited as viewer"),
        (me, f"user {made} to be changed: role operator; groups none"),
    ]


def test_a_console_for_others_than_this_machine_must_know_its_address() -> None:
    with pytest.raises(ConfigError, match=r"needs console\.public_url"):
        origins("0.0.0.0", 8080, None)
    for wrong in ("pinwatch.example", "ftp://x", "https://a@b", "https://x/path"):
        with pytest.raises(ConfigError, match="public_url must be"):
            origins("0.0.0.0", 8080, wrong)
    assert origins("0.0.0.0", 8080, "https://Pin.example/").allowed == {"https://pin.example"}
    assert origins("::1", 80, None).hosts == {"127.0.0.1", "localhost", "[::1]"}


def test_over_https_cookies_are_bound_to_the_host(database: Database) -> None:
    world = World(database, origins=origins("127.0.0.1", 8080, "https://pin.example"))
    world.user("ada", Role.VIEWER)
    browser = Browser(world.console, origin="https://pin.example")
    answer = browser.log_in("ada")
    assert answer.headers["set-cookie"].startswith("__Host-pinwatch_session=")
    assert "Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert browser.get("/account").status_code == 200
