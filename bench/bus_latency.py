"""How long a crop takes to its decision: every worker a process of its own on Kafka, threads in memory.

    python -m bench.bus_latency [--servers HOST:PORT] [--seconds S]

A reader sends a hundred crops a second, a track each, through an embedder and a matcher with a stub in the
place of the networks; the time runs from the crop's encoding to whoever listens for decisions. Prints both
buses and the difference, from one run. ``python -m bench.bus`` prints it as well.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable, Iterator, MutableSequence
from contextlib import closing, contextmanager

import numpy as np

from bench.broker import servers_of
from bench.errors import in_one_line
from bench.stubs import DETECTOR_ID, KEY, StubEmbedder, noise_crops
from pipeline.types import Embedding, Match, Revision, Sighting, Thresholds, TrackEnded, TrackKey
from workers.bus.base import Bus, Consumer, Topic
from workers.bus.kafka.bus import KafkaBus
from workers.bus.kafka.lane import Lane
from workers.bus.kafka.options import KafkaOptions
from workers.bus.kafka.topics import TopicAdmin
from workers.bus.memory import MemoryBus
from workers.codec import decode, encode
from workers.loop import Step, run
from workers.steps import EmbedStep, MatchStep

RATE_HZ = 100.0
_PREFIX, _PARTITIONS = "latency.", 4
_GATHERING_S, _WARM_S = 12.0, 3.0
_BATCH = 64

Sent = MutableSequence[float]
"""When each crop was sent, by track: seconds of the clock that all processes of a machine share."""


class _StubGallery:
    """Nobody is enrolled."""

    key, gallery_epoch, thresholds = KEY, 0, Thresholds(match=0.5, margin=0.1)

    @property
    def index(self) -> _StubGallery:
        return self

    def refresh(self) -> None:
        return None

    def search(self, probe: Embedding, count: int) -> list[Match]:
        return []


def embed_step() -> Step:
    """With a stub for the networks."""
    return EmbedStep(StubEmbedder(), 8)


def match_step() -> Step:
    """Against an empty gallery."""
    return MatchStep(_StubGallery(), "bench", KEY)


class Threads:
    """All in this process, on the bus in memory, as `pinwatch watch` has them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    @contextmanager
    def working(self) -> Iterator[None]:
        steps, stop = (embed_step(), match_step()), threading.Event()
        for step in steps:
            self._bus.consumer(step.name, step.inputs).close()  # the bus keeps nothing for strangers
        threads = [threading.Thread(target=run, args=(self._bus, step, stop), daemon=True) for step in steps]
        for thread in threads:
            thread.start()
        yield
        stop.set()
        for thread in threads:
            thread.join()

    def feed(self, count: int) -> Sent:
        sent = [0.0] * count
        threading.Thread(target=_feed, args=(self._bus, sent), daemon=True).start()
        return sent


class Processes:
    """One each, on Kafka."""

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._spawn = multiprocessing.get_context("spawn")

    @contextmanager
    def working(self) -> Iterator[None]:
        processes = [
            self._spawn.Process(target=_work, args=(self._servers, make), daemon=True)
            for make in (embed_step, match_step)
        ]
        for process in processes:
            process.start()
        time.sleep(_GATHERING_S)  # until they have loaded and shared the partitions
        yield
        for process in processes:
            process.kill()
            process.join()

    def feed(self, count: int) -> Sent:
        sent: Sent = self._spawn.Array("d", count)  # type: ignore[assignment]
        self._spawn.Process(target=_feed_kafka, args=(self._servers, sent), daemon=True).start()
        return sent


def _work(servers: str, make: Callable[[], Step]) -> None:
    run(_kafka(servers), make(), threading.Event())


def _feed_kafka(servers: str, sent: Sent) -> None:
    _feed(_kafka(servers), sent)


def _kafka(servers: str) -> KafkaBus:
    return KafkaBus(_options(servers), Lane(_PREFIX))


def _options(servers: str) -> KafkaOptions:
    return KafkaOptions(servers=servers, prefix=_PREFIX, partitions=_PARTITIONS)


def _feed(bus: Bus, sent: Sent) -> None:
    with closing(bus.producer()) as producer:
        begun = time.monotonic()
        for track, crop in enumerate(noise_crops(TrackKey("cam", 1, track) for track in range(len(sent)))):
            time.sleep(max(0.0, begun + track / RATE_HZ - time.monotonic()))
            sent[track] = time.monotonic()
            producer.send(Topic.FACES, encode(crop))
            producer.send(
                Topic.FACES, encode(TrackEnded(TrackKey("cam", 1, track), 0, 0, None, 1, 1, {}, DETECTOR_ID))
            )
            producer.flush()


def latencies_ms(bus: Bus, crew: Threads | Processes, seconds: float) -> list[float]:
    """From a crop to the decision that it is the end of, at :data:`RATE_HZ`."""
    count = int((seconds + _WARM_S) * RATE_HZ)
    with closing(bus.consumer("results", [Topic.SIGHTINGS])) as results:
        results.poll(1, 1.0)
        with crew.working():
            sent = crew.feed(count)
            arrived = dict(_arrivals(results, count))
    return [(arrived[track] - sent[track]) * 1000 for track in range(int(_WARM_S * RATE_HZ), count)]


def _arrivals(results: Consumer, count: int) -> Iterator[tuple[int, float]]:
    """Track, and when its last decision came."""
    left = count
    while left:
        received = results.poll(_BATCH, 1.0)
        now_s = time.monotonic()
        for item in received:
            sighting = decode(item.encoded)
            if isinstance(sighting, Sighting) and sighting.revision is Revision.END:
                yield sighting.track_id, now_s
                left -= 1
        if received:
            results.commit({item.partition: item.offset + 1 for item in received})


def print_latencies(servers: str, seconds: float) -> None:
    """Of both buses, and what Kafka adds."""
    with TopicAdmin(_options(servers)) as admin:
        admin.create(Lane(_PREFIX))
    memory = MemoryBus()
    found = {
        "memory": np.percentile(latencies_ms(memory, Threads(memory), seconds), (50, 99)),
        "Kafka": np.percentile(latencies_ms(_kafka(servers), Processes(servers), seconds), (50, 99)),
    }
    for name, (p50, p99) in found.items():
        sys.stdout.write(
            f"{name}: crop to decision p50 {p50:.1f} ms, p99 {p99:.1f} ms at {RATE_HZ:.0f} crops/s\n"
        )
    added = found["Kafka"] - found["memory"]
    sys.stdout.write(f"Kafka adds p50 {added[0]:.1f} ms, p99 {added[1]:.1f} ms\n")


@in_one_line
def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--servers", help="of a broker; default: one of its own")
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    with servers_of(given.servers) as servers:
        print_latencies(servers, given.seconds)


if __name__ == "__main__":
    main()
