"""The loop that runs any step on any bus.

At least once: process (whatever the step writes by itself is durable when that returns), flush the
producer, and only then commit, and only as far as the step says that it will never need to look
back. A message that cannot be decoded
goes to the dead-letter topic, with where it lay and why, and the next one is served.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from pipeline.errors import CodecError
from workers.bus.base import Bus, Partition, Producer, Received, Topic
from workers.codec import Encoded, Message, decode, encode

log = structlog.get_logger(__name__)

POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Arrived:
    """A decoded message and where it lay."""

    partition: Partition
    offset: int
    message: Message


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send."""

    topic: Topic
    message: Message


class Step(Protocol):
    """One stage of the pipeline between two topics.

    Attributes:
        name: Also the name of its consumer group.
        inputs: The topics that it reads.
        batch_size: How many messages it likes at once.
    """

    @property
    def name(self) -> str: ...
    @property
    def inputs(self) -> Sequence[Topic]: ...
    @property
    def batch_size(self) -> int: ...

    def process(self, batch: Sequence[Arrived]) -> Iterable[Outgoing]:
        """Handle messages in order, and say what to send.

        Whatever the step itself writes is durable when the last of the result has been taken.
        """
        ...

    def committable(self, read: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """Of the offsets read so far (the next to come), how far may be forgotten."""
        ...


def run(bus: Bus, step: Step, stop: threading.Event) -> None:
    """Run `step` until its input is exhausted or `stop` is set.

    What was polled is always finished and committed before returning. Any error but an undecodable
    message ends the loop and is raised; nothing of the failed batch is committed.
    """
    consumer = bus.consumer(step.name, step.inputs)
    producer = bus.producer()
    read: dict[Partition, int] = {}
    while not (stop.is_set() or consumer.exhausted):
        received = consumer.poll(step.batch_size, POLL_S)
        if not received:
            continue
        for outgoing in step.process(_decode_all(received, producer, step.name)):
            producer.send(outgoing.topic, encode(outgoing.message))
        producer.flush()
        read.update({item.partition: item.offset + 1 for item in received})
        consumer.commit(step.committable(read))


def _decode_all(received: Sequence[Received], producer: Producer, group: str) -> list[Arrived]:
    arrived = []
    for item in received:
        try:
            arrived.append(Arrived(item.partition, item.offset, decode(item.encoded)))
        except CodecError as error:
            log.error("message refused", partition=str(item.partition), offset=item.offset, error=str(error))
            producer.send(Topic.DEAD_LETTERS, _dead_letter(item, group, error))
    return arrived


def _dead_letter(item: Received, group: str, error: CodecError) -> Encoded:
    """The message as it came, with its origin and the error in the headers."""
    origin = f"{item.partition.topic}/{item.partition.number}/{item.offset}"
    headers = (
        *item.encoded.headers,
        ("dead-letter-origin", origin.encode()),
        ("dead-letter-group", group.encode()),
        ("dead-letter-error", f"{type(error).__name__}: {error}".encode()),
        ("dead-letter-attempts", b"1"),
    )
    return Encoded(item.encoded.key, headers, item.encoded.value)
