"""What every bus must do; subclass with a `bus` fixture."""

from __future__ import annotations

import time

from workers.bus.base import Bus, Consumer, Partition, Received, Topic
from workers.codec import Encoded


def message(text: str, key: str = "cam:0:1") -> Encoded:
    return Encoded(key.encode(), (("schema", b"test"),), text.encode())


def put(bus: Bus, *messages: Encoded) -> None:
    """On the faces topic, for good."""
    producer = bus.producer()
    for each in messages:
        producer.send(Topic.FACES, each)
    producer.flush()
    producer.close()


def texts(received: object) -> list[str]:
    return [item.encoded.value.decode() for item in received]  # type: ignore[attr-defined]


def take(consumer: Consumer, count: int, patience_s: float = 30.0) -> list[Received]:
    """The next `count` messages, however long a group takes to share its partitions."""
    received: list[Received] = []
    deadline = time.monotonic() + patience_s
    while len(received) < count and time.monotonic() < deadline:
        received += consumer.poll(count - len(received), 0.2)
    return received


class BusContract:
    """Order, groups, commits and headers."""

    def test_messages_of_one_key_keep_their_order(self, bus: Bus) -> None:
        consumer = bus.consumer("g", [Topic.FACES])
        producer = bus.producer()
        for number in range(20):
            producer.send(Topic.FACES, message(str(number)))
        producer.flush()
        assert texts(take(consumer, 20)) == [str(number) for number in range(20)]
        consumer.close()

    def test_key_headers_and_value_arrive_as_sent(self, bus: Bus) -> None:
        consumer = bus.consumer("g", [Topic.FACES])
        sent = Encoded(b"k", (("a", b"1"), ("b", b"\x00\xff")), b"\x00binary\xff")
        put(bus, sent)
        assert take(consumer, 1)[0].encoded == sent
        consumer.close()

    def test_each_group_reads_everything(self, bus: Bus) -> None:
        first, second = bus.consumer("one", [Topic.FACES]), bus.consumer("two", [Topic.FACES])
        put(bus, message("x"))
        assert texts(take(first, 1)) == texts(take(second, 1)) == ["x"]
        first.close()
        second.close()

    def test_poll_returns_at_most_what_was_asked(self, bus: Bus) -> None:
        consumer = bus.consumer("g", [Topic.FACES])
        put(bus, *(message(str(number)) for number in range(5)))
        first = take(consumer, 1)
        first += consumer.poll(1, 1.0)
        assert texts(first) == ["0", "1"]
        assert texts(take(consumer, 3)) == ["2", "3", "4"]
        consumer.close()

    def test_a_new_consumer_of_a_group_starts_at_its_commit(self, bus: Bus) -> None:
        consumer = bus.consumer("g", [Topic.FACES])
        put(bus, *(message(str(number)) for number in range(5)))
        received = take(consumer, 4)
        consumer.commit({received[1].partition: received[1].offset + 1})
        consumer.close()
        second = bus.consumer("g", [Topic.FACES])
        assert texts(take(second, 3)) == ["2", "3", "4"]
        second.close()

    def test_an_empty_topic_gives_nothing_after_the_timeout(self, bus: Bus) -> None:
        consumer = bus.consumer("g", [Topic.SIGHTINGS])
        assert list(consumer.poll(10, 0.01)) == []
        consumer.close()

    def test_offsets_grow_by_one_within_a_partition(self, bus: Bus) -> None:
        consumer = bus.consumer("g", [Topic.FACES])
        put(bus, *(message(str(number)) for number in range(3)))
        received = take(consumer, 3)
        consumer.close()
        start = received[0].offset
        assert [(item.partition, item.offset) for item in received] == [
            (Partition(Topic.FACES, received[0].partition.number), start + n) for n in range(3)
        ]
