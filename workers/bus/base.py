"""What a bus is: named topics of keyed bytes, read by groups that commit how far they came."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.errors import PinwatchError
from workers.codec import Encoded


class BusError(PinwatchError):
    """The bus cannot be used as it is: nobody answers, access is refused, a topic is missing."""


class BusUnavailable(BusError):
    """Nobody answers. Somebody may, later."""


class BusInterrupted(BusError):
    """What was sent since the last flush may be lost; reading again from the last commit makes up for it."""


class Topic(enum.StrEnum):
    """The topics between the steps; the suffix is the major version of what lies on them."""

    FACES = "faces.v1"
    EMBEDDINGS = "embeddings.v1"
    SIGHTINGS = "sightings.v1"
    DEAD_LETTERS = "dead-letters.v1"


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One ordered log; every message with the same key lies in the same one."""

    topic: Topic
    number: int


@dataclass(frozen=True, slots=True)
class Received:
    """A message and where it lay.

    Attributes:
        partition: In which log.
        offset: At which place.
        encoded: The message.
        sent_at_ns: When it was sent, nanoseconds since 1970 UTC; ``None`` where the bus does not say.
    """

    partition: Partition
    offset: int
    encoded: Encoded
    sent_at_ns: int | None = None


class Producer(Protocol):
    """Writes to topics. Sending is not done until :meth:`flush` has returned."""

    def send(self, topic: Topic, encoded: Encoded) -> None:
        """Queue one message; may block while the bus is full."""
        ...

    def flush(self) -> None:
        """Return when everything sent is durable.

        Raises:
            BusInterrupted: something was not delivered.
        """
        ...

    def close(self) -> None:
        """Let go of connections; what was sent and not flushed may be lost. Safe twice."""
        ...


class Consumer(Protocol):
    """Reads topics for one group, each partition in order."""

    def poll(self, max_messages: int, timeout_s: float) -> Sequence[Received]:
        """Up to `max_messages` new messages, waiting at most `timeout_s` for the first."""
        ...

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """The group needs nothing before these offsets again."""
        ...

    def lost(self) -> Collection[Partition]:
        """Partitions that others read from now on, since this was last asked; forget what they held."""
        ...

    def keep_alive(self) -> None:
        """Tell the group that this member is busy, not dead; call it at least every few seconds."""
        ...

    def close(self) -> None:
        """Leave the group, so that others go on at once. Safe twice."""
        ...

    @property
    def exhausted(self) -> bool:
        """True once everything was polled and nobody will write any more; never on an endless bus."""
        ...


class Bus(Protocol):
    """Where producers and consumers come from."""

    def producer(self, waiting: Callable[[], None] = ...) -> Producer:
        """A producer that calls `waiting` now and then while it waits for the bus."""
        ...

    def consumer(self, group: str, topics: Iterable[Topic]) -> Consumer: ...
