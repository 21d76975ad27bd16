"""What the bus costs: Kafka through our codec and loop against a bare client, and against the bus in memory.

    python -m bench.bus [--servers HOST:PORT] [--crops N] [--seconds S]

Without --servers it starts a broker of its own (Java and Maven must be there). Prints, from one run:
crops a second from a reader's hands into a worker's, through codec and bus, and the same bytes through
kafka-python alone, and through confluent-kafka where it is installed; then the time from a crop to its
decision at 100 crops a second (``bench.bus_latency``).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from bench.broker import servers_of
from bench.bus_latency import print_latencies
from bench.errors import in_one_line
from bench.stubs import noise_crops
from pipeline.types import (
    FaceCrop,
    TrackKey,
)
from workers.bus.base import Topic
from workers.bus.kafka.bus import KafkaBus
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions
from workers.bus.kafka.topics import TopicAdmin
from workers.codec import decode, encode

_BATCH, _ROUNDS = 64, 3

Item = TypeVar("Item")


def _batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Way(Protocol):
    """One way of getting crops through a topic."""

    def produce(self, crops: Sequence[FaceCrop]) -> None:
        """Return when the broker has all of them."""
        ...

    def consume(self, count: int) -> float:
        """Read and commit `count` messages; seconds from the first batch to the last."""
        ...


class Ours:
    """Codec and bus."""

    def __init__(self, options: KafkaOptions) -> None:
        self._bus = KafkaBus(options, Lane(options.prefix))

    def produce(self, crops: Sequence[FaceCrop]) -> None:
        with closing(self._bus.producer()) as producer:
            for batch in _batched(crops, _BATCH):
                for crop in batch:
                    producer.send(Topic.FACES, encode(crop))
                producer.flush()

    def consume(self, count: int) -> float:
        with closing(self._bus.consumer("bench", [Topic.FACES])) as consumer:
            clock = _Counting(count)
            while not clock.done:
                received = consumer.poll(_BATCH, 0.1)
                for item in received:
                    decode(item.encoded)
                if received:
                    consumer.commit({item.partition: item.offset + 1 for item in received})
                clock.add(len(received))
            return clock.seconds


class Bare:
    """kafka-python alone, with the same acknowledgements, batches and commits."""

    def __init__(self, options: KafkaOptions) -> None:
        self._options, self._topic = options, Lane(options.prefix).topic(Topic.FACES)

    def produce(self, crops: Sequence[FaceCrop]) -> None:
        from kafka import KafkaProducer

        messages = [encode(crop) for crop in crops]
        producer = KafkaProducer(
            bootstrap_servers=self._options.servers, acks="all", linger_ms=2, batch_size=1 << 18
        )
        for batch in _batched(messages, _BATCH):
            for one in batch:
                producer.send(self._topic, value=one.value, key=one.key, headers=list(one.headers))
            producer.flush()
        producer.close()

    def consume(self, count: int) -> float:
        from kafka import KafkaConsumer

        consumer = KafkaConsumer(
            self._topic,
            bootstrap_servers=self._options.servers,
            group_id="bench",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        clock = _Counting(count)
        while not clock.done:
            records = consumer.poll(100, max_records=_BATCH)
            if records:
                consumer.commit()
            clock.add(sum(len(part) for part in records.values()))
        consumer.close(autocommit=False)
        return clock.seconds


class Confluent:
    """confluent-kafka (librdkafka, in C), the same.

    Raises:
        ModuleNotFoundError: it is not installed.
    """

    def __init__(self, options: KafkaOptions) -> None:
        import confluent_kafka

        self._client: Any = confluent_kafka
        self._servers, self._topic = options.servers, Lane(options.prefix).topic(Topic.FACES)

    def produce(self, crops: Sequence[FaceCrop]) -> None:
        messages = [encode(crop) for crop in crops]
        producer = self._client.Producer({"bootstrap.servers": self._servers, "acks": "all", "linger.ms": 2})
        for batch in _batched(messages, _BATCH):
            for one in batch:
                producer.produce(self._topic, value=one.value, key=one.key, headers=list(one.headers))
            producer.flush()

    def consume(self, count: int) -> float:
        consumer = self._client.Consumer(
            {
                "bootstrap.servers": self._servers,
                "group.id": "bench",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([self._topic])
        clock = _Counting(count)
        while not clock.done:
            messages = consumer.consume(_BATCH, 0.1)
            if messages:
                consumer.commit(asynchronous=False)
            clock.add(len(messages))
        consumer.close()
        return clock.seconds


class _Counting:
    """Seconds from the first messages, which leaves out how long a group takes to form."""

    def __init__(self, count: int) -> None:
        self._left, self._first_s, self.seconds = count, 0.0, 0.0

    @property
    def done(self) -> bool:
        return self._left <= 0

    def add(self, messages: int) -> None:
        now_s = time.perf_counter()
        if messages and not self._first_s:
            self._first_s = now_s
        self._left -= messages
        self.seconds = now_s - self._first_s


@dataclass(frozen=True, slots=True)
class Throughput:
    """Crops a second: into the topic, out of it, and both one after the other."""

    into: float
    out: float

    @property
    def both(self) -> float:
        return 1 / (1 / self.into + 1 / self.out)


def throughput(
    way: Callable[[KafkaOptions], Way], options: KafkaOptions, crops: Sequence[FaceCrop]
) -> Throughput:
    """Of one way, on topics of its own."""
    made = way(options)
    with TopicAdmin(options) as admin:
        admin.create(Lane(options.prefix))
    begun = time.perf_counter()
    made.produce(crops)
    into_s = time.perf_counter() - begun
    out_s = made.consume(len(crops))
    with TopicAdmin(options) as admin:
        admin.remove(Lane(options.prefix))
    return Throughput(len(crops) / into_s, len(crops) / max(out_s, 1e-9))


def _crops(count: int) -> Iterator[FaceCrop]:
    """A track each."""
    return noise_crops(TrackKey("cam", 1, track) for track in range(count))


def _print_throughput(servers: str, count: int) -> None:
    crops = list(_crops(count))
    ways: dict[str, Callable[[KafkaOptions], Way]] = {"Ours": Ours, "Bare": Bare, "Confluent": Confluent}
    found: dict[str, list[Throughput]] = {}
    for number in range(_ROUNDS):  # in turn, so that a noisy moment hits all of them
        for name, way in ways.items():
            options = KafkaOptions(servers=servers, prefix=f"bench{number}{name}.", partitions=4)
            try:
                rates = throughput(way, options, crops)
            except ModuleNotFoundError:
                continue
            found.setdefault(name, []).append(rates)
    best = {name: max(several, key=lambda each: each.both) for name, several in found.items()}
    for name, rate in best.items():
        share = rate.both / best["Bare"].both
        sys.stdout.write(
            f"{name}: {rate.into:.0f} crops/s in, {rate.out:.0f} out, {rate.both:.0f} both; "
            f"{share:.2f} of kafka-python alone\n"
        )


@in_one_line
def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--servers", help="of a broker; default: one of its own")
    parser.add_argument("--crops", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    with servers_of(given.servers) as servers:
        _print_throughput(servers, given.crops)
        print_latencies(servers, given.seconds)


if __name__ == "__main__":
    main()
