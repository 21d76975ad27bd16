"""The memory bus: the contract of every bus, back-pressure, and an end."""

from __future__ import annotations

import threading

import pytest

from tests.contracts.bus import BusContract, message, texts
from workers.bus.base import Topic
from workers.bus.memory import BusClosed, MemoryBus


class TestMemoryBus(BusContract):
    @pytest.fixture
    def bus(self) -> MemoryBus:
        return MemoryBus(capacity=64)


def in_thread(target: object) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def test_a_producer_waits_for_the_slowest_reader_and_loses_nothing() -> None:
    bus = MemoryBus(capacity=4)
    consumer = bus.consumer("slow", [Topic.FACES])
    producer = bus.producer()

    def send_all() -> None:
        for number in range(20):
            producer.send(Topic.FACES, message(str(number)))

    thread = in_thread(send_all)
    thread.join(0.2)
    assert thread.is_alive(), "twenty messages went into a bus of four"
    seen: list[str] = []
    while len(seen) < 20:
        batch = consumer.poll(3, 1.0)
        assert batch, "the producer never went on"
        seen += texts(batch)
    thread.join(1.0)
    assert seen == [str(number) for number in range(20)]


def test_a_topic_without_readers_keeps_nothing_and_never_blocks() -> None:
    bus = MemoryBus(capacity=2)
    for number in range(10):
        bus.producer().send(Topic.SIGHTINGS, message(str(number)))
    assert list(bus.consumer("late", [Topic.SIGHTINGS]).poll(10, 0.01)) == []


def test_a_finished_topic_is_exhausted_only_when_read() -> None:
    bus = MemoryBus()
    consumer = bus.consumer("g", [Topic.FACES])
    bus.producer().send(Topic.FACES, message("last"))
    bus.finish(Topic.FACES)
    assert not consumer.exhausted
    assert texts(consumer.poll(10, 1.0)) == ["last"]
    assert consumer.exhausted


def test_closing_wakes_a_waiting_reader() -> None:
    bus = MemoryBus()
    consumer = bus.consumer("g", [Topic.FACES])
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            consumer.poll(1, 60.0)
        except BusClosed as error:
            caught.append(error)

    thread = in_thread(wait)
    bus.close()
    thread.join(5.0)
    assert caught
