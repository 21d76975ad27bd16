"""All in one process: cameras that fail alone, steps that fail for all, and an end without losses."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from pipeline.errors import SourceLost, StorageError
from pipeline.quality import QualityAssessor
from pipeline.select import CropSelector
from pipeline.track import SingleFrameTracker
from pipeline.types import ByteArray, Face, Frame, Sighting
from tests.workers.test_steps import KEY, MeanColourEmbedder, OneSubject
from workers.bus.base import Topic
from workers.channel import Channel
from workers.reader import Reader
from workers.steps import EmbedStep, MatchStep, RecordStep
from workers.watch import Watch

UPRIGHT = np.array([[48, 60], [80, 60], [64, 78], [52, 96], [76, 96]], np.float32)


class OneFaceDetector:
    """Finds the same face in every picture."""

    detector_id = "detector@11111111"

    def detect(self, images_bgr: Sequence[ByteArray]) -> list[list[Face]]:
        return [[Face(np.array([36, 30, 92, 112], np.float32), UPRIGHT, 0.99)] for _ in images_bgr]


class ScriptedSource:
    """A few frames of noise, then an end, an error, or nothing until it is closed."""

    live = False
    frame_count = None
    rate_hz = 25.0
    dropped_by_cause: dict[str, int] = {}  # noqa: RUF012 - nobody writes to it

    def __init__(
        self, camera_id: str, frames: int, error: Exception | None = None, wait: bool = False
    ) -> None:
        self.camera_id = camera_id
        self._count = frames
        self._error = error
        self._wait = wait
        self.closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        chance = np.random.default_rng(7)
        for number in range(self._count):
            image = chance.integers(0, 256, (160, 128, 3), np.uint8)
            yield Frame(self.camera_id, 0, number * 40_000_000, None, image)
        if self._error:
            raise self._error
        if self._wait:
            self.closed.wait(30)

    def close(self) -> None:
        self.closed.set()


class Collected:
    def __init__(self) -> None:
        self.sightings: list[Sighting] = []

    def write(self, sightings: Sequence[Sighting], /) -> None:
        self.sightings += sightings


class FullDisk:
    def write(self, sightings: Sequence[Sighting], /) -> None:
        raise StorageError("disk full")


def watch_of(sources: Sequence[ScriptedSource], sink: Collected | FullDisk) -> Watch:
    channels = [
        Channel(source, Reader(source.camera_id, OneFaceDetector(), SingleFrameTracker, selector))
        for source in sources
    ]
    return Watch(
        channels,
        [
            (EmbedStep(MeanColourEmbedder(), batch_size=4), Topic.EMBEDDINGS),
            (MatchStep(OneSubject(), "run", KEY), Topic.SIGHTINGS),
            (RecordStep([sink]), None),
        ],
    )


def selector() -> CropSelector:
    return CropSelector(QualityAssessor())


def ends(sink: Collected, camera_id: str) -> int:
    return sum(s.revision == "end" and s.camera_id == camera_id for s in sink.sightings)


def test_every_face_of_every_camera_is_decided() -> None:
    sink = Collected()
    reports = watch_of([ScriptedSource("a", 12), ScriptedSource("b", 7)], sink).run()
    assert [(r.camera_id, r.frames, r.faces) for r in reports] == [("a", 12, 12), ("b", 7, 7)]
    assert (ends(sink, "a"), ends(sink, "b")) == (12, 7)


def test_a_camera_that_fails_ends_alone_with_what_it_has_shown() -> None:
    sink = Collected()
    sources = [ScriptedSource("bad", 3, SourceLost("cable cut")), ScriptedSource("good", 20)]
    reports = watch_of(sources, sink).run()
    assert str(reports[0].error) == "cable cut"
    assert reports[1].error is None
    assert (ends(sink, "bad"), ends(sink, "good")) == (3, 20)


def test_a_step_that_fails_ends_everything_with_its_error() -> None:
    waiting = ScriptedSource("b", 2, wait=True)
    with pytest.raises(StorageError, match="disk full"):
        watch_of([ScriptedSource("a", 500), waiting], FullDisk()).run()
    assert waiting.closed.is_set()


def test_stopping_decides_what_was_seen() -> None:
    sink = Collected()
    source = ScriptedSource("a", 5, wait=True)
    watch = watch_of([source], sink)
    threading.Timer(0.5, watch.stop).start()
    (report,) = watch.run()
    assert (report.frames, ends(sink, "a")) == (5, 5)
