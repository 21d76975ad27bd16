"""Listens until it is told to stop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from pipeline.errors import PinwatchError, UsageError

_LISTENING = 512
_GRACE_S = 10
_MESSAGE_BYTES = 64 * 1024
"""The largest message that is taken from a socket."""


class ConsoleServer:
    """Serves in a thread of its own, so that signals stay with whoever started it.

    Args:
        app: Answers.
        host: Where to listen.
        port: 0 for any free one.
        on_stop: Called first when it is to stop: sends away whoever would stay for ever.

    Raises:
        UsageError: the port is taken or not allowed, or there is no such host.
    """

    def __init__(
        self, app: FastAPI, host: str, port: int, on_stop: Callable[[], None] = lambda: None
    ) -> None:
        self._on_stop = on_stop
        self._socket = _bind(host, port)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                access_log=False,  # addresses hold one-time links
                log_config=None,
                proxy_headers=False,  # see ConsoleOptions.trusted_proxy
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
                lifespan="off",
                ws_per_message_deflate=False,  # pictures are compressed already
                ws_max_size=_MESSAGE_BYTES,
                ws_ping_interval=20.0,
                ws_ping_timeout=20.0,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="console"
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def serve(self) -> None:
        """Block until :meth:`stop` was called, and what was under way is answered."""
        self._thread.start()
        self._thread.join()
        self._socket.close()
        if not self._server.started:
            raise PinwatchError("the console could not start: its log says why")

    def stop(self) -> None:
        """From any thread, and from a signal's handler."""
        self._on_stop()
        self._server.should_exit = True


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_LISTENING)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"the console cannot listen on {host}:{port} ({reason}): choose another with --host and --port"
        ) from error
    return listening
