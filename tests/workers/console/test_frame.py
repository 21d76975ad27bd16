"""Headers, errors, static files, hosts, proxies; listening and ending."""

from __future__ import annotations

import socket
import threading
import urllib.request
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path

import pytest

from gallery.database import Database
from pipeline.errors import ConfigError, UsageError
from tests.workers.console.world import World, make_sighting
from workers.console.access.roles import Role
from workers.console.server import ConsoleServer
from workers.console.web.times import TimeZone


class Finder(HTMLParser):
    """Collects what a strict policy would not let run, and every address of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.addresses: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        self.addresses += [given[name] or "" for name in ("href", "src", "action") if name in given]
        self._script = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.inline.append(data)


def test_every_answer_has_the_headers(world: World) -> None:
    browser = world.logged_in(Role.ADMINISTRATOR)
    paths = ["/people", "/login", "/healthz", "/nothing", "/api/v1/people", "/api/v1/nothing", "/people/none"]
    for answer in [*(browser.get(path) for path in paths), browser.client.post("/logout")]:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_pages_need_nothing_inline_and_nothing_from_elsewhere(world: World, tmp_path: Path) -> None:
    browser = world.logged_in(Role.ADMINISTRATOR)
    subject = world.enroll(tmp_path, "Ada", 1)
    world.sightings.write([make_sighting("d", candidate_id=subject, similarity=0.4, runner_up=0.1)])
    world.access.groups.add("north", ["gate"])
    paths = [
        "/people",
        f"/people/{subject}",
        "/people/enroll",
        "/sightings",
        "/sightings/d",
        "/users",
        "/account",
    ]
    for path in [*paths, "/nothing"]:
        finder = Finder()
        finder.feed(browser.get(path).text)
        assert finder.inline == [], path
        assert len(finder.addresses) > 3
        assert not [address for address in finder.addresses if not address.startswith(("/", "#"))], path


def test_static_files_are_kept_by_content_and_lead_nowhere_else(world: World) -> None:
    browser = world.browser()
    finder = Finder()
    finder.feed(browser.get("/login").text)
    found = [address for address in finder.addresses if address.startswith("/static/")]
    assert len(found) == 3
    for address in found:
        answer = browser.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        older = browser.get(f"/static/older/{address.rpartition('/')[2]}")
        assert (older.content, older.headers["cache-control"]) == (answer.content, "no-store")
    for wrong in (
        "..%2fapp.py",
        "%2e%2e%2fapp.py",
        "../app.py",
        "..%5capp.py",
        "%2fetc%2fpasswd",
        "console.css%00",
    ):
        assert browser.get(f"/static/{wrong}").status_code == 404
        assert browser.get(f"/static/older/{wrong}").status_code == 404


def test_an_unexpected_error_says_nothing_of_how_we_are_built(world: World) -> None:
    browser = world.logged_in(Role.OPERATOR)
    world.record.full = RuntimeError("secret detail")
    page, api = browser.get("/people"), browser.get("/api/v1/people")
    assert page.status_code == api.status_code == 500
    assert "secret detail" not in page.text + api.text
    assert api.headers["content-type"] == "application/problem+json"
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_problems_are_as_the_standard_says(world: World) -> None:
    browser = world.logged_in(Role.OPERATOR)
    problem = browser.get("/api/v1/people?limit=x")
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json() == {
        "type": "about:blank",
        "title": HTTPStatus(422).phrase,  # Python has worded it in two ways
        "status": 422,
        "detail": "limit: Input should be a valid integer, unable to parse string as an integer",
    }
    assert browser.get("/api/v1/people/none").json()["status"] == 404
    assert browser.get("/api/v1/users").json()["status"] == 403
    assert world.browser().get("/api/v1/users").headers["www-authenticate"] == "Bearer"
    assert "nobody is enrolled so" in browser.get("/people/none").text


def test_another_host_is_refused_but_for_health(world: World) -> None:
    """A name server of somebody else's cannot lead browsers here under its own name."""
    browser = world.browser()
    for host, code in (
        ("evil.example", 400),
        ("127.0.0.1:9", 400),
        ("LOCALHOST:8080", 200),
        ("[::1]:8080", 200),
    ):
        assert browser.get("/login", headers={"host": host}).status_code == code
    assert browser.get("/healthz", headers={"host": "10.0.0.7:8080"}).status_code == 200


def test_only_the_trusted_proxy_says_where_requests_come_from(database: Database) -> None:
    world = World(database, trusted_proxy="10.0.0.9")
    said = {"x-forwarded-for": "203.0.113.5"}
    for address, recorded in (("10.0.0.9", "203.0.113.5"), ("10.0.0.8", "10.0.0.8")):
        browser = world.browser(address)
        token = browser.form_token("/login")
        data = {"form_token": token, "name": "x", "password": "y"}
        assert browser.client.post("/login", data=data, headers=said).status_code == 401
        assert world.record.records[-1][0].address == recorded


def test_without_a_proxy_nobody_is_believed(world: World) -> None:
    browser = world.browser("10.0.0.9")
    browser.client.headers["x-forwarded-for"] = "203.0.113.5"
    browser.log_in("x", "y")
    assert world.record.records[-1][0].address == "10.0.0.9"


def test_times_are_shown_and_typed_in_the_zone_of_the_console(database: Database) -> None:
    world = World(database, time_zone="Europe/Berlin")
    browser = world.logged_in(Role.ADMINISTRATOR)
    world.sightings.write([make_sighting("d", last_seen_at="2025-07-01T10:00:00.000Z")])
    assert "2025-07-01 12:00:00" in browser.get("/sightings?since=2025-07-01T11:59").text
    assert 'href="/sightings/d"' not in browser.get("/sightings?since=2025-07-01T12:01").text
    with pytest.raises(ConfigError, match="no time zone 'Mars/Olympus'"):
        TimeZone("Mars/Olympus")


def test_it_listens_until_it_is_told_to_stop(world: World) -> None:
    server = ConsoleServer(world.console.app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=10) as answer:
            assert answer.status == 200
            assert answer.headers["x-frame-options"] == "DENY"
            assert "server" not in answer.headers
    finally:
        server.stop()
        thread.join(timeout=20)
    assert not thread.is_alive()


def test_a_port_that_is_taken_is_named(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port} .*--port"):
            ConsoleServer(world.console.app, "127.0.0.1", port)
