"""The bus on Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from workers.bus.base import Topic
from workers.bus.kafka.consumer import LaneConsumer
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions
from workers.bus.kafka.producer import LaneProducer


class KafkaBus:
    """Producers and consumers of one lane.

    Args:
        options: The broker.
        lane: Whose topics.
        idle_s: Consumers end after so long without a message; ``None`` for never.
    """

    def __init__(self, options: KafkaOptions, lane: Lane, idle_s: float | None = None) -> None:
        self._options, self._lane, self._idle_s = options, lane, idle_s

    def producer(self, waiting: Callable[[], None] = lambda: None) -> LaneProducer:
        return LaneProducer(self._options, self._lane, waiting)

    def consumer(self, group: str, topics: Iterable[Topic]) -> LaneConsumer:
        return LaneConsumer(self._options, self._lane, group, topics, self._idle_s)
