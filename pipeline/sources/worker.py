"""Threads that decode: ended before the interpreter goes away, also when somebody forgot to close."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable

_LAST_S = 20.0
"""What does not end by then, inside a call that never returns, must not keep the program from ending."""


class Worker:
    """A thread that is stopped and waited for at the end of the program at the latest.

    An ordinary thread that nobody closes would keep the program from ending; a daemon that is inside
    FFmpeg while the interpreter is taken down crashes it.

    Args:
        target: What the thread does; must return soon after `stop` was called.
        stop: Asks it to; called from other threads, possibly twice.
        name: The thread's name.
    """

    def __init__(self, target: Callable[[], None], stop: Callable[[], None], name: str) -> None:
        self._stop = stop
        self._thread = threading.Thread(target=target, name=name, daemon=True)

    def start(self) -> None:
        """Begin; once."""
        atexit.register(self._end)
        self._thread.start()

    def close(self, within_s: float | None = None) -> None:
        """Ask the thread to end and wait for it, at most `within_s` seconds; safe before :meth:`start`."""
        self._stop()
        if self._thread.is_alive():
            self._thread.join(within_s)
        if not self._thread.is_alive():
            atexit.unregister(self._end)

    def _end(self) -> None:
        self._stop()
        self._thread.join(_LAST_S)
