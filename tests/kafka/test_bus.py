"""Kafka as a bus: the contract of every bus, groups that share the work, topics as they should be."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import ConfigError, UsageError
from tests.contracts.bus import BusContract, message, put, take, texts
from workers.bus.base import BusError, Topic
from workers.bus.kafka.browse import Browser
from workers.bus.kafka.bus import KafkaBus
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions, SecurityOptions
from workers.bus.kafka.topics import TopicAdmin
from workers.codec import Encoded

pytestmark = pytest.mark.kafka


class TestKafkaBus(BusContract):
    pass


def test_members_share_partitions_and_whoever_leaves_hands_its_own_over(bus: KafkaBus) -> None:
    first, second = bus.consumer("g", [Topic.FACES]), bus.consumer("g", [Topic.FACES])
    keys = [f"cam:0:{number}" for number in range(40)]
    seen: dict[int, set[int]] = {1: set(), 2: set()}
    put(bus, *(message(str(number), key) for number, key in enumerate(keys)))
    lost_by_first = set()
    for _ in range(200):
        for name, consumer in ((1, first), (2, second)):
            got = consumer.poll(4, 0.05)
            seen[name] |= {item.partition.number for item in got}
            consumer.commit({item.partition: item.offset + 1 for item in got})
        lost_by_first |= set(first.lost())
        put(bus, message("more", keys[_ % 40]))
        if seen[1] | seen[2] == {0, 1} and seen[2] and lost_by_first:
            break
    assert lost_by_first, "the first member had everything, and then one half"
    second.close()
    put(bus, *(message("late", key) for key in keys))
    late = take(first, 40)
    assert {item.partition.number for item in late} == {0, 1}
    first.close()


def test_a_busy_member_stays_in_the_group_and_keeps_its_place(bus: KafkaBus) -> None:
    consumer = bus.consumer("g", [Topic.FACES])
    put(bus, *(message(str(number)) for number in range(6)))
    assert texts(take(consumer, 2)) == ["0", "1"]
    for _ in range(20):
        consumer.keep_alive()
    assert texts(take(consumer, 4)) == ["2", "3", "4", "5"]
    consumer.close()


def test_a_rebalance_that_polls_left_unfinished_is_finished(bus: KafkaBus, options: KafkaOptions) -> None:
    lane = Lane(options.prefix)
    consumer = bus.consumer("g", [Topic.FACES])
    put(bus, *(message(str(number)) for number in range(3)))
    received = take(consumer, 3)
    # As if the topics had changed: the client joins again, and the polls of a busy member do not wait for it.
    consumer._client._coordinator._assignment_snapshot = {lane.topic(Topic.FACES): set()}
    for _ in range(50):
        consumer.keep_alive()
        time.sleep(0.02)
    consumer.poll(1, 1.0)
    consumer.commit({item.partition: item.offset + 1 for item in received})
    with Browser(options, lane, "g") as browser:
        assert sum(lag.messages for lag in browser.lags(Topic.FACES)) == 0
    consumer.close()


def test_topics_are_made_once_and_checked(options: KafkaOptions) -> None:
    lane = Lane(options.prefix)
    with TopicAdmin(options) as admin:
        (missing,) = admin.check(lane)
        assert f"{options.prefix}faces.v1, " in missing
        assert "`pinwatch topics create`" in missing
        with pytest.raises(BusError, match="pinwatch topics create"):
            admin.require(lane)
        assert admin.create(lane) == [f"{options.prefix}{topic}" for topic in Topic]
        assert admin.create(lane) == []
        assert admin.check(lane) == []
    changed = options.model_copy(update={"partitions": 3, "retention_s": 600})
    with TopicAdmin(changed) as admin:
        problems = admin.check(lane)
        assert any("has 2 partitions and kafka.partitions says 3" in problem for problem in problems)
        assert any("retention.ms=3600000 instead of 600000" in problem for problem in problems)
        assert len(admin.remove(lane)) == len(Topic)


def test_more_copies_than_brokers_are_refused(options: KafkaOptions) -> None:
    wanted = options.model_copy(update={"replication": 3})
    with TopicAdmin(wanted) as admin, pytest.raises(BusError, match=r"kafka\.replication"):
        admin.create(Lane(options.prefix))


def test_lanes_do_not_meet(options: KafkaOptions, new_bus: Callable[[Lane], KafkaBus]) -> None:
    live, audit = new_bus(Lane(options.prefix)), new_bus(Lane(options.prefix, "case-7"))
    put(live, message("live"))
    put(audit, message("audit"))
    for bus, wanted in ((live, "live"), (audit, "audit")):
        consumer = bus.consumer("g", [Topic.FACES])
        assert texts(take(consumer, 1)) == [wanted]
        assert not consumer.poll(1, 0.3)
        consumer.close()
    with pytest.raises(UsageError, match="case 7"):
        Lane(options.prefix, "case 7")


def test_a_message_that_is_too_large_is_an_error_that_says_so(
    options: KafkaOptions, new_bus: Callable[[Lane], KafkaBus]
) -> None:
    bus = new_bus(Lane(options.prefix))
    producer = bus.producer()
    with pytest.raises(BusError, match="large"):
        producer.send(Topic.FACES, Encoded(b"k", (), bytes(options.max_message_bytes)))
    producer.close()


def test_nobody_who_answers_is_an_error_that_names_the_address() -> None:
    options = KafkaOptions(servers="127.0.0.1:1", start_s=0)
    with pytest.raises(BusError, match=r"127\.0\.0\.1:1.*kafka\.servers"):
        TopicAdmin(options)


def test_a_password_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    security = SecurityOptions(
        mechanism="SCRAM-SHA-512", username="pinwatch", password_file=tmp_path / "secret"
    )
    with pytest.raises(ConfigError, match="secret"):
        security.client_options()
