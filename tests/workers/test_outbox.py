"""The outbox of a live reader: order, bounds, and an account of what did not fit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from pipeline.types import FaceCrop, TrackEnded
from workers.bus.base import BusError, BusInterrupted, BusUnavailable, Topic
from workers.codec import Encoded, decode
from workers.outbox import FULL_CAUSE, Outbox, ReliableSender


class Broker:
    """Takes what it is sent once it is open; may fail some flushes, losing what came since the last."""

    def __init__(self, failures: int = 0) -> None:
        self.open = threading.Event()
        self.failures = failures
        self.error: type[BusError] = BusInterrupted
        self.taken: list[FaceCrop | TrackEnded] = []
        self._since_flush: list[Encoded] = []

    def connect(self) -> Broker:
        self._since_flush = []
        return self

    def send(self, topic: Topic, encoded: Encoded) -> None:
        assert topic is Topic.FACES
        self._since_flush.append(encoded)

    def flush(self) -> None:
        assert self.open.wait(10)
        if self.failures and self._since_flush:
            self.failures -= 1
            raise self.error("lost")
        messages = [decode(encoded) for encoded in self._since_flush]
        self.taken += [message for message in messages if isinstance(message, FaceCrop | TrackEnded)]
        self._since_flush = []

    def close(self) -> None:
        return None


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def names(messages: list[FaceCrop | TrackEnded]) -> list[tuple[int, int | str]]:
    return [(m.key.track_id, m.sequence if isinstance(m, FaceCrop) else "end") for m in messages]


def test_messages_go_out_in_order(crop: Callable[..., FaceCrop], ended: Callable[..., TrackEnded]) -> None:
    broker = Broker()
    broker.open.set()
    outbox = Outbox(broker.connect, crops=10)
    outbox.send([crop(1, 0), crop(2, 0)])
    outbox.send([ended(1), crop(2, 1), ended(2)])
    assert outbox.close(10) == 0
    assert names(broker.taken) == [(1, 0), (2, 0), (1, "end"), (2, 1), (2, "end")]


@pytest.mark.parametrize("error", [BusInterrupted, BusUnavailable])
def test_what_the_broker_lost_is_sent_again(
    error: type[BusError], crop: Callable[..., FaceCrop], ended: Callable[..., TrackEnded]
) -> None:
    broker = Broker(failures=2)
    broker.error = error
    outbox = Outbox(broker.connect, crops=10)
    outbox.send([crop(1, 0), crop(1, 1)])
    broker.open.set()
    outbox.send([ended(1)])
    # Closed only when the failures are over: from then on a failure would end it.
    wait_until(lambda: not broker.failures)
    assert outbox.close(10) == 0
    assert names(broker.taken) == [(1, 0), (1, 1), (1, "end")]


def test_when_it_is_full_the_oldest_crop_goes_and_the_end_says_so(
    crop: Callable[..., FaceCrop], ended: Callable[..., TrackEnded]
) -> None:
    broker = Broker()
    dropped: list[tuple[str, int]] = []
    outbox = Outbox(broker.connect, crops=2, dropped=lambda cause, number: dropped.append((cause, number)))
    outbox.send([crop(9, 0)])  # under way when the broker goes away
    wait_until(lambda: not outbox.waiting)
    for sequence in range(5):
        outbox.send([crop(1, sequence)])
    outbox.send([ended(1, crops_sent=5), ended(9)])
    broker.open.set()
    assert outbox.close(10) == 0
    assert names(broker.taken) == [(9, 0), (1, 3), (1, 4), (1, "end"), (9, "end")]
    end = broker.taken[3]
    assert isinstance(end, TrackEnded)
    assert (end.crops_sent, end.dropped_by_cause[FULL_CAUSE]) == (2, 3)
    assert sum(number for _, number in dropped) == 3


def test_a_camera_never_waits_and_what_was_not_sent_is_counted(crop: Callable[..., FaceCrop]) -> None:
    broker = Broker()
    outbox = Outbox(broker.connect, crops=100)
    for sequence in range(50):
        outbox.send([crop(1, sequence)])
    assert outbox.close(0.2) == 50
    broker.open.set()


def test_a_broker_that_refuses_for_good_ends_the_reader(crop: Callable[..., FaceCrop]) -> None:
    broker = Broker(failures=1)
    broker.error = BusError
    broker.open.set()
    outbox = Outbox(broker.connect, crops=10)
    outbox.send([crop(1, 0)])
    outbox.close(10)
    with pytest.raises(BusError, match="lost"):
        outbox.send([crop(1, 1)])


def test_a_recording_waits_for_the_broker_and_loses_nothing(
    crop: Callable[..., FaceCrop], ended: Callable[..., TrackEnded]
) -> None:
    broker = Broker(failures=3)
    broker.open.set()
    with ReliableSender(broker.connect) as sender:
        for sequence in range(100):
            sender.send([crop(1, sequence)])
        sender.send([ended(1)])
    assert broker.failures == 0
    assert names(broker.taken) == [*((1, sequence) for sequence in range(100)), (1, "end")]
