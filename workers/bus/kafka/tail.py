"""Reads the newest messages of a topic, for whoever shows them: all partitions, no group, no commits."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import TopicPartition

from workers.bus.base import BusError, Partition, Received, Topic
from workers.bus.kafka.consumer import consumer_client
from workers.bus.kafka.failing import reaching
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.messages import received
from workers.bus.kafka.options import KafkaOptions


class Tail:
    """A reader of everything that comes from now on; leaves no trace on the broker.

    Args:
        options: The broker.
        lane: Whose topics.
        topic: Which one.
        back_s: Begin with what was sent so long ago.
        after: Or go on from these offsets, where they are still there.

    Raises:
        BusError: nobody answers, or not to us, or there is no such topic.
    """

    def __init__(
        self,
        options: KafkaOptions,
        lane: Lane,
        topic: Topic,
        back_s: float,
        after: Mapping[Partition, int] | None = None,
    ) -> None:
        self._topic, self._name, self._servers = topic, lane.topic(topic), options.servers
        self._client = consumer_client(options, None, fetch_max_wait_ms=100)
        self.offsets: dict[Partition, int] = {}
        """The next to be read of every partition."""
        try:
            with reaching(self._servers):
                self._begin(back_s, after or {})
        except BaseException:
            self.close()
            raise

    def poll(self, max_messages: int, timeout_s: float) -> Sequence[Received]:
        """Up to `max_messages` new messages, each partition in order, waiting at most `timeout_s`.

        Raises:
            BusError: the broker has gone, or refuses us.
        """
        with reaching(self._servers):
            records = self._client.poll(timeout_ms=int(timeout_s * 1000), max_records=max_messages)
        found = [received(self._topic, record) for of_one in records.values() for record in of_one]
        self.offsets |= {item.partition: item.offset + 1 for item in found}
        return found

    def close(self) -> None:
        """Let go; safe twice."""
        self._client.close(autocommit=False)

    def _begin(self, back_s: float, after: Mapping[Partition, int]) -> None:
        numbers = self._client.partitions_for_topic(self._name)
        if not numbers:
            raise BusError(f"there is no topic {self._name}: `pinwatch topics create` makes it")
        places = [TopicPartition(self._name, number) for number in sorted(numbers)]
        self._client.assign(places)
        first, last = self._client.beginning_offsets(places), self._client.end_offsets(places)
        since_ms = int((time.time() - back_s) * 1000)
        dated: Mapping[TopicPartition, Any] = self._client.offsets_for_times(dict.fromkeys(places, since_ms))
        for place in places:
            recent = dated.get(place)
            start = last[place] if recent is None else recent.offset
            left = after.get(Partition(self._topic, place.partition))
            if left is not None and first[place] <= left <= last[place]:
                start = left
            self._client.seek(place, start)
            self.offsets[Partition(self._topic, place.partition)] = start
