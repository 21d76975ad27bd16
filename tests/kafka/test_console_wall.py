"""The whole of it on a real broker: camera, reader, embedder, matcher, and two consoles to look at."""

from __future__ import annotations

import functools
import json
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from gallery.database import Database
from pipeline.clock import SystemClock
from tests.kafka.broker import free_ports
from tests.kafka.crew import Crew, environment, wait_until
from tests.rtsp.camera import RtspServer
from workers.bus.kafka.options import KafkaOptions
from workers.console.access.links import Links
from workers.console.access.passwords import Passwords
from workers.console.access.roles import Role
from workers.console.access.users import Users
from workers.live.tiles import unpack_tile

pytestmark = [pytest.mark.kafka, pytest.mark.assets, pytest.mark.slow, pytest.mark.rtsp]

PASSWORD = "a quiet evening shift"
SECRET = "only-readers-and-consoles-know"
_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')


class Seen:
    """What came over a socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.kinds: Counter[str] = Counter()
        self.states: list[str] = []
        self.details: list[str] = []
        self.tiles: list[tuple[int, bytes]] = []
        self.events: list[dict[str, Any]] = []

    def show(self, **cameras: int) -> None:
        """Ask for pictures."""
        self._connection.send(json.dumps({"show": cameras}))

    def complete(self) -> bool:
        """Pictures and people."""
        return bool(self.tiles and self.kinds["sighting"] and "live" in self.states)

    def until(self, condition: Callable[[], bool], patience_s: float, what: str) -> None:
        """Read on until `condition` holds."""
        deadline = time.monotonic() + patience_s
        while not condition():
            so_far = f"{dict(self.kinds)}, {len(self.tiles)} pictures, {self.states}"
            assert time.monotonic() < deadline, f"not within {patience_s:g} s: {what}; {so_far}"
            message = self._connection.recv(timeout=patience_s)
            if isinstance(message, bytes):
                tile, _ = unpack_tile(message)
                self.tiles.append((tile.stream_epoch, tile.jpeg))
            else:
                self._take(json.loads(message))

    def _take(self, event: dict[str, Any]) -> None:
        self.kinds[event["kind"]] += 1
        self.events.append(event)
        if event["kind"] == "camera":
            self.states.append(event["state"])
            self.details.append(event["detail"])
        for camera in event.get("cameras", ()):
            self.states.append(camera["state"])
            self.details.append(camera["detail"])


def add_user(data: Path, name: str) -> None:
    database = Database.open(data)
    now_ns = SystemClock().now_ns
    try:
        user = Users(database, now_ns).add(name, Role.ADMINISTRATOR, ())
        links = Links(database, Passwords(), now_ns)
        assert links.accept(links.issue(user.id), "", PASSWORD) is not None
    finally:
        database.close()


def log_in(port: int, name: str) -> str:
    """The cookies of a session."""
    origin = f"http://127.0.0.1:{port}"
    with httpx2.Client(base_url=origin, headers={"origin": origin}) as client:
        found = _TOKEN.search(client.get("/login").text)
        assert found is not None
        answer = client.post("/login", data={"form_token": found[1], "name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


def wall(port: int, cookies: str) -> ClientConnection:
    return connect(
        f"ws://127.0.0.1:{port}/live/socket",
        origin=Origin(f"http://127.0.0.1:{port}"),
        additional_headers={"Cookie": cookies},
        proxy=None,
        compression=None,
        close_timeout=1,
    )


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def the_reader_moves(crew: Crew, seen: Seen) -> None:
    epoch = seen.tiles[-1][0]
    crew.kill("read")
    seen.until(lambda: seen.details[-1].startswith("its reader"), 30, "the camera is lost, and why")
    assert seen.states[-1] == "lost"
    crew.start("read")
    seen.until(lambda: seen.tiles[-1][0] > epoch, 120, "another reader shows it")


def test_whoever_is_logged_in_sees_pictures_and_people_and_that_a_reader_is_gone(
    options: KafkaOptions, assets: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    preview, first, second, health = free_ports(4)
    settings = environment(
        data,
        options.servers,
        options.prefix,
        PINWATCH_WORKER__PREVIEW_SECRET=SECRET,
        PINWATCH_WORKER__PREVIEW_PORT=str(preview),
        PINWATCH_CANARY__ENABLED="false",
    )
    with (
        RtspServer(assets / "clips" / "crowd.mp4", sub=(640, 360)) as server,
        Crew(settings, tmp_path) as crew,
        Crew({**settings, "PINWATCH_WORKER__HEALTH_PORT": str(health)}, tmp_path) as watched,
    ):
        watched.start("console1", "worker", "console", "--port", first)
        crew.start("console2", "worker", "console", "--port", second)
        for port, crew_of, name in ((first, watched, "console1"), (second, crew, "console2")):
            serves = functools.partial(answers, f"http://127.0.0.1:{port}/healthz")
            wait_until(lambda: crew_of.ended(name) or serves(), 180, "the pages are served")  # noqa: B023
        add_user(data, "Olga")
        cookies = log_in(first, "Olga")
        crew.run("topics", "create")
        crew.run("cameras", "add", "lobby", server.url("sub"))
        for step in ("read", "embed", "match"):
            crew.start(step, "worker", step)
        for port in (second, first):
            with wall(port, cookies) as socket:
                seen = Seen(socket)
                seen.show(lobby=320)
                seen.until(seen.complete, 240, "pictures and people")
                assert seen.tiles[0][1].startswith(b"\xff\xd8")
                if port == first:
                    the_reader_moves(crew, seen)
        assert answers(f"http://127.0.0.1:{health}/healthz")
        with urllib.request.urlopen(f"http://127.0.0.1:{health}/metrics", timeout=5) as answer:
            assert "pinwatch_decisions_total{outcome=" in answer.read().decode()
        for name in ("console2", "read", "embed", "match"):
            crew.stop(name)
        watched.stop("console1")
        logs = "".join(crew.log(name) for name in ("console1", "console2", "read"))
        assert SECRET not in logs
        assert "Traceback" not in logs
