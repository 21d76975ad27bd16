"""A console on a real port, and whoever watches its wall from outside."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gallery.database import Database
from tests.workers.console.world import World, make_sighting
from workers.console.access.origins import origins
from workers.console.server import ConsoleServer
from workers.live.hub import LiveHub
from workers.live.sightings import body_of
from workers.live.tiles import Box, Tile, unpack_tile

HOST = "127.0.0.1"
PATIENCE_S = 20.0


def split(message: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and bytes of a picture or of a piece of video."""
    length = int.from_bytes(message[:4])
    header: dict[str, Any] = json.loads(message[4 : 4 + length])
    return header, message[4 + length :]


class Watching:
    """A socket as the page has one."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def ask(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def next(self) -> dict[str, Any] | Tile:
        received = self.connection.recv(timeout=PATIENCE_S)
        if isinstance(received, bytes):
            header, _ = split(received)
            return header if header.get("kind") == "video" else unpack_tile(received)[0]
        found: dict[str, Any] = json.loads(received)
        return found

    def event(self, kind: str) -> dict[str, Any]:
        """The next of that kind; pictures and signs of life in between are passed over."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            message = self.next()
            if isinstance(message, dict) and message["kind"] == kind:
                return message
        raise AssertionError(f"no {kind} comes")

    def tile(self) -> Tile:
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            message = self.next()
            if isinstance(message, Tile):
                return message
        raise AssertionError("no picture comes")

    def video(self) -> tuple[dict[str, Any], bytes]:
        """Header and bytes of the next piece of video."""
        while True:
            received = self.connection.recv(timeout=PATIENCE_S)
            if isinstance(received, bytes):
                header, data = split(received)
                if header.get("kind") == "video":
                    return header, data

    def closed(self) -> tuple[int, str]:
        """Code and reason with which it ends."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            try:
                self.next()
            except ConnectionClosed as ended:
                told = ended.rcvd
                return (told.code, told.reason) if told is not None else (0, "without a word")
        raise AssertionError("it does not end")


@dataclass
class LiveWorld:
    """The console, served."""

    world: World
    port: int

    @property
    def hub(self) -> LiveHub:
        return self.world.console.hub

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.port}"

    def cookie(self, name: str) -> dict[str, str]:
        """Headers of the browser of a user who has logged in."""
        user = self.world.access.users.named(name)
        assert user is not None
        secret = self.world.access.login.begin(user, "10.0.0.1", None, "login").cookie
        return {"Cookie": f"{self.world.access.cookies.session}={secret}"}

    @contextmanager
    def watch(
        self, headers: Mapping[str, str], *, origin: str | None = "ours", show: Any = None, after: Any = None
    ) -> Iterator[Watching]:
        """Open the wall's socket, and ask for pictures."""
        with connect(
            f"ws://{HOST}:{self.port}/live/socket",
            origin=self.origin if origin == "ours" else origin,  # type: ignore[arg-type]
            additional_headers=dict(headers),
            max_size=2**22,
        ) as connection:
            watching = Watching(connection)
            with suppress(ConnectionClosed):  # whoever is sent away at once
                watching.ask(show=show or {}, **({} if after is None else {"after": after}))
            yield watching

    def see(self, decision_id: str = "d1", **changed: Any) -> int:
        """A decision is announced."""
        sighting = make_sighting(decision_id, **changed)
        return self.hub.announce("sighting", sighting.camera_id, body_of(sighting, self.world.clock.now_ns()))

    def film(self, camera_id: str = "gate", pts_ns: int = 0, width_px: int = 320) -> None:
        self.hub.publish_tile(
            Tile(camera_id, 1, pts_ns, 5, width_px, 180, b"\xff\xd8jpeg", (Box(1, 0.1, 0.2, 0.3, 0.4),))
        )


@contextmanager
def served(database: Database, **options: Any) -> Iterator[LiveWorld]:
    """A console that listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    world = World(database, origins=origins(HOST, port, None), **options)
    server = ConsoleServer(world.console.app, HOST, port, on_stop=world.console.hub.close)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield LiveWorld(world, port)
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive(), "the console does not end"
