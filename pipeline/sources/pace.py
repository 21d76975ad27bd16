"""Recorded footage at the speed at which it was recorded."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from pipeline.seams import Clock, FrameSource
from pipeline.sources.wrapper import SourceWrapper
from pipeline.types import Frame

_SLICE_S = 0.1


class RealtimeSource(SourceWrapper):
    """`source`, each frame not before its time. Drops nothing: a slow consumer only falls behind.

    Time counts from when the first frame was taken.
    """

    def __init__(self, source: FrameSource, clock: Clock) -> None:
        super().__init__(source)
        self._clock = clock
        self._closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        """As the source's, paced; raises what it raises."""
        started_s: float | None = None
        for frame in self._source.frames():
            at_s = frame.pts_ns / 1e9
            if started_s is None:
                started_s = self._clock.monotonic_s() - at_s
            self._wait_until(started_s + at_s)
            if self._closed.is_set():
                return
            yield frame

    def close(self) -> None:
        """Close the source and stop waiting."""
        self._closed.set()
        super().close()

    def _wait_until(self, due_s: float) -> None:
        """In slices, so that `close` is heard during a long gap in the footage."""
        while not self._closed.is_set():
            left_s = due_s - self._clock.monotonic_s()
            if left_s <= 0:
                return
            self._clock.sleep(min(left_s, _SLICE_S))
