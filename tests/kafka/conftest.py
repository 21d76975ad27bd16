"""One broker for all tests; every test has topics of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Requirement, need
from tests.kafka.broker import Broker, running
from workers.bus.kafka.bus import KafkaBus
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions
from workers.bus.kafka.topics import TopicAdmin

_number = itertools.count(1)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    need(Requirement.KAFKA)
    with running(tmp_path_factory.mktemp("kafka") / "broker") as started:
        yield started


@pytest.fixture
def options(broker: Broker) -> KafkaOptions:
    """Reaches the broker, with names that no other test uses."""
    return KafkaOptions(
        servers=broker.servers, prefix=f"t{next(_number)}.", partitions=2, session_timeout_ms=6000
    )


@pytest.fixture
def new_bus(options: KafkaOptions) -> Callable[[Lane], KafkaBus]:
    """Makes the topics of a lane and a bus on them."""

    def make(lane: Lane) -> KafkaBus:
        with TopicAdmin(options) as admin:
            admin.create(lane)
        return KafkaBus(options, lane)

    return make


@pytest.fixture
def bus(options: KafkaOptions, new_bus: Callable[[Lane], KafkaBus]) -> KafkaBus:
    """The live lane."""
    return new_bus(Lane(options.prefix))
