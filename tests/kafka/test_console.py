"""What consoles read from a real broker: the newest decisions, and for alerts every decision once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

import pytest

from pipeline.clock import SystemClock
from pipeline.types import Sighting
from tests.kafka.broker import Broker
from tests.kafka.crew import wait_until
from tests.workers.console.world import make_sighting
from workers.bus.base import Topic
from workers.bus.kafka.beginning import begin_with_the_newest
from workers.bus.kafka.bus import KafkaBus
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions
from workers.bus.kafka.tail import Tail
from workers.bus.kafka.topics import TopicAdmin
from workers.codec import Encoded, encode
from workers.console.on_kafka.alerting import Alerting, AlertStep
from workers.console.on_kafka.troubles import Troubles
from workers.follow_kafka import sightings_follower
from workers.metrics import WorkerMetrics

pytestmark = pytest.mark.kafka


class Kept:
    """A sink that keeps what it is told; fails as often as the test wants."""

    def __init__(self) -> None:
        self.decisions: list[str] = []
        self.failures = 0

    def write(self, sightings: Sequence[Sighting]) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("a sink that fails")
        self.decisions += [sighting.decision_id for sighting in sightings]


def send(bus: KafkaBus, *names: str, poison: bool = False) -> None:
    with closing(bus.producer()) as producer:
        for name in names:
            good = encode(make_sighting(name, camera_id=name[:1]))
            producer.send(Topic.SIGHTINGS, Encoded(good.key, good.headers, b"?") if poison else good)
        producer.flush()


@contextmanager
def working(run: Callable[[threading.Event], None]) -> Iterator[None]:
    """`run` in a thread, which ends within seconds of being told."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,), daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(15)
    assert not thread.is_alive()


def test_a_tail_begins_with_the_newest_and_goes_on_where_it_was(bus: KafkaBus, options: KafkaOptions) -> None:
    lane = Lane(options.prefix)
    send(bus, "a1", "b1")
    with closing(Tail(options, lane, Topic.SIGHTINGS, back_s=0)) as tail:
        assert not tail.poll(10, 0.5)
        send(bus, "a2")
        (found,) = _some(tail, 1)
        assert b"a2" in found
        after = dict(tail.offsets)
    send(bus, "a3", "b3")
    with closing(Tail(options, lane, Topic.SIGHTINGS, back_s=0, after=after)) as tail:
        assert {b"3" in value for value in _some(tail, 2)} == {True}
    with closing(Tail(options, lane, Topic.SIGHTINGS, back_s=60)) as tail:
        assert len(_some(tail, 5)) == 5


def _some(tail: Tail, count: int) -> list[bytes]:
    found: list[bytes] = []
    deadline = time.monotonic() + 20
    while len(found) < count:
        assert time.monotonic() < deadline
        found += [item.encoded.value for item in tail.poll(10, 0.5)]
    return found


def test_every_console_hears_of_every_decision_and_one_of_them_raises_the_alert(
    bus: KafkaBus, options: KafkaOptions
) -> None:
    lane = Lane(options.prefix)
    seen, raised = [Kept(), Kept()], [Kept(), Kept()]
    said: list[str] = []

    def make_ready() -> None:
        begin_with_the_newest(options, lane, AlertStep.name, Topic.SIGHTINGS)

    make_ready()
    followers = [sightings_follower(options, lane, [kept], said.append) for kept in seen]
    engines = [
        Alerting(bus, [kept], make_ready, Troubles(said.append), WorkerMetrics("console", SystemClock()))
        for kept in raised
    ]
    raised[0].failures = raised[1].failures = 1
    jobs = [*(each.run for each in followers), *(each.run for each in engines)]
    with ExitStack() as running:
        for job in jobs:
            running.enter_context(working(job))
        send(bus, "a1", "b1", "c1", "d1")
        send(bus, "x1", poison=True)
        send(bus, "a2", "b2")
        sent = {"a1", "b1", "c1", "d1", "a2", "b2"}
        wait_until(lambda: all(set(kept.decisions) == sent for kept in seen), 30, "both hear of all")
        wait_until(
            lambda: {*raised[0].decisions, *raised[1].decisions} == sent, 60, "alerts are raised for all"
        )
    assert all(len(kept.decisions) == len(sent) for kept in seen), "and of none twice"
    assert all(kept.decisions.index("a1") < kept.decisions.index("a2") for kept in seen)
    assert any("RuntimeError" in text for text in said)
    assert not said[-1]


def test_alerts_begin_with_what_is_decided_from_now_on_and_go_on_after_that(
    bus: KafkaBus, options: KafkaOptions
) -> None:
    lane, metrics = Lane(options.prefix), WorkerMetrics("console", SystemClock())
    send(bus, "a1", "b1")

    def make_ready() -> None:
        begin_with_the_newest(options, lane, AlertStep.name, Topic.SIGHTINGS)

    for names in (["a2", "b2"], ["a3", "b3"]):
        kept = Kept()
        if names == ["a2", "b2"]:
            make_ready()
        send(bus, *names)
        with working(Alerting(bus, [kept], make_ready, Troubles(lambda text: None), metrics).run):
            wait_until(lambda: sorted(kept.decisions) == names, 30, "what came since, and nothing before")  # noqa: B023


def test_a_console_may_be_there_before_the_topics(broker: Broker) -> None:
    options = KafkaOptions(servers=broker.servers, prefix="later.", partitions=2, session_timeout_ms=6000)
    lane, seen, said = Lane(options.prefix), Kept(), list[str]()
    with working(sightings_follower(options, lane, [seen], said.append).run):
        wait_until(lambda: bool(said), 30, "it says what is missing")
        assert "pinwatch topics create" in said[0]
        with TopicAdmin(options) as admin:
            admin.create(lane)
        wait_until(lambda: said[-1] == "", 30, "it has begun")
        send(KafkaBus(options, lane), "a1")
        wait_until(lambda: seen.decisions == ["a1"], 30, "it hears of what is decided")
