"""The example of a program that uses the API, against a console on a real port."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import pytest

from examples.api_client import ApiError, Event, Picture, Pinwatch
from gallery.database import Database
from pipeline.types import Outcome
from tests.conftest import REPOSITORY
from tests.gallery.fakes import write_person
from tests.kafka.broker import free_port
from tests.workers.alerts.world import Track
from tests.workers.console.world import HOST, World, make_sighting
from workers.alerts.engine import AlertEngine
from workers.alerts.rule_store import RuleStore
from workers.alerts.rules import Kind, Rule, When
from workers.console.access.origins import origins
from workers.console.access.roles import SCOPES, Permission, Role
from workers.console.server import ConsoleServer
from workers.live.tiles import Tile

CLIENT = REPOSITORY / "examples" / "api_client.py"


@dataclass
class Site:
    """A console that listens, and a token for it."""

    world: World
    address: str
    token: str

    def client(self, *scopes: Permission) -> Pinwatch:
        """With a token of its own, that may do `scopes`."""
        root = self.world.access.users.named("root")
        assert root is not None
        _, secret = self.world.access.tokens.issue(root.id, "test", scopes or SCOPES, 30)
        return Pinwatch(self.address, secret)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The example as a program."""
        environment = {**os.environ, "PINWATCH_TOKEN": self.token}
        command = [sys.executable, str(CLIENT), self.address, *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def site(database: Database) -> Iterator[Site]:
    port = free_port()
    world = World(database, origins=origins(HOST, port, None))
    _, token = world.access.tokens.issue(world.user("root", Role.ADMINISTRATOR), "door", SCOPES, 30)
    server = ConsoleServer(world.console.app, HOST, port)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield Site(world, f"http://{HOST}:{port}", token)
    finally:
        server.stop()
        thread.join()


def test_sightings_come_page_by_page(site: Site) -> None:
    site.world.sightings.write(
        [
            make_sighting(f"d{number}", track_id=number, last_seen_at=f"2025-01-31T08:00:{number:02}.000Z")
            for number in range(7)
        ]
    )
    with site.client() as console:
        found = [sighting["decision_id"] for sighting in console.sightings(limit=3)]
        assert found == [f"d{number}" for number in range(6, -1, -1)]
        assert list(console.sightings(outcome="known")) == []
    done = site.run("sightings", "--outcome", "unknown", "--most", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"2025-01-31T08:00:{second}.000Z\tgate\tunknown\t" for second in ("06", "05")
    ]


def test_somebody_is_enrolled(site: Site, tmp_path: Path) -> None:
    good = write_person(tmp_path / "ada.png", 1, 0)
    bad = tmp_path / "note.txt"
    bad.write_text("not a photograph")
    done = site.run("enroll", "Ada", str(good))
    assert done.stdout.startswith("ada.png\tenrolled"), done.stderr
    assert [subject.name for subject in site.world.gallery.subjects()] == ["Ada"]
    done = site.run("enroll", "Ada", str(bad))
    assert done.returncode == 1
    assert done.stderr.startswith("422: note.txt is not a photograph")


def test_alerts_are_acknowledged(site: Site, tmp_path: Path) -> None:
    world = site.world
    subject_id = world.enroll(tmp_path, "Ada", 1)
    RuleStore(world.database, now_ns=world.clock.now_ns).add(Rule("", "known people", When(Kind.KNOWN)))
    seen = Track("gate", 1, 0.0).says(0, subject_id, end=True, outcome=Outcome.KNOWN)
    world.sightings.write([seen])
    AlertEngine(world.database, UTC, now_ns=world.clock.now_ns).write([seen])
    with site.client() as console:
        (alert,) = console.alerts(state="open")
        assert (alert["rule"], alert["name"]) == ("known people", "Ada")
        done = site.run("alerts", "--acknowledge", "a colleague")
        assert "known people" in done.stdout, done.stderr
        assert list(console.alerts(state="open")) == []
        with pytest.raises(ApiError) as caught:
            console.acknowledge(alert["id"])
        assert caught.value.status == 409


def test_what_is_seen_now_is_followed(site: Site) -> None:
    hub = site.world.console.hub
    with site.client(Permission.READ_LIVE) as console:
        live = console.live(["gate"])
        first = next(live)
        assert isinstance(first, Event)
        assert first.body["kind"] == "state"
        hub.publish_tile(Tile("gate", 0, 40_000_000, None, 640, 360, b"a JPEG", ()))
        number = hub.announce("camera", "gate", {"state": "lost"})
        got: dict[type, Event | Picture] = {}
        while len(got) < 2:
            came = next(live)
            if isinstance(came, Picture) or came.body.get("id") == number:
                got[type(came)] = came
        picture, event = got[Picture], got[Event]
        assert isinstance(picture, Picture)
        assert isinstance(event, Event)
        assert (picture.jpeg, picture.header["camera"]) == (b"a JPEG", "gate")
        assert event.body["state"] == "lost"
        live.close()  # type: ignore[attr-defined]


def test_what_goes_wrong_is_said_in_one_line(site: Site) -> None:
    with site.client(Permission.READ_LIVE) as console, pytest.raises(ApiError, match="read:sightings"):
        list(console.sightings())
    site.token = "pinwatch_wrong"
    done = site.run("sightings")
    assert done.returncode == 1
    assert done.stderr == "401: the token is not, or no longer, valid\n"
    site.token = ""
    assert "PINWATCH_TOKEN must hold a token" in site.run("sightings").stderr
