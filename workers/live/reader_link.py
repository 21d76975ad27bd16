"""A console's connection to one reader: says what is watched, takes pictures, begins again when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from pipeline.errors import MalformedMessage
from workers.live.preview_messages import parse_states, show_text
from workers.live.preview_server import quiet_logger
from workers.live.relay import Shown
from workers.live.state import CameraStatus
from workers.live.tiles import Tile, unpack_tile

log = structlog.get_logger(__name__)

MAX_TILE_BYTES = 8 * 1024 * 1024
_OPEN_S, _ALIVE_S, _CLOSING_S = 5.0, 10.0, 1.0
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How readers are reached.

    Attributes:
        secret: That readers know as well.
        tls: What their certificates are checked against.
        first_pause_s: Before a connection that broke is made again; each time twice as long.
        longest_pause_s: At most.
    """

    secret: str = field(repr=False)
    tls: ssl.SSLContext
    first_pause_s: float = 0.5
    longest_pause_s: float = 10.0


@dataclass(frozen=True, slots=True)
class LinkEvents:
    """What a connection has to say; called in its event loop.

    Attributes:
        on_tile: A picture has come that is watched.
        on_change: It was made or broke, or the reader said how a camera is.
    """

    on_tile: Callable[[Tile], None]
    on_change: Callable[[], None]


class ReaderLink:
    """All methods belong to one event loop.

    Attributes:
        problem: Why there is no connection, for people; ``None`` while there is one, empty before the first.
        states: What the reader said about its cameras.

    Args:
        url: Where the reader shows its pictures.
        options: How it is reached.
        events: Told what happens.
    """

    def __init__(self, url: str, options: LinkOptions, events: LinkEvents) -> None:
        self._url, self._options, self._events = url, options, events
        self._shown: Shown = {}
        self._changed = asyncio.Event()
        self.problem: str | None = ""
        self.states: dict[str, CameraStatus] = {}

    def show(self, wanted: Shown) -> None:
        """These pictures are watched from now on, and no others."""
        if wanted != self._shown:
            self._shown = wanted
            self._changed.set()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        pause_s = self._options.first_pause_s
        while True:
            problem = await self._once()
            if self.problem is None:
                pause_s = self._options.first_pause_s
            self._broken(problem)
            await asyncio.sleep(pause_s * random.uniform(0.75, 1.25))  # noqa: S311 - not all at once
            pause_s = min(2 * pause_s, self._options.longest_pause_s)

    async def _once(self) -> str:
        """Be connected for as long as that lasts; why it ended."""
        try:
            async with connect(
                self._url,
                additional_headers={"Authorization": f"Bearer {self._options.secret}"},
                ssl=self._options.tls if self._url.startswith("wss:") else None,
                compression=None,
                proxy=None,
                user_agent_header=None,
                max_size=MAX_TILE_BYTES,
                open_timeout=_OPEN_S,
                ping_interval=_ALIVE_S / 2,
                ping_timeout=_ALIVE_S,
                close_timeout=_CLOSING_S,
                logger=quiet_logger(),
            ) as connection:
                self._made()
                await self._talk(connection)
                return "its reader has gone"
        except InvalidStatus as error:
            if error.response.status_code == _UNAUTHORIZED:
                return "its reader refuses us: worker.preview_secret must be the same here and there"
            return f"its reader answers {error.response.status_code} instead of pictures"
        except MalformedMessage as error:
            return f"its reader sends what is no picture: {error}"
        except (OSError, TimeoutError, WebSocketException) as error:
            return f"its reader cannot be reached ({str(error) or type(error).__name__})"

    def _made(self) -> None:
        log.info("pictures of a reader can be had", url=self._url)
        self.problem = None
        self._changed.set()
        self._events.on_change()

    def _broken(self, problem: str) -> None:
        if self.problem != problem:
            log.warning("no pictures of a reader", url=self._url, reason=problem)
        self.problem = problem
        self.states = {}
        self._events.on_change()

    async def _talk(self, connection: ClientConnection) -> None:
        saying = asyncio.create_task(self._say(connection))
        try:
            async for message in connection:
                if isinstance(message, bytes):
                    self._take(unpack_tile(message)[0])
                else:
                    self.states |= {status.camera_id: status for status in parse_states(message)}
                    self._events.on_change()
        finally:
            saying.cancel()
            await asyncio.wait([saying])

    async def _say(self, connection: ClientConnection) -> None:
        with contextlib.suppress(WebSocketException):
            while True:
                await self._changed.wait()
                self._changed.clear()
                await connection.send(show_text(self._shown))

    def _take(self, tile: Tile) -> None:
        if tile.width_px in self._shown.get(tile.camera_id, ()):
            self._events.on_tile(tile)
