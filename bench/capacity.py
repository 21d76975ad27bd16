"""What so many cameras need, worked out from what a clip costs on this machine.

    python -m bench.capacity [--cameras 10 1000 100000] [--rate 10] [--broker-mb 100]

Watches crowd.mp4, a busy entrance, step by step in one process, and prints what a frame and a crop cost in
processor time, how many crops a camera sends and how large they are. Then, for so many cameras like it:
processor cores that read and that embed, MB a second on the faces topic, its partitions, brokers.
Processor time, not the clock: other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import in_one_line
from bench.program import ASSETS, add_cards, models_in_words, program
from pipeline.errors import UsageError
from pipeline.sources.select import FileSpec
from pipeline.types import FaceCrop, TrackEnded
from workers.build import Context, WatchRequest
from workers.bus.base import Partition, Topic
from workers.channel import Channel, ChannelReport, read_channel
from workers.codec import Encoded, decode, encode
from workers.loop import Arrived, Outgoing
from workers.steps import EmbedStep

_CORES_USED = 0.7
_REPLICAS = 3
_LEAST_PARTITIONS = 16


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one clip, on one core.

    Attributes:
        frame_ms: Decoding, detecting, tracking, choosing and encoding crops, a frame.
        crop_ms: Decoding, purifying, embedding with attack evidence and encoding, a crop.
        crops_a_frame: How many crops a frame sends on.
        crop_kb: Size of one as a message.
    """

    frame_ms: float
    crop_ms: float
    crops_a_frame: float
    crop_kb: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What so many cameras need."""

    cameras: int
    crops_s: float
    reading: int
    embedding: int
    megabytes_s: float
    partitions: int
    brokers: int


def costs_of(context: Context, clip: Path) -> Costs:
    """Watch a clip, step by step."""
    sent: list[Encoded] = []

    def send(messages: Sequence[FaceCrop | TrackEnded]) -> None:
        sent.extend(map(encode, messages))

    spec = FileSpec(clip)
    source = context.source(spec, WatchRequest(), clip.stem)
    report = ChannelReport(clip.stem)
    channel = Channel(source, context.reader(source, spec, None))
    reading_s = _processor_s(lambda: read_channel(channel, report, send))
    step = EmbedStep(context.with_evidence(context.embedder()), context.settings.embedder.batch_size)
    _embed(step, sent[:16])
    embedding_s = _processor_s(lambda: _embed(step, sent))
    crops = [one for one in sent if isinstance(decode(one), FaceCrop)]
    if not crops:
        raise UsageError(f"{clip} shows no face that is good enough to be embedded: name another clip")
    return Costs(
        frame_ms=1e3 * reading_s / report.frames,
        crop_ms=1e3 * embedding_s / len(crops),
        crops_a_frame=len(crops) / report.frames,
        crop_kb=sum(len(one.value) for one in crops) / len(crops) / 1e3,
    )


def _embed(step: EmbedStep, messages: Sequence[Encoded]) -> None:
    where = Partition(Topic.FACES, 0)
    for start in range(0, len(messages), step.batch_size):
        batch = [Arrived(where, 0, decode(one)) for one in messages[start : start + step.batch_size]]
        for result in step.process(batch):
            assert isinstance(result, Outgoing)
            encode(result.message)


def _processor_s(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def plan(costs: Costs, cameras: int, rate_hz: float, broker_mb_s: float) -> Plan:
    """What they need at so many frames a second.

    Cores are used to 70 %. An embedder uses one core and wants two partitions, so that one that dies can be
    replaced by several. Every byte of the faces topic is written by three brokers.
    """
    crops_s = cameras * rate_hz * costs.crops_a_frame
    embedding = max(1, math.ceil(crops_s * costs.crop_ms / 1e3 / _CORES_USED))
    megabytes_s = crops_s * costs.crop_kb / 1e3
    return Plan(
        cameras,
        crops_s,
        max(1, math.ceil(cameras * rate_hz * costs.frame_ms / 1e3 / _CORES_USED)),
        embedding,
        megabytes_s,
        max(_LEAST_PARTITIONS, 2 * embedding),
        max(_REPLICAS, math.ceil(_REPLICAS * megabytes_s / broker_mb_s)),
    )


@in_one_line
def main() -> None:
    """Print costs, and a plan for each number of cameras."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cameras", type=int, nargs="*", default=[10, 1_000, 100_000])
    parser.add_argument("--rate", type=float, default=10.0, help="frames a second that are looked at")
    parser.add_argument("--broker-mb", type=float, default=100.0, help="MB a second that a broker writes")
    parser.add_argument("--clip", type=Path, default=ASSETS / "clips" / "crowd.mp4")
    add_cards(parser)
    options = parser.parse_args()
    with program(options) as context:
        found = costs_of(context, options.clip)
        print(f"{options.clip.name}: {models_in_words(context)}")
    print(
        f"{found.frame_ms:.1f} ms a frame, {found.crop_ms:.1f} ms a crop, {found.crops_a_frame:.3f} crops a "
        f"frame, {found.crop_kb:.1f} KB a crop; {options.rate:g} frames/s a camera"
    )
    print("cameras    crops/s  cores reading  cores embedding     MB/s  partitions  brokers")
    for cameras in options.cameras:
        need = plan(found, cameras, options.rate, options.broker_mb)
        print(
            f"{need.cameras:7,}  {need.crops_s:9,.1f}  {need.reading:13,}  {need.embedding:15,}  "
            f"{need.megabytes_s:7,.1f}  {need.partitions:10,}  {need.brokers:7,}"
        )


if __name__ == "__main__":
    main()
