"""From the client's records to ours."""

from __future__ import annotations

from typing import Any

from workers.bus.base import Partition, Received, Topic
from workers.codec import Encoded


def received(topic: Topic, record: Any) -> Received:
    """A ``ConsumerRecord`` of `topic` as the bus knows it; what is missing in it is empty."""
    headers = tuple((name, value or b"") for name, value in record.headers)
    encoded = Encoded(record.key or b"", headers, record.value or b"")
    return Received(Partition(topic, record.partition), record.offset, encoded, record.timestamp * 1_000_000)
