"""Sends to a lane's topics and waits until the broker has everything."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer, errors

from workers.bus.base import BusError, BusInterrupted, Topic
from workers.bus.kafka.failing import connected, reaching
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions
from workers.codec import Encoded

_PATIENCE_S = 1.0
_LINGER_MS = 2


class LaneProducer:
    """Idempotent, every copy acknowledged, in order within a key.

    While the broker is away it waits, and says so through `waiting`; only what the broker refuses for good
    is an error.

    Args:
        options: The broker.
        lane: Whose topics.
        waiting: Called at least every second while something is waited for.

    Raises:
        BusError: nobody answers, or not to us.
    """

    def __init__(self, options: KafkaOptions, lane: Lane, waiting: Callable[[], None]) -> None:
        self._lane, self._waiting, self._servers = lane, waiting, options.servers
        self._unconfirmed: list[Any] = []
        self._client = connected(
            KafkaProducer,
            options,
            allow_auto_create_topics=False,
            acks="all",
            enable_idempotence=True,
            linger_ms=_LINGER_MS,
            batch_size=min(options.max_message_bytes, 1 << 18),
            compression_type=None if options.compression == "none" else options.compression,
            max_request_size=options.max_message_bytes,
            max_block_ms=int(_PATIENCE_S * 1000),
        )

    def send(self, topic: Topic, encoded: Encoded) -> None:
        """Queue one message; waits while the broker is away and the buffer full."""
        while True:
            with reaching(self._servers), contextlib.suppress(errors.KafkaTimeoutError):
                self._unconfirmed.append(
                    self._client.send(
                        self._lane.topic(topic),
                        value=encoded.value,
                        key=encoded.key,
                        headers=list(encoded.headers),
                    )
                )
                return
            self._waiting()

    def flush(self) -> None:
        """See :class:`~workers.bus.base.Producer`."""
        while not self._flushed():
            self._waiting()
        sent, self._unconfirmed = self._unconfirmed, []
        for future in sent:
            if future.failed():
                self._raise(future.exception)

    def _flushed(self) -> bool:
        with reaching(self._servers), contextlib.suppress(errors.KafkaTimeoutError):
            self._client.flush(timeout=_PATIENCE_S)
            return all(future.is_done for future in self._unconfirmed)
        return False

    def _raise(self, error: BaseException) -> None:
        kind = BusInterrupted if getattr(error, "retriable", False) else BusError
        raise kind(f"Kafka at {self._servers} did not take a message: {error}") from error

    def close(self) -> None:
        """Without waiting for what was not flushed."""
        self._client.close(timeout=0)
