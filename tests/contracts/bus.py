"""What every bus must do; subclass with a `bus` fixture."""

from __future__ import annotations

from workers.bus.base import Bus, Partition, Topic
from workers.codec import Encoded


def message(text: str, key: str = "cam:0:1") -> Encoded:
    return Encoded(key.encode(), (("schema", b"test"),), text.encode())


def texts(received: object) -> list[str]:
    return [item.encoded.value.decode() for item in received]  # type: ignore[attr-defined]


class BusContract:
    """Order, groups, commits and headers."""

    def test_messages_of_one_key_keep_their_order(self, bus: Bus) -> None:
        consumer = bus.consumer("g", [Topic.FACES])
        producer = bus.producer()
        for number in range(20):
            producer.send(Topic.FACES, message(str(number)))
        producer.flush()
        assert texts(consumer.poll(100, 1.0)) == [str(number) for number in range(20)]

    def test_key_headers_and_value_arrive_as_sent(self, bus: Bus) -> None:
        consumer = bus.consumer("g", [Topic.FACES])
        sent = Encoded(b"k", (("a", b"1"), ("b", b"\x00\xff")), b"\x00binary\xff")
        bus.producer().send(Topic.FACES, sent)
        assert consumer.poll(1, 1.0)[0].encoded == sent

    def test_each_group_reads_everything(self, bus: Bus) -> None:
        first, second = bus.consumer("one", [Topic.FACES]), bus.consumer("two", [Topic.FACES])
        bus.producer().send(Topic.FACES, message("x"))
        assert texts(first.poll(10, 1.0)) == texts(second.poll(10, 1.0)) == ["x"]

    def test_poll_returns_at_most_what_was_asked(self, bus: Bus) -> None:
        consumer = bus.consumer("g", [Topic.FACES])
        for number in range(5):
            bus.producer().send(Topic.FACES, message(str(number)))
        assert texts(consumer.poll(2, 1.0)) == ["0", "1"]
        assert texts(consumer.poll(10, 1.0)) == ["2", "3", "4"]

    def test_a_new_consumer_of_a_group_starts_at_its_commit(self, bus: Bus) -> None:
        consumer = bus.consumer("g", [Topic.FACES])
        for number in range(5):
            bus.producer().send(Topic.FACES, message(str(number)))
        received = consumer.poll(4, 1.0)
        consumer.commit({received[1].partition: received[1].offset + 1})
        assert texts(bus.consumer("g", [Topic.FACES]).poll(10, 1.0)) == ["2", "3", "4"]

    def test_an_empty_topic_gives_nothing_after_the_timeout(self, bus: Bus) -> None:
        assert list(bus.consumer("g", [Topic.SIGHTINGS]).poll(10, 0.01)) == []

    def test_offsets_grow_by_one_within_a_partition(self, bus: Bus) -> None:
        consumer = bus.consumer("g", [Topic.FACES])
        for number in range(3):
            bus.producer().send(Topic.FACES, message(str(number)))
        received = consumer.poll(10, 1.0)
        start = received[0].offset
        assert [(item.partition, item.offset) for item in received] == [
            (Partition(Topic.FACES, received[0].partition.number), start + n) for n in range(3)
        ]
