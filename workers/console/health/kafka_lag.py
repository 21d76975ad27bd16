"""How far workers on Kafka are behind; asked of the broker now and then, and answered at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.seams import Clock
from workers.bus.base import BusError, Topic
from workers.bus.kafka.browse import Browser
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions
from workers.console.health.slow import Slow
from workers.console.health.status import Lag

EVERY_S = 15.0
_READS = (("embed", Topic.FACES), ("match", Topic.EMBEDDINGS))


class KafkaLags:
    """For :meth:`LiveStatus.follow_lags`. Without a broker nothing is known, and that is no error here.

    Args:
        options: How Kafka is reached.
        lane: Which topics.
        clock: Time.
    """

    def __init__(self, options: KafkaOptions, lane: Lane, clock: Clock) -> None:
        self._options, self._lane, self._clock = options, lane, clock
        self._found = Slow(self._look, clock, EVERY_S, "kafka-lag", patience_s=0.0)

    def __call__(self) -> Sequence[Lag]:
        """As it was lately."""
        return self._found.get() or ()

    def _look(self) -> Sequence[Lag]:
        try:
            return list(self._lags())
        except BusError:
            return ()

    def _lags(self) -> Iterator[Lag]:
        for step, topic in _READS:
            with Browser(self._options, self._lane, step) as browser:
                found = browser.lags(topic)
            sent_ns = [one.oldest_sent_at_ns for one in found if one.oldest_sent_at_ns is not None]
            oldest_s = (self._clock.now_ns() - min(sent_ns)) / 1e9 if sent_ns else None
            yield Lag(step, self._lane.topic(topic), sum(one.messages for one in found), oldest_s)
