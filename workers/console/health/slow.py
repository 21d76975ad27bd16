"""Values that take a while to find out: found out beside, so that no page waits for a disk to be read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from pipeline.redact import redact
from pipeline.seams import Clock

log = structlog.get_logger(__name__)

Value = TypeVar("Value")
PATIENCE_S = 2.0


class Slow(Generic[Value]):
    """A value that is found out anew when it is asked for and old, in a thread of its own.

    Args:
        find: Finds it out.
        clock: Time.
        ttl_s: From this age on it is old.
        name: Of the thread.
        patience_s: How long to wait for the first one.
    """

    def __init__(
        self,
        find: Callable[[], Value],
        clock: Clock,
        ttl_s: float,
        name: str,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._find, self._clock, self._ttl_s, self._name = find, clock, ttl_s, name
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._first = threading.Event()
        self._value: Value | None = None
        self._found_at_s: float | None = None
        self._finding = False

    def get(self) -> Value | None:
        """As it was lately; ``None`` while it is found out for the first time, or where it cannot be."""
        with self._lock:
            old = self._found_at_s is None or self._clock.monotonic_s() - self._found_at_s >= self._ttl_s
            if old and not self._finding:
                self._finding = True
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
        self._first.wait(self._patience_s)
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._find()
        except Exception as error:  # noqa: BLE001 - whatever it is, the page that shows health must be there
            log.warning("cannot be found out", what=self._name, error=redact(str(error)))
            self._value = None
        finally:
            with self._lock:
                self._found_at_s, self._finding = self._clock.monotonic_s(), False
            self._first.set()
