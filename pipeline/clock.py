"""Clocks behind :class:`pipeline.seams.Clock`: the machine's, and one that is driven by hand."""

from __future__ import annotations

import threading
import time


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Wall-clock time, nanoseconds since 1970 UTC."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after about `seconds`."""
        time.sleep(seconds)


class ManualClock:
    """Stands still until somebody moves it; safe from several threads.

    Args:
        start_ns: Wall-clock time to begin with, nanoseconds since 1970 UTC.

    Attributes:
        slept_s: Every duration that somebody slept, in order.
    """

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns
        self._monotonic_ns = 0
        self._lock = threading.Lock()
        self.slept_s: list[float] = []

    def now_ns(self) -> int:
        """Wall-clock time, nanoseconds since 1970 UTC."""
        with self._lock:
            return self._now_ns

    def monotonic_s(self) -> float:
        """Seconds since the clock was made, as far as it was moved."""
        with self._lock:
            return self._monotonic_ns / 1e9

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass.

        Raises:
            ValueError: `seconds` is negative; to set the wall clock back use :meth:`set_wall_ns`.
        """
        if seconds < 0:
            raise ValueError(f"time does not go back, got {seconds} s")
        step_ns = round(seconds * 1e9)
        with self._lock:
            self._now_ns += step_ns
            self._monotonic_ns += step_ns

    def set_wall_ns(self, now_ns: int) -> None:
        """Set the wall clock, as an administrator or NTP may; monotonic time is left alone."""
        with self._lock:
            self._now_ns = now_ns

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once, and note it."""
        self.slept_s.append(seconds)
        self.advance(seconds)
