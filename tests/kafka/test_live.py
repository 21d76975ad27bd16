"""Live cameras on Kafka: readers share them and inherit from each other; matchers follow the gallery."""

from __future__ import annotations

import re
import sqlite3
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.broker import free_port
from tests.kafka.crew import Crew, environment, wait_until
from tests.rtsp.camera import RtspServer
from workers.bus.kafka.options import KafkaOptions

pytestmark = [pytest.mark.kafka, pytest.mark.assets, pytest.mark.slow]

MOVES_WITHIN_S = 15.0
SEEN_WITHIN_S = 2.0


def leases(data: Path) -> dict[str, str]:
    """Which reader holds which camera."""
    with sqlite3.connect(f"file:{data / 'pinwatch.db'}?mode=ro", uri=True, timeout=30) as database:
        found = dict(database.execute("SELECT camera_id, reader_id FROM camera_leases").fetchall())
    database.close()
    return found


def streams(log: str) -> set[str]:
    """Camera and epoch of every track that a reader has ended."""
    return {match.rpartition(":")[0] for match in re.findall(r"track=(\S+)", log)}


@pytest.fixture
def crew(options: KafkaOptions, tmp_path: Path) -> Iterator[Crew]:
    """Workers with two partitions and a data folder of their own; logs and data under `tmp_path`."""
    settings = environment(tmp_path / "data", options.servers, options.prefix)
    with Crew({**settings, "PINWATCH_KAFKA__PARTITIONS": "2"}, tmp_path) as workers:
        workers.run("topics", "create")
        yield workers


@pytest.mark.rtsp
def test_cameras_are_shared_and_move_on_when_a_reader_is_killed(
    crew: Crew, assets: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with RtspServer(assets / "clips" / "crowd.mp4", main=(960, 540), sub=(640, 360)) as server:
        for name in ("main", "sub"):
            crew.run("cameras", "add", name, server.url(name))
        crew.start("one", "worker", "read")
        wait_until(lambda: len(leases(data)) == 2, 60, "one reader takes both cameras")
        crew.start("two", "worker", "read")
        wait_until(lambda: len(set(leases(data).values())) == 2, 60, "two readers share them")
        wait_until(
            lambda: bool(streams(crew.log("one"))) and bool(streams(crew.log("two"))), 90, "both see people"
        )
        before = crew.log("two").count("reading")
        crew.kill("one")
        killed_at = time.monotonic()
        wait_until(lambda: crew.log("two").count("reading") > before, 60, "the other reads on")
        moved_s = time.monotonic() - killed_at
        wait_until(lambda: len(set(leases(data).values())) == 1, 5, "it holds both")
        epochs = streams(crew.log("two"))
        wait_until(lambda: len(streams(crew.log("two"))) > len(epochs), 90, "people are seen there again")
        crew.stop("two")
    assert moved_s <= MOVES_WITHIN_S
    assert not streams(crew.log("one")) & streams(crew.log("two")), "no epoch was read by two"
    assert leases(data) == {}, "who leaves in order leaves nothing behind"


def test_an_enrollment_reaches_a_running_matcher_within_two_seconds(
    crew: Crew, assets: Path, tmp_path: Path, options: KafkaOptions
) -> None:
    port = free_port()
    settings = environment(
        tmp_path / "data",
        options.servers,
        options.prefix,
        PINWATCH_WORKER__HEALTH_PORT=str(port),
        PINWATCH_KAFKA__PARTITIONS="2",
    )
    photo = next(iter(sorted((assets / "faces" / "lfw-dev").rglob("*.jpg"))))

    def epoch() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            found = re.search(r'pinwatch_gallery_epoch\{step="match"\} (\d+)', answer.read().decode())
        return int(found[1]) if found else -1

    def serves() -> bool:
        try:
            return epoch() >= 0
        except OSError:
            return False

    with Crew(settings, tmp_path) as matcher:
        matcher.start("match", "worker", "match")
        wait_until(serves, 60, "the matcher shows its metrics")
        before = epoch()
        crew.run("gallery", "enroll", "Ada", photo)
        enrolled_at = time.monotonic()
        wait_until(lambda: epoch() > before, 10, "the matcher knows of it")
        assert time.monotonic() - enrolled_at <= SEEN_WITHIN_S
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            assert answer.status == 200
        matcher.stop("match")
