"""Follows what is decided on a broker, for processes that only show it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Protocol

import structlog

from pipeline.errors import CodecError
from pipeline.types import Sighting
from workers.bus.base import BusError, Partition, Received
from workers.codec import decode
from workers.loop import NobodyWatches, Observer
from workers.steps import SightingSink

log = structlog.get_logger(__name__)

AGAIN_S = 2.0
_AT_ONCE = 256
_POLL_S = 0.2

Offsets = Mapping[Partition, int]


class Newest(Protocol):
    """Reads the newest messages; :class:`workers.bus.kafka.tail.Tail` does."""

    @property
    def offsets(self) -> Offsets: ...
    def poll(self, max_messages: int, timeout_s: float) -> Sequence[Received]: ...
    def close(self) -> None: ...


def _nothing(problem: str) -> None:
    """For whoever does not want to know."""


class SightingsFollower:
    """Hands every decision that is made from now on to its sinks, each camera's in order.

    What cannot be decoded is left out: whoever reads the topic for good makes dead letters of it.

    Args:
        open_newest: Begins to read, after these offsets if there are any.
        sinks: Told of every decision.
        on_problem: Told why nothing comes, for people; empty when it does again.
        observer: Told how the work goes.
    """

    def __init__(
        self,
        open_newest: Callable[[Offsets], Newest],
        sinks: Sequence[SightingSink],
        on_problem: Callable[[str], None] = _nothing,
        observer: Observer | None = None,
    ) -> None:
        self._open, self._sinks, self._on_problem = open_newest, sinks, on_problem
        self._observer = observer or NobodyWatches()
        self._offsets: Offsets = {}
        self._problem = ""

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set, whatever becomes of the broker; nothing that it still has is left out."""
        while not stop.is_set():
            try:
                with closing(self._open(self._offsets)) as newest:
                    self._say("")
                    self._follow(newest, stop)
            except BusError as error:
                self._say(str(error))
                stop.wait(AGAIN_S)

    def _say(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("decisions cannot be followed; trying again", error=problem)
        self._problem = problem
        self._on_problem(f"decisions do not come: {problem}" if problem else "")

    def _follow(self, newest: Newest, stop: threading.Event) -> None:
        self._offsets = newest.offsets
        while not stop.is_set():
            received = newest.poll(_AT_ONCE, _POLL_S)
            self._observer.on_polled()
            if not received:
                continue
            self._observer.on_batch(received)
            sightings = list(self._sightings(received))
            for sink in self._sinks:
                sink.write(sightings)
            self._offsets = dict(newest.offsets)

    def _sightings(self, received: Sequence[Received]) -> Iterator[Sighting]:
        for item in received:
            try:
                message = decode(item.encoded)
            except CodecError as error:
                log.warning("a decision is not understood", offset=item.offset, error=str(error))
                continue
            if isinstance(message, Sighting):
                yield message
