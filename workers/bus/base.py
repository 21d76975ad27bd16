"""What a bus is: named topics of keyed bytes, read by groups that commit how far they came."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from workers.codec import Encoded


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
    """A message and where it lay."""

    partition: Partition
    offset: int
    encoded: Encoded


class Producer(Protocol):
    """Writes to topics. Sending is not done until :meth:`flush` has returned."""

    def send(self, topic: Topic, encoded: Encoded) -> None:
        """Queue one message; may block while the bus is full."""
        ...

    def flush(self) -> None:
        """Return when everything sent is durable, or raise."""
        ...


class Consumer(Protocol):
    """Reads topics for one group, each partition in order."""

    def poll(self, max_messages: int, timeout_s: float) -> Sequence[Received]:
        """Up to `max_messages` new messages, waiting at most `timeout_s` for the first."""
        ...

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """The group needs nothing before these offsets again."""
        ...

    @property
    def exhausted(self) -> bool:
        """True once everything was polled and nobody will write any more; never on an endless bus."""
        ...


class Bus(Protocol):
    """Where producers and consumers come from."""

    def producer(self) -> Producer: ...

    def consumer(self, group: str, topics: Iterable[Topic]) -> Consumer: ...
