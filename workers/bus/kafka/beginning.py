"""Where a group begins that has never read: with what comes from now on, where nobody wants the rest."""

from __future__ import annotations

from contextlib import suppress

from kafka import OffsetAndMetadata, TopicPartition, errors

from workers.bus.base import Topic
from workers.bus.kafka.consumer import consumer_client
from workers.bus.kafka.failing import reaching
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions

_TAKEN = (errors.UnknownMemberIdError, errors.IllegalGenerationError, errors.RebalanceInProgressError)
"""The group has members, so it has begun."""


def begin_with_the_newest(options: KafkaOptions, lane: Lane, step: str, topic: Topic) -> None:
    """Have the group of `step` begin behind the newest message; changes nothing once it has read something.

    Raises:
        BusError: nobody answers, or not to us.
    """
    name = lane.topic(topic)
    client = consumer_client(options, lane.group(step))
    try:
        with reaching(options.servers), suppress(*_TAKEN):
            places = [TopicPartition(name, number) for number in client.partitions_for_topic(name) or ()]
            client.assign(places)
            if any(client.committed(place) is not None for place in places):
                return
            ends = client.end_offsets(places)
            client.commit({place: OffsetAndMetadata(ends[place], "", -1) for place in places})
    finally:
        client.close(autocommit=False)
