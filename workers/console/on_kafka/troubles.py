"""What does not work, of several parts that each know of their own trouble only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog

from pipeline.errors import CodecError
from workers.bus.base import Received
from workers.loop import Observer

log = structlog.get_logger(__name__)


class Troubles:
    """Joins what the parts say, and logs it once; safe from any thread.

    Args:
        tell: Told all of it, whenever it changes; nothing when everything works.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._lock = tell, threading.Lock()
        self._by_part: dict[str, str] = {}

    def say(self, part: str, problem: str) -> None:
        """What does not work in a part; empty when it does."""
        with self._lock:
            if self._by_part.get(part, "") == problem:
                return
            self._by_part[part] = problem
            if problem:
                log.warning("something does not work; trying again", part=part, problem=problem)
            self._tell("; ".join(text for text in self._by_part.values() if text))


class Recovering:
    """An observer of a loop under which the loop's trouble is over as soon as it goes round.

    Args:
        observer: Told everything as well.
        troubles: Where the trouble is.
        part: Whose.
    """

    def __init__(self, observer: Observer, troubles: Troubles, part: str) -> None:
        self._observer, self._troubles, self._part = observer, troubles, part

    def on_batch(self, received: Sequence[Received]) -> None:
        self._observer.on_batch(received)

    def on_refused(self, item: Received, error: CodecError) -> None:
        self._observer.on_refused(item, error)

    def on_polled(self) -> None:
        self._observer.on_polled()
        self._troubles.say(self._part, "")
