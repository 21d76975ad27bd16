"""The bus of a single process: bounded, ordered, and gone with the process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from workers.bus.base import BusError, Partition, Received, Topic
from workers.codec import Encoded


class BusClosed(BusError):
    """The bus was closed while somebody waited for room or for messages."""


@dataclass(slots=True)
class _Log:
    """One topic: what some group has not committed yet. `first` is the offset of `messages[0]`."""

    messages: deque[Encoded] = field(default_factory=deque)
    first: int = 0
    read: dict[str, int] = field(default_factory=dict)
    committed: dict[str, int] = field(default_factory=dict)
    finished: bool = False

    @property
    def end(self) -> int:
        return self.first + len(self.messages)

    @property
    def unread(self) -> int:
        return self.end - min(self.read.values(), default=self.end)

    def trim(self) -> None:
        keep_from = min(self.committed.values(), default=self.end)
        while self.first < keep_from and self.messages:
            self.messages.popleft()
            self.first += 1


class MemoryBus:
    """Topics in memory, one partition each.

    A producer blocks while the slowest group has `capacity` messages to read, so that memory is
    bounded and nothing is ever dropped. What was read stays until its group commits it: a consumer
    made anew for the same group starts there, as it would on a broker. A topic that nobody consumes
    keeps nothing, so consumers must be made before what they are to see is sent. Safe from any
    number of threads.

    Args:
        capacity: Messages that may wait on a topic for its slowest reader.
    """

    def __init__(self, capacity: int = 256) -> None:
        self._capacity = capacity
        self._logs = {topic: _Log() for topic in Topic}
        self._changed = threading.Condition()
        self._closed = False

    def producer(self, waiting: Callable[[], None] = lambda: None) -> MemoryProducer:
        return MemoryProducer(self)

    def consumer(self, group: str, topics: Iterable[Topic]) -> MemoryConsumer:
        with self._changed:
            subscribed = tuple(topics)
            for topic in subscribed:
                log = self._logs[topic]
                log.read[group] = log.committed.setdefault(group, log.end)
        return MemoryConsumer(self, group, subscribed)

    def finish(self, topic: Topic) -> None:
        """Nobody will write to `topic` any more: its consumers end when they have read it all."""
        with self._changed:
            self._logs[topic].finished = True
            self._changed.notify_all()

    def close(self) -> None:
        """Wake everybody who waits, with :class:`BusClosed`: somebody failed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _append(self, topic: Topic, encoded: Encoded) -> None:
        log = self._logs[topic]
        with self._changed:
            self._changed.wait_for(lambda: self._closed or log.unread < self._capacity)
            self._check_open()
            if log.committed:
                log.messages.append(encoded)
                self._changed.notify_all()
            else:
                log.first += 1

    def _read(self, group: str, topics: Sequence[Topic], count: int, timeout_s: float) -> list[Received]:
        logs = [(topic, self._logs[topic]) for topic in topics]
        with self._changed:
            self._changed.wait_for(lambda: self._closed or _readable(group, logs), timeout_s)
            self._check_open()
            batch: list[Received] = []
            for topic, log in logs:
                start = log.read[group]
                stop = min(log.end, start + count - len(batch))
                batch.extend(
                    Received(Partition(topic, 0), offset, log.messages[offset - log.first])
                    for offset in range(start, stop)
                )
                log.read[group] = stop
            self._changed.notify_all()
            return batch

    def _commit(self, group: str, offsets: Mapping[Partition, int]) -> None:
        with self._changed:
            for partition, offset in offsets.items():
                log = self._logs[partition.topic]
                log.committed[group] = max(offset, log.committed[group])
                log.trim()
            self._changed.notify_all()

    def _exhausted(self, group: str, topics: Sequence[Topic]) -> bool:
        with self._changed:
            logs = [self._logs[topic] for topic in topics]
            return all(log.finished and log.read[group] == log.end for log in logs)

    def _check_open(self) -> None:
        if self._closed:
            raise BusClosed("the bus was closed because another part of the program stopped")


def _readable(group: str, logs: Sequence[tuple[Topic, _Log]]) -> bool:
    return any(log.end > log.read[group] for _, log in logs) or all(log.finished for _, log in logs)


class MemoryProducer:
    """Appends at once; :meth:`flush` has nothing left to do."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    def send(self, topic: Topic, encoded: Encoded) -> None:
        self._bus._append(topic, encoded)

    def flush(self) -> None:
        return None

    def close(self) -> None:
        return None


class MemoryConsumer:
    """Reads on from its group's last commit."""

    def __init__(self, bus: MemoryBus, group: str, topics: Sequence[Topic]) -> None:
        self._bus = bus
        self._group = group
        self._topics = topics

    def poll(self, max_messages: int, timeout_s: float) -> Sequence[Received]:
        return self._bus._read(self._group, self._topics, max_messages, timeout_s)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        self._bus._commit(self._group, offsets)

    def lost(self) -> Collection[Partition]:
        return ()

    def keep_alive(self) -> None:
        return None

    def close(self) -> None:
        return None

    @property
    def exhausted(self) -> bool:
        return self._bus._exhausted(self._group, self._topics)
