"""The loop that runs any step on any bus.

At least once: process (whatever the step writes by itself is durable when that returns), flush the
producer, and only then commit, and only as far as the step says that it will never need to look
back. A message that cannot be decoded, or that the step
does not take, goes to the dead-letter topic, with where it lay and why, and the next one is served.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import structlog

from pipeline.errors import CodecError, MalformedMessage
from workers.bus.base import Bus, Consumer, Partition, Producer, Received, Topic
from workers.codec import Message, decode, encode
from workers.dead_letters import dead_letter

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


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that a step does not take, and why."""

    arrived: Arrived
    reason: str


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

    def process(self, batch: Sequence[Arrived]) -> Iterable[Outgoing | Refused]:
        """Handle messages in order, and say what to send; called with none when there are none.

        Whatever the step itself writes is durable when the last of the result has been taken.
        """
        ...

    def forget(self, partitions: Collection[Partition]) -> None:
        """Others read these partitions from now on, or they are read again from the last commit."""
        ...

    def committable(self, read: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """Of the offsets read so far (the next to come), how far may be forgotten."""
        ...


class Observer(Protocol):
    """Is told how the work goes, for metrics."""

    def on_batch(self, received: Sequence[Received]) -> None:
        """Messages were read."""
        ...

    def on_refused(self, item: Received, error: CodecError) -> None:
        """One of them went to the dead letters."""
        ...

    def on_polled(self) -> None:
        """The loop is alive, whether or not there was anything to read."""
        ...


class NobodyWatches:
    """An observer for whoever keeps no metrics."""

    def on_batch(self, received: Sequence[Received]) -> None:
        return None

    def on_refused(self, item: Received, error: CodecError) -> None:
        return None

    def on_polled(self) -> None:
        return None


class Stateless:
    """Base of steps that remember nothing from one batch to the next."""

    def forget(self, partitions: Collection[Partition]) -> None:
        return None

    def committable(self, read: Mapping[Partition, int]) -> Mapping[Partition, int]:
        return read


def run(bus: Bus, step: Step, stop: threading.Event, observer: Observer | None = None) -> None:
    """Run `step` until its input is exhausted or `stop` is set.

    What was polled is always finished and committed before returning. Any error but a refused
    message ends the loop and is raised; nothing of the failed batch is committed.
    """
    with (
        closing(bus.consumer(step.name, step.inputs)) as consumer,
        closing(bus.producer(waiting=consumer.keep_alive)) as producer,
    ):
        loop = _Loop(step, consumer, producer, observer or NobodyWatches())
        try:
            loop.run(stop)
        finally:
            step.forget(loop.partitions)


class _Loop:
    """One member of the group at work; `read` is the next offset of every partition that was read."""

    def __init__(self, step: Step, consumer: Consumer, producer: Producer, observer: Observer) -> None:
        self._step, self._consumer, self._producer = step, consumer, producer
        self._observer = observer
        self._read: dict[Partition, int] = {}

    @property
    def partitions(self) -> Collection[Partition]:
        """All that were read."""
        return self._read.keys()

    def run(self, stop: threading.Event) -> None:
        while not (stop.is_set() or self._consumer.exhausted):
            received = self._consumer.poll(self._step.batch_size, POLL_S)
            self._observer.on_polled()
            self._forget_lost()
            self._serve(received)

    def _serve(self, received: Sequence[Received]) -> None:
        if received:
            self._observer.on_batch(received)
        lay = {(item.partition, item.offset): item for item in received}
        sent = False
        for result in self._step.process(self._decode_all(received)):
            sent = True
            if isinstance(result, Refused):
                item = lay[result.arrived.partition, result.arrived.offset]
                self._refuse(item, MalformedMessage(result.reason))
            else:
                self._producer.send(result.topic, encode(result.message))
        if not (received or sent):
            return
        self._producer.flush()
        self._read.update({item.partition: item.offset + 1 for item in received})
        self._forget_lost()
        self._consumer.commit(self._step.committable(self._read))

    def _forget_lost(self) -> None:
        lost = self._consumer.lost()
        if lost:
            self._step.forget(lost)
            for partition in lost:
                self._read.pop(partition, None)

    def _decode_all(self, received: Sequence[Received]) -> list[Arrived]:
        arrived = []
        for item in received:
            try:
                arrived.append(Arrived(item.partition, item.offset, decode(item.encoded)))
            except CodecError as error:
                self._refuse(item, error)
        return arrived

    def _refuse(self, item: Received, error: CodecError) -> None:
        log.error("message refused", partition=str(item.partition), offset=item.offset, error=str(error))
        self._observer.on_refused(item, error)
        self._producer.send(Topic.DEAD_LETTERS, dead_letter(item, self._step.name, error))
