"""All steps in one process: what fails is begun again, and what was seen is written in the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import StorageError
from pipeline.quality import QualityAssessor
from pipeline.select import CropSelector
from pipeline.track import SingleFrameTracker
from pipeline.types import Frame, Revision, Sighting
from tests.workers.test_live_reader import Leases
from tests.workers.test_steps import KEY, MeanColourEmbedder, OneSubject
from tests.workers.test_watch import OneFaceDetector, ScriptedSource
from workers import live_reader
from workers.bus.base import Topic
from workers.channel import Channel
from workers.live.cameras import CameraStates
from workers.live.footage import PlayedSource
from workers.live.hub import LiveHub
from workers.live.pipeline import LivePipeline
from workers.live.sightings import LiveSightings
from workers.live.state import CameraState
from workers.live_reader import LiveReader
from workers.reader import Reader
from workers.steps import EmbedStep, MatchStep, RecordStep


class Waiting(ScriptedSource):
    """Shows some pictures, and then nothing until it is closed, however slow the machine is."""

    def frames(self) -> Iterator[Frame]:
        yield from super().frames()
        self.closed.wait()


class Book:
    """Keeps decisions; as long as it is `full` it cannot."""

    def __init__(self, full: int = 0) -> None:
        self.full = full
        self.kept: dict[str, Sighting] = {}

    def write(self, sightings: Sequence[Sighting], /) -> None:
        if sightings and self.full:
            self.full -= 1
            raise StorageError("the disk is full")
        for sighting in sightings:
            self.kept.setdefault(sighting.decision_id, sighting)

    def ends(self, camera_id: str) -> int:
        return sum(s.revision is Revision.END and s.camera_id == camera_id for s in self.kept.values())


class Running:
    """A pipeline with one leased camera and one source that was named."""

    def __init__(self, book: Book) -> None:
        clock = SystemClock()
        self.hub = LiveHub(clock.now_ns)
        self.states = CameraStates(self.hub, clock)
        self.pipeline = LivePipeline(
            [
                (EmbedStep(MeanColourEmbedder(), batch_size=4), Topic.EMBEDDINGS),
                (MatchStep(OneSubject(), "run", KEY), Topic.SIGHTINGS),
                (RecordStep([book, LiveSightings(self.hub, clock)]), None),
            ],
            self.states,
            clock,
            trouble=self.hub.trouble,
            again_s=0.05,
        )
        self.leases = Leases()
        self.leases.held = {"camera"}
        self.sources = {name: Waiting(name, 12) for name in ("camera", "clip")}
        reader = LiveReader(
            self.leases,  # type: ignore[arg-type]
            lambda: {"camera": None},
            self._open,
            self.pipeline.send,
            taps=[self.states.on_frame],
            watcher=self.states,
        )
        clip = PlayedSource(
            "clip",
            lambda: self._open("clip"),
            again=False,
            send=self.pipeline.send,
            taps=[self.states.on_frame],
            watcher=self.states,
            on_report=lambda report: None,
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self.pipeline.run, args=(reader, [clip], self._stop), daemon=True
        )
        self._thread.start()

    def _open(self, name: str) -> Channel:
        reader = Reader(name, OneFaceDetector(), SingleFrameTracker, lambda: CropSelector(QualityAssessor()))
        return Channel(self.sources[name], reader)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def stop(self) -> float:
        begun_s = time.monotonic()
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        return time.monotonic() - begun_s


def until(condition: Callable[[], bool], patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_reader, "BEAT_S", 0.05)


def test_cameras_and_footage_are_decided_shown_and_written_to_the_last_track() -> None:
    book = Book()
    with Running(book) as running:
        until(lambda: book.ends("camera") >= 11 and book.ends("clip") >= 11)
        assert {one.camera_id: one.state for one in running.hub.cameras()} == {
            "camera": CameraState.LIVE,
            "clip": CameraState.LIVE,
        }
        assert running.stop() < 15
    assert (book.ends("camera"), book.ends("clip")) == (12, 12)
    assert running.leases.left
    assert [step.messages > 0 for step in running.pipeline.steps] == [True, True, True]
    assert running.pipeline.dropped_by_cause == {}


def test_a_step_that_fails_is_shown_begun_again_and_loses_nothing() -> None:
    book = Book(full=4)
    with Running(book) as running:
        until(lambda: running.pipeline.steps[2].error == "the disk is full")
        until(lambda: book.ends("camera") >= 11 and book.ends("clip") >= 11)
        until(lambda: running.pipeline.steps[2].error == "")
        assert running.pipeline.steps[2].restarts == 4
        running.stop()
    assert (book.ends("camera"), book.ends("clip")) == (12, 12)


def test_a_step_that_fails_for_good_does_not_hinder_the_cameras_nor_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.live.pipeline.END_S", 1.0)
    with Running(Book(full=10**9)) as running:
        until(lambda: "record does not work (the disk is full)" in running.hub.state().trouble)
        assert running.pipeline.steps[2].since_ns is not None
        assert running.states.views()["camera"].frames == 12
        assert running.stop() < 20
