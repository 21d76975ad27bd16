"""A reader's pictures for consoles: one WebSocket each, behind a shared secret.

Whoever connects says which cameras it wants to see and in which widths, and is sent the newest picture of
each, as it comes, and how the cameras fare. What nobody wants is not encoded.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from pipeline.errors import MalformedMessage, UsageError
from workers.live.preview_messages import MAX_TEXT_BYTES, parse_show, states_text
from workers.live.preview_options import PreviewOptions
from workers.live.relay import RelayViewer, TileRelay
from workers.live.tiles import pack_tile

log = structlog.get_logger(__name__)

_ALIVE_S = 10.0
"""A console that does not answer for so long is gone."""
_CLOSING_S = 1.0


class PreviewServer:
    """Listens in a thread of its own until it is closed.

    Args:
        relay: Whose pictures.
        options: Where, and to whom.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.

    Raises:
        UsageError: the port is taken or not allowed, or there is no such host.
    """

    def __init__(self, relay: TileRelay, options: PreviewOptions, now_ns: Callable[[], int]) -> None:
        self._relay, self._options, self._now_ns = relay, options, now_ns
        self._socket = _bind(options.host, options.port)
        self._loop: asyncio.AbstractEventLoop
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="preview-server", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """The address that consoles use."""
        return self._options.address(self.port)

    def __enter__(self) -> PreviewServer:
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Send all consoles away; safe twice."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(_CLOSING_S * 3)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server: Server
        async with serve(
            self._talk,
            sock=self._socket,
            ssl=self._options.tls,
            process_request=self._admit,
            compression=None,  # JPEG does not shrink
            max_size=MAX_TEXT_BYTES,
            ping_interval=_ALIVE_S / 2,
            ping_timeout=_ALIVE_S,
            close_timeout=_CLOSING_S,
            server_header=None,
            logger=quiet_logger(),
        ) as server:
            await self._ended.wait()
            server.close()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        given = ",".join(request.headers.get_all("Authorization"))
        expected = f"Bearer {self._options.secret}"
        if hmac.compare_digest(given.encode(errors="surrogateescape"), expected.encode()):
            return None
        log.warning("somebody who does not know the secret asked for pictures", at=_peer(connection))
        return connection.respond(HTTPStatus.UNAUTHORIZED, "worker.preview_secret is another one here\n")

    async def _talk(self, connection: ServerConnection) -> None:
        loop, awake = asyncio.get_running_loop(), asyncio.Event()
        viewer = self._relay.connect(lambda: _wake(loop, awake))
        log.info("a console has come for pictures", at=_peer(connection))
        sending = asyncio.create_task(self._send(connection, viewer, awake))
        try:
            await _listen(connection, viewer)
        except ConnectionClosed:
            pass
        finally:
            viewer.close()
            sending.cancel()
            await asyncio.wait([sending])
            log.info("a console has gone", at=_peer(connection))

    async def _send(self, connection: ServerConnection, viewer: RelayViewer, awake: asyncio.Event) -> None:
        """One picture after the other, as fast as the console takes them; newer ones replace what waits."""
        try:
            while True:
                await awake.wait()
                awake.clear()
                states, tiles = viewer.take()
                if states:
                    await connection.send(states_text(states))
                for tile in tiles:
                    await connection.send(pack_tile(tile, self._now_ns()))
        except ConnectionClosed:
            return


async def _listen(connection: ServerConnection, viewer: RelayViewer) -> None:
    async for message in connection:
        try:
            if isinstance(message, bytes):
                raise MalformedMessage("bytes where a text was expected")
            viewer.show(parse_show(message))
        except MalformedMessage as error:
            log.warning("a console said what nobody understands", at=_peer(connection), error=str(error))
            await connection.close(CloseCode.UNSUPPORTED_DATA, "not understood")
            return


def quiet_logger() -> logging.Logger:
    """For connections: what the library logs of them in detail holds the secret."""
    quiet = logging.Logger("preview", logging.CRITICAL)
    quiet.addHandler(logging.NullHandler())
    return quiet


def _wake(loop: asyncio.AbstractEventLoop, awake: asyncio.Event) -> None:
    loop.call_soon_threadsafe(awake.set)


def _peer(connection: ServerConnection) -> str:
    address = connection.remote_address
    return str(address[0]) if address else "unknown"


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"pictures cannot be shown on {host}:{port} ({reason}): set worker.preview_host and "
            "worker.preview_port"
        ) from error
