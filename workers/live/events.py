"""What happened, numbered: the last some thousand of it, for whoever reads on where they left off."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KEPT = 4000

_PER_MS = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        id: Grows from one to the next, also over restarts.
        kind: ``sighting``, ``camera``, ``alert``, ...
        camera_id: Where; ``None``: nowhere in particular.
        at_ns: When it was announced, nanoseconds since 1970 UTC.
        body: The rest, as JSON can say it.
    """

    id: int
    kind: str
    camera_id: str | None
    at_ns: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Since:
    """What happened after a number.

    Attributes:
        events: In order; none after a gap.
        gap: It is so long ago that some of it is forgotten, or it never was.
        last: Number of the newest event.
    """

    events: Sequence[Event]
    gap: bool
    last: int


class EventRing:
    """The last events; not safe from several threads by itself.

    Args:
        now_ns: The time now: a ring begins with a number that no earlier one can have reached.
        kept: How many are remembered.
    """

    def __init__(self, now_ns: int, kept: int = KEPT) -> None:
        self._events: deque[Event] = deque(maxlen=kept)
        self.last = now_ns // 1_000_000 * _PER_MS
        """Number of the newest."""

    def append(self, kind: str, camera_id: str | None, at_ns: int, body: Mapping[str, Any]) -> Event:
        """Remember an event, and perhaps forget the oldest."""
        event = Event(self.last + 1, kind, camera_id, at_ns, body)
        self._events.append(event)
        self.last = event.id
        return event

    def since(self, after: int, limit: int) -> Since:
        """Up to `limit` events after that number, in order."""
        first = self.last - len(self._events)  # everything after this number is here
        if not first <= after <= self.last:
            return Since((), True, self.last)
        start = after - first
        return Since(tuple(itertools.islice(self._events, start, start + limit)), False, self.last)
