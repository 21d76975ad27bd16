"""A bounded hand-over from one thread to another, and a counter of what was given up."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """Items from producers to one consumer, at most `capacity` at a time.

    A producer chooses per item whether it waits for room (:meth:`put`) or pushes the oldest item out
    (:meth:`put_newest`). Either side may end it: :meth:`finish` after the last item, :meth:`close`
    when nobody wants any more.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a channel needs room for at least one item, got {capacity}")
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._finished = False
        self._closed = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Wait for room and add `item`; False if the consumer has gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity)
            return self._add(item)

    def put_newest(self, item: T) -> int:
        """Add `item` at once, pushing out the oldest if there is no room; the number pushed out."""
        with self._changed:
            too_many = 0 if self._closed else max(0, len(self._items) + 1 - self._capacity)
            for _ in range(too_many):
                self._items.popleft()
            self._add(item)
            return too_many

    def _add(self, item: T) -> bool:
        if not self._closed:
            self._items.append(item)
            self._changed.notify_all()
        return not self._closed

    def finish(self, error: BaseException | None = None) -> None:
        """Say that no more items come; the consumer gets those that wait, then `error` if there is one."""
        with self._changed:
            self._finished = True
            self._error = self._error or error
            self._changed.notify_all()

    def close(self) -> None:
        """Throw away what waits and let both sides go on; safe twice."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Yield items until the channel is finished or closed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._finished or self._closed)
                if not self._items:
                    break
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
            del item  # a picture must not live on while we wait for the next
        if self._error is not None and not self._closed:
            raise self._error


class DropCounter:
    """How many frames were given up, by cause; safe from several threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, cause: str, count: int = 1) -> None:
        """Count `count` more frames given up for `cause`; zero leaves no trace."""
        if count:
            with self._lock:
                self._counts[cause] += count

    def as_dict(self) -> dict[str, int]:
        """The counts so far, as a copy."""
        with self._lock:
            return dict(self._counts)
