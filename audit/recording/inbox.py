"""The hand-over from the thread that captures to the one that writes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """Items for one consumer, bounded by their sizes together.

    Args:
        capacity_bytes: Of what may wait. A single item always fits into an empty inbox.
        patient: Whether a producer waits for room; otherwise it is told that there is none.
    """

    def __init__(self, capacity_bytes: int, *, patient: bool) -> None:
        self._capacity_bytes = capacity_bytes
        self._patient = patient
        self._items: deque[tuple[T, int]] = deque()
        self._waiting_bytes = 0
        self._ended = False
        self._changed = threading.Condition()

    def put(self, item: T, size_bytes: int = 0) -> bool:
        """Add `item`; False if there was no room, or nobody takes any more."""
        with self._changed:
            if self._patient:
                self._changed.wait_for(lambda: self._ended or self._fits(size_bytes))
            if self._ended or not self._fits(size_bytes):
                return False
            self._items.append((item, size_bytes))
            self._waiting_bytes += size_bytes
            self._changed.notify_all()
            return True

    def end(self) -> None:
        """Take nothing more; what waits is still handed over. Safe twice."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Yield items until the inbox has ended and is empty."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended)
                if not self._items:
                    return
                item, size_bytes = self._items.popleft()
                self._waiting_bytes -= size_bytes
                self._changed.notify_all()
            yield item

    def _fits(self, size_bytes: int) -> bool:
        return not size_bytes or not self._items or self._waiting_bytes + size_bytes <= self._capacity_bytes
