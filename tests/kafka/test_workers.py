"""Workers on a real broker: the same bytes as in one process, poison, and kill -9."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pipeline.clock import SystemClock
from pipeline.types import EmbeddedFace
from tests.contracts.bus import take
from tests.kafka import chaos
from tests.kafka.broker import Broker, running
from tests.kafka.crew import Crew, environment, wait_until
from tests.workers.conftest import make_crop
from tests.workers.test_steps import MeanColourEmbedder
from workers.bus.base import Topic
from workers.bus.kafka.bus import KafkaBus
from workers.bus.kafka.options import KafkaOptions
from workers.codec import Encoded, decode, encode
from workers.dead_letters import read_dead_letter
from workers.metrics import WorkerMetrics
from workers.serve import serve
from workers.steps import EmbedStep

pytestmark = pytest.mark.kafka


def poisoned(good: Encoded) -> dict[str, Encoded]:
    """Messages that nobody can take, by what is wrong with them."""
    fields = msgspec.msgpack.decode(good.value)
    nan = np.array([np.nan, 0, 1, 1], "<f4").tobytes()

    def with_fields(**changed: object) -> Encoded:
        return replace(good, value=msgspec.msgpack.encode({**fields, **changed}))

    return {
        "random bytes": replace(good, value=np.random.default_rng(0).bytes(200)),
        "truncated": replace(good, value=good.value[:-100]),
        "wrong version": replace(good, headers=(("schema", b"face-crop"), ("version", b"9.0"))),
        "no schema": replace(good, headers=()),
        "wrong shape": with_fields(image_rgb=b"\x00" * 99),
        "nan": with_fields(bbox=nan),
        "strange attempts": replace(good, value=b"", headers=(*good.headers, ("dead-letter-attempts", b"x"))),
    }


@pytest.fixture
def embedding(bus: KafkaBus) -> Iterator[None]:
    """An embed worker on the live lane."""
    stop = threading.Event()
    step = EmbedStep(MeanColourEmbedder(), batch_size=8)
    thread = threading.Thread(
        target=serve, args=(bus, step, stop, WorkerMetrics("embed", SystemClock())), daemon=True
    )
    thread.start()
    yield
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.usefixtures("embedding")
def test_a_poisoned_message_is_a_dead_letter_once_and_the_next_is_served(bus: KafkaBus) -> None:
    crops = [make_crop(1, sequence) for sequence in range(8)]
    poison = poisoned(encode(crops[0]))
    producer = bus.producer()
    for bad, good in zip(poison.values(), crops, strict=False):
        producer.send(Topic.FACES, bad)
        producer.send(Topic.FACES, encode(good))
    producer.flush()
    producer.close()
    served = bus.consumer("test", [Topic.EMBEDDINGS])
    results = [decode(item.encoded) for item in take(served, len(poison))]
    assert [m.sequence for m in results if isinstance(m, EmbeddedFace)] == list(range(len(poison)))
    dead = bus.consumer("dead", [Topic.DEAD_LETTERS])
    letters = [read_dead_letter(item.encoded) for item in take(dead, len(poison))]
    assert not dead.poll(10, 1.0)
    assert sorted(letter.offset for letter in letters) == [2 * n for n in range(len(poison))]
    for letter, sent in zip(sorted(letters, key=lambda each: each.offset), poison.values(), strict=True):
        assert letter.message.value == sent.value
        assert letter.attempts == 1
    for consumer in (served, dead):
        consumer.close()


def _first_number(listed: str) -> str:
    """Of the first row of the table."""
    (row, *_) = listed.splitlines()[1:]
    return row.split()[0]


@pytest.mark.usefixtures("embedding")
def test_refused_messages_are_listed_shown_and_sent_again(
    bus: KafkaBus, options: KafkaOptions, tmp_path: Path
) -> None:
    producer = bus.producer()
    producer.send(Topic.FACES, replace(encode(make_crop()), value=b"nonsense"))
    producer.flush()
    producer.close()
    settings = environment(tmp_path / "data", options.servers, options.prefix)
    with Crew({**settings, "PINWATCH_KAFKA__PARTITIONS": "2"}, tmp_path) as crew:
        wait_until(lambda: "1 refused messages" in crew.run("dlq", "list"), 60, "the refusal is listed")
        listed = crew.run("dlq", "list")
        assert "faces.v1/" in listed
        assert "MalformedMessage" in listed
        number = _first_number(listed)
        shown = json.loads(crew.run("dlq", "show", number))
        assert (shown["attempts"], shown["bytes"], shown["sent_again"]) == (1, 8, False)
        assert shown["begins"] == b"nonsense".hex(" ")
        assert "1 messages sent again" in crew.run("dlq", "redrive", number)
        wait_until(lambda: "1 refused messages" in crew.run("dlq", "list"), 60, "it is refused again")
        again = crew.run("dlq", "list")
        assert _first_number(again) != number
        assert "2 refused messages" in crew.run("dlq", "list", "--all")
        assert "pinwatch dlq list" in crew.fail("dlq", "show", "9/9")
        assert "0" in crew.run("lag")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all rounds of chaos."""
    return tmp_path_factory.mktemp("chaos")


@pytest.fixture(scope="module")
def clip(assets: Path) -> Path:
    return assets / "clips" / "crowd.mp4"


@pytest.fixture(scope="module")
def expected(clip: Path, folder: Path) -> tuple[list[str], list[str]]:
    """What `pinwatch watch` says of the clip."""
    return chaos.expect(clip, folder)


@pytest.fixture(scope="module")
def fragile(folder: Path) -> Iterator[Broker]:
    """A broker that is killed and started again."""
    with running(folder / "broker") as broker:
        yield broker


@pytest.mark.assets
@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
def test_an_audit_loses_nothing_and_decides_nothing_twice(
    number: int,
    clip: Path,
    folder: Path,
    fragile: Broker,
    expected: tuple[list[str], list[str]],
) -> None:
    records, lines = chaos.audit_round(clip, folder / f"audit{number}", fragile, number)
    assert not chaos.differences(records, expected[0])
    assert not chaos.differences(lines, expected[1])
    assert not chaos.unproved(folder / f"audit{number}" / "data")


@pytest.mark.assets
@pytest.mark.slow
@pytest.mark.parametrize("number", range(2))
def test_live_cameras_account_for_every_drop(number: int, folder: Path, fragile: Broker) -> None:
    causes = chaos.live_round(folder / f"live{number}", fragile, number)
    assert causes["tracks"] == chaos.TRACKS
    assert not chaos.unproved(folder / f"live{number}" / "data")
    assert causes["crops"], "somebody was compared all the same"
