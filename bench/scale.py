"""Whether twice as many embedders embed twice as much, with a stub of a network on a real broker.

    python -m bench.scale [--workers 1 2 4] [--seconds 20]

Starts a broker (Java and Maven must be there) with 16 partitions a topic, fills them, and counts what so
many embedders with a stub in the place of the network (100 ms a batch of 8, in which the processor is
free, as it is while a GPU works) put into the next topic a second, once all of them work.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from bench.errors import in_one_line
from bench.stubs import StubEmbedder, noise_crops
from pipeline.types import TrackKey
from workers.bus.base import Consumer, Topic
from workers.bus.kafka.bus import KafkaBus
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions
from workers.bus.kafka.topics import TopicAdmin
from workers.codec import encode
from workers.loop import run
from workers.steps import EmbedStep

PARTITIONS = 16
BATCH, BATCH_S = 8, 0.1
_SENT_AT_ONCE = 64
_GATHERING_S, _WARM_S = 15.0, 4.0
_MARGIN = 1.6


def work(servers: str, prefix: str) -> None:
    """Be one of the embedders until killed."""
    run(_bus(servers, prefix), EmbedStep(StubEmbedder(BATCH_S), BATCH), threading.Event())


def _bus(servers: str, prefix: str) -> KafkaBus:
    return KafkaBus(_options(servers, prefix), Lane(prefix))


def _options(servers: str, prefix: str) -> KafkaOptions:
    return KafkaOptions(servers=servers, prefix=prefix, partitions=PARTITIONS)


def rate(servers: str, workers: int, seconds: float) -> float:
    """Crops a second through so many processes, on topics of their own."""
    prefix = f"scale{workers}."
    lane = Lane(prefix)
    with TopicAdmin(_options(servers, prefix)) as admin:
        admin.create(lane)
    bus = _bus(servers, prefix)
    with ExitStack() as opened:
        results = opened.enter_context(closing(bus.consumer("results", [Topic.EMBEDDINGS])))
        for _ in range(workers):
            opened.enter_context(_running(servers, prefix))
        time.sleep(_GATHERING_S)  # until the group has shared the partitions
        wanted = int(workers * BATCH / BATCH_S * (seconds + _WARM_S) * _MARGIN)
        _feed(bus, wanted)
        _count(results, _WARM_S)
        counted = _count(results, seconds)
    with TopicAdmin(_options(servers, prefix)) as admin:
        admin.remove(lane)
    return counted / seconds


@contextmanager
def _running(servers: str, prefix: str) -> Iterator[None]:
    command = [sys.executable, "-m", "bench.scale", "--work", servers, prefix]
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _feed(bus: KafkaBus, count: int) -> None:
    # A camera each: partitions then get the same number of crops, nearly.
    keys = (TrackKey(f"cam{number}", 1, 0) for number in range(count))
    with closing(bus.producer()) as producer:
        for number, crop in enumerate(noise_crops(keys)):
            producer.send(Topic.FACES, encode(crop))
            if number % _SENT_AT_ONCE == 0:
                producer.flush()
        producer.flush()


def _count(results: Consumer, seconds: float) -> int:
    """Messages that arrive in so long."""
    end, counted = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        received = results.poll(_SENT_AT_ONCE, 0.1)
        counted += len(received)
        if received:
            results.commit({item.partition: item.offset + 1 for item in received})
    return counted


@in_one_line
def main() -> None:
    """Print a line for each number of processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--work", nargs=2, metavar=("SERVERS", "PREFIX"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(*options.work)
        return
    from tests.kafka.broker import running

    print(f"{os.cpu_count()} processors; the stub alone: {BATCH / BATCH_S:.0f} crops/s a process")
    first: float | None = None
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "broker") as broker:
        for workers in options.workers:
            found = rate(broker.servers, workers, options.seconds)
            first = first or found / workers
            print(f"{workers} embedders: {found:6.1f} crops/s, {found / first:.2f} times one", flush=True)


if __name__ == "__main__":
    main()
