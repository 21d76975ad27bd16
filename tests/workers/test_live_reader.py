"""A reader process: it reads what it leased, and lets go of what it lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from pipeline.errors import GalleryBusy, SourceUnreadable
from pipeline.quality import QualityAssessor
from pipeline.select import CropSelector
from pipeline.track import SingleFrameTracker
from pipeline.types import FaceCrop, Frame, TrackedFace, TrackEnded
from tests.workers.test_watch import OneFaceDetector, ScriptedSource
from workers import live_reader
from workers.bus.base import BusError
from workers.channel import Channel, ChannelReport
from workers.live.state import CameraState
from workers.live_reader import LiveReader
from workers.reader import Reader


class Leases:
    """Holds what the test says."""

    def __init__(self) -> None:
        self.held: set[str] | None = set()
        self.stale = False
        self.left = False

    def beat(self, cameras: Sequence[str]) -> set[str]:
        if self.held is None:
            raise GalleryBusy("away")
        return self.held & set(cameras)

    def leave(self) -> None:
        self.left = True


class Desk:
    """A live reader in a thread, with sources that wait until they are closed."""

    def __init__(self) -> None:
        self.leases = Leases()
        self.sources: dict[str, list[ScriptedSource]] = {}
        self.sent: list[FaceCrop | TrackEnded] = []
        self.refused: Exception | None = None
        self.settings: dict[str, object] = {}
        self.names: Sequence[str] = ("a", "b")
        self.broken: set[str] = set()
        self.tried = 0
        self.told: list[tuple[str, str, str]] = []
        self.fails: set[str] = set()
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self.reports: list[ChannelReport] = []
        self.reader = LiveReader(
            self.leases,  # type: ignore[arg-type]
            self._cameras,
            self._open,
            self._send,
            self.reports.append,
            taps=[self._tap],
            watcher=self,
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def camera(self, camera_id: str, state: CameraState, detail: str = "") -> None:
        self.told.append((camera_id, state, detail))

    def gone(self, camera_id: str) -> None:
        self.told.append((camera_id, "gone", ""))

    def _cameras(self) -> dict[str, object]:
        return {name: self.settings.get(name) for name in self.names}

    def _tap(self, frame: Frame, tracked: Sequence[TrackedFace]) -> None:
        if frame.camera_id in self.broken:
            raise RuntimeError("a tap that fails")

    def _open(self, name: str) -> Channel:
        self.tried += 1
        if name in self.fails:
            raise SourceUnreadable(f"{name} does not answer")
        source = ScriptedSource(name, 3, wait=True)
        self.sources.setdefault(name, []).append(source)
        reader = Reader(name, OneFaceDetector(), SingleFrameTracker, lambda: CropSelector(QualityAssessor()))
        return Channel(source, reader)

    def _send(self, messages: Sequence[FaceCrop | TrackEnded]) -> None:
        if self.refused:
            raise self.refused
        self.sent += messages

    def _run(self) -> None:
        try:
            self.reader.run(self.stop)
        except BusError as error:
            self.error = error

    def start(self) -> None:
        self._thread.start()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def finish(self) -> None:
        self.stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(live_reader, "BEAT_S", 0.01)
    return Desk()


def test_what_is_leased_is_read_and_what_is_lost_is_closed(desk: Desk) -> None:
    desk.leases.held = {"a", "b"}
    desk.start()
    desk.until(lambda: desk.reader.count == 2)
    desk.leases.held = {"b"}
    desk.until(lambda: desk.sources["a"][0].closed.is_set() and desk.reader.count == 1)
    assert not desk.sources["b"][0].closed.is_set()
    desk.finish()
    assert desk.sources["b"][0].closed.is_set()
    assert desk.leases.left
    ends = {message.key.camera_id for message in desk.sent if isinstance(message, TrackEnded)}
    assert ends == {"a", "b"}, "every track is ended, also when its camera moves on"
    assert {(report.camera_id, report.frames) for report in desk.reports} == {("a", 3), ("b", 3)}


def test_without_the_database_it_reads_on_until_its_leases_may_be_taken(desk: Desk) -> None:
    desk.leases.held = {"a"}
    desk.start()
    desk.until(lambda: desk.reader.count == 1)
    desk.leases.held = None
    time.sleep(0.1)
    assert desk.reader.count == 1
    desk.leases.stale = True
    desk.until(lambda: desk.reader.count == 0)
    desk.finish()


def test_a_camera_that_does_not_open_is_tried_again_and_hinders_nobody(desk: Desk) -> None:
    desk.leases.held, desk.fails = {"a", "b"}, {"a"}
    desk.start()
    desk.until(lambda: desk.reader.count == 1)
    desk.fails = set()
    desk.until(lambda: desk.reader.count == 2)
    desk.finish()


def test_a_camera_whose_stream_ended_is_opened_again(desk: Desk) -> None:
    desk.leases.held = {"a"}
    desk.start()
    desk.until(lambda: desk.reader.count == 1)
    desk.sources["a"][0].close()
    desk.until(lambda: len(desk.sources["a"]) == 2)
    desk.finish()


def test_a_camera_whose_settings_change_is_opened_anew_and_the_others_go_on(desk: Desk) -> None:
    desk.leases.held = {"a", "b"}
    desk.start()
    desk.until(lambda: desk.reader.count == 2)
    desk.settings = {"a": "rtsp://elsewhere"}
    desk.until(lambda: len(desk.sources["a"]) == 2 and desk.reader.count == 2)
    assert desk.sources["a"][0].closed.is_set()
    assert not desk.sources["a"][1].closed.is_set()
    assert len(desk.sources["b"]) == 1
    desk.finish()


def test_a_camera_whose_settings_are_mended_need_not_wait(desk: Desk) -> None:
    desk.leases.held, desk.fails = {"a"}, {"a"}
    desk.start()
    desk.until(lambda: desk.tried >= 4)  # now it is left alone for a while
    tried = desk.tried
    desk.fails, desk.settings = set(), {"a": "mended"}
    desk.until(lambda: desk.reader.count == 1)
    assert desk.tried == tried + 1
    desk.finish()


def test_a_bug_in_one_camera_ends_neither_the_others_nor_the_reader(desk: Desk) -> None:
    desk.leases.held, desk.broken = {"a", "b"}, {"a"}
    desk.start()
    desk.until(lambda: len(desk.sources.get("a", ())) >= 2)
    assert len(desk.sources["b"]) == 1
    assert ("a", CameraState.FAILED, "a tap that fails") in desk.told
    desk.finish()
    assert desk.error is None


def test_whoever_shows_cameras_is_told_how_they_are(desk: Desk) -> None:
    desk.leases.held, desk.fails = {"a"}, {"a"}
    desk.start()
    desk.until(lambda: ("a", CameraState.FAILED, "a does not answer") in desk.told)
    desk.until(lambda: ("b", CameraState.ELSEWHERE, "another process reads this camera") in desk.told)
    desk.fails = set()
    desk.until(lambda: desk.reader.count == 1)
    desk.names = ("b",)
    desk.until(lambda: ("a", "gone", "") in desk.told and desk.reader.count == 0)
    desk.finish()


def test_a_broker_that_refuses_for_good_ends_the_reader(desk: Desk) -> None:
    desk.leases.held, desk.refused = {"a"}, BusError("too large")
    desk.start()
    desk.until(lambda: desk.error is not None)
    assert desk.leases.left
    desk.finish()
