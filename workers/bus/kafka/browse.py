"""Looks at topics from outside: what lies there, and how far a group is behind. Joins no group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from kafka import TopicPartition

from workers.bus.base import BusError, Partition, Received, Topic
from workers.bus.kafka.consumer import consumer_client
from workers.bus.kafka.failing import reaching
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.messages import received
from workers.bus.kafka.options import KafkaOptions

_PATIENCE_MS = 5_000


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind on one partition.

    Attributes:
        partition: Of its input.
        messages: That it has not committed.
        oldest_sent_at_ns: When the oldest of them was sent, nanoseconds since 1970 UTC; ``None`` for none.
    """

    partition: Partition
    messages: int
    oldest_sent_at_ns: int | None


class Browser:
    """A reader of a lane's topics that leaves no trace.

    Args:
        options: The broker.
        lane: Whose topics.
        group: Whose commits to look at; ``None`` to look at messages only.

    Raises:
        BusError: nobody answers, or not to us.
    """

    def __init__(self, options: KafkaOptions, lane: Lane, group: str | None = None) -> None:
        self._lane, self._servers = lane, options.servers
        self._client = consumer_client(options, None if group is None else lane.group(group))

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close(autocommit=False)

    def messages(self, topic: Topic) -> Iterator[Received]:
        """Everything that lies on `topic` now, partition by partition.

        Raises:
            BusError: there is no such topic.
        """
        for place in self._places(topic):
            with reaching(self._servers):
                self._client.assign([place])
                self._client.seek_to_beginning(place)
                end = self._client.end_offsets([place])[place]
            while self._client.position(place) < end:
                for record in self._poll(place):
                    if record.offset < end:
                        yield received(topic, record)

    def lags(self, topic: Topic) -> list[Lag]:
        """How far the group is behind, partition by partition."""
        return [self._lag(topic, place) for place in self._places(topic)]

    def _lag(self, topic: Topic, place: TopicPartition) -> Lag:
        with reaching(self._servers):
            self._client.assign([place])
            begin = self._client.beginning_offsets([place])[place]
            end = self._client.end_offsets([place])[place]
            done = max(self._client.committed(place) or 0, begin)
        where = Partition(topic, place.partition)
        if done >= end:
            return Lag(where, 0, None)
        self._client.seek(place, done)
        return Lag(where, end - done, received(topic, self._poll(place)[0]).sent_at_ns)

    def _places(self, topic: Topic) -> list[TopicPartition]:
        name = self._lane.topic(topic)
        with reaching(self._servers):
            numbers = self._client.partitions_for_topic(name)
        if not numbers:
            raise BusError(f"there is no topic {name}: `pinwatch topics create` makes it")
        return [TopicPartition(name, number) for number in sorted(numbers)]

    def _poll(self, place: TopicPartition) -> list[Any]:
        """The next records, at least one.

        Raises:
            BusError: the broker has none to give in time, and had some a moment ago.
        """
        with reaching(self._servers):
            found: list[Any] = self._client.poll(timeout_ms=_PATIENCE_MS).get(place, [])
        if not found:
            raise BusError(f"Kafka at {self._servers} does not hand over what lies on {place.topic}")
        return found
