"""Time stamps: from what streams say to times that only grow."""

from __future__ import annotations

from fractions import Fraction

NS = 1_000_000_000


def to_ns(ticks: int, time_base: Fraction) -> int:
    """A stream's time stamp in nanoseconds, rounded down; exact integer arithmetic, so equal on every run."""
    return ticks * time_base.numerator * NS // time_base.denominator


class Timeline:
    """Turns the time stamps of one stream into nanoseconds since its first frame that strictly grow.

    A missing stamp continues at the nominal rate. A stamp that does not grow (a recording put together
    from pieces, a camera that set its clock) moves the rest of the stream behind what was already there.

    Args:
        rate_hz: Nominal frames per second.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = max(1, round(NS / rate_hz))
        self._shift_ns: int | None = None
        self._last_ns: int | None = None

    def stamp(self, raw_ns: int | None) -> int:
        """The time of the next frame, given the stream's own stamp if it has one."""
        following = 0 if self._last_ns is None else self._last_ns + self._period_ns
        self._last_ns = following if raw_ns is None else self._shifted(raw_ns, following)
        return self._last_ns

    def _shifted(self, raw_ns: int, following: int) -> int:
        if self._shift_ns is None:
            self._shift_ns = following - raw_ns
        pts_ns = raw_ns + self._shift_ns
        if self._last_ns is not None and pts_ns <= self._last_ns:
            self._shift_ns = following - raw_ns
            pts_ns = following
        return pts_ns


class CaptureTimes:
    """When live pictures were taken, from when they arrived, with the network's jitter removed.

    A picture arrives some delay after it was taken, never before: over a while the smallest
    difference between arrival and the camera's own stamp is the one without extra delay, and all
    others of that while are placed by it. Large pictures take longer on the way, and two streams of
    one camera can only be paired when that is removed.

    Args:
        window_s: Over how long the smallest difference is taken; bounds the error from clocks that drift.
        limit_s: A picture is never placed further before its arrival than this, whatever the stamps say.
    """

    def __init__(self, window_s: float = 20.0, limit_s: float = 2.0) -> None:
        self._half_ns = round(window_s / 2 * NS)
        self._limit_ns = round(limit_s * NS)
        self._started_ns: int | None = None
        self._previous: int | None = None
        self._current: int | None = None

    def place(self, pts_ns: int, arrived_ns: int) -> int:
        """Capture time in nanoseconds, at most `arrived_ns`, in the clock of `arrived_ns`."""
        offset = arrived_ns - pts_ns
        if self._started_ns is None or abs(arrived_ns - self._started_ns) > self._half_ns:
            self._started_ns, self._previous, self._current = arrived_ns, self._current, None
        self._current = offset if self._current is None else min(self._current, offset)
        smallest = self._current if self._previous is None else min(self._previous, self._current)
        return max(pts_ns + smallest, arrived_ns - self._limit_ns)


class RateLimit:
    """Lets at most `rate_hz` frames a second of one epoch through, by their own time; ``None``: all."""

    def __init__(self, rate_hz: float | None) -> None:
        if rate_hz is not None and rate_hz <= 0:
            raise ValueError(f"a rate limit must be positive, got {rate_hz}")
        self._period_ns = None if rate_hz is None else round(NS / rate_hz)
        self._due_ns = 0

    def admits(self, pts_ns: int) -> bool:
        """Whether the frame at `pts_ns` is due; frames must be asked about in order."""
        if self._period_ns is None:
            return True
        # Stamps jitter by rounding: a frame a tenth of a period early is the one that was meant.
        if pts_ns < self._due_ns - self._period_ns // 10:
            return False
        self._due_ns = max(self._due_ns, pts_ns - self._period_ns) + self._period_ns
        return True
