"""Footage that plays a camera: at its own pace, dropping what is late, once or again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pipeline.clock import ManualClock
from pipeline.errors import SourceUnreadable
from pipeline.quality import QualityAssessor
from pipeline.select import CropSelector
from pipeline.track import SingleFrameTracker
from pipeline.types import FaceCrop, Frame, TrackEnded
from tests.workers.test_watch import OneFaceDetector, ScriptedSource
from workers.channel import Channel, ChannelReport
from workers.live.footage import STALE_CAUSE, FootageAsCamera, PlayedSource
from workers.live.state import CameraState
from workers.reader import Reader

START_NS = 1_700_000_000_000_000_000


class Clip:
    """A second of small pictures, 25 of them."""

    camera_id, live, frame_count, rate_hz = "clip", False, 25, 25.0
    dropped_by_cause: dict[str, int] = {"corrupt": 1}  # noqa: RUF012 - nobody writes to it

    def __init__(self) -> None:
        self.closed = False

    def frames(self) -> Iterator[Frame]:
        for number in range(25):
            yield Frame("clip", 0, number * 40_000_000, None, np.zeros((4, 4, 3), np.uint8))

    def close(self) -> None:
        self.closed = True


def test_frames_come_when_they_are_due_and_say_so() -> None:
    clock = ManualClock(START_NS)
    source = FootageAsCamera(Clip(), 7, clock)
    for number, frame in enumerate(source.frames()):
        assert frame.captured_at_ns == START_NS + number * 40_000_000
        assert abs(clock.now_ns() - frame.captured_at_ns) < 1000
        assert frame.stream_epoch == 7
    assert number == 24
    assert source.dropped_by_cause == {"corrupt": 1}


def test_whoever_is_slow_gets_what_is_now_and_the_rest_is_counted() -> None:
    clock = ManualClock(START_NS)
    source = FootageAsCamera(Clip(), 1, clock)
    taken = []
    for frame in source.frames():
        assert frame.captured_at_ns is not None
        taken.append(clock.now_ns() - frame.captured_at_ns)
        clock.advance(0.2)
    assert max(taken) <= 151_000_000
    assert 4 <= len(taken) <= 7
    assert source.dropped_by_cause == {"corrupt": 1, STALE_CAUSE: 25 - len(taken)}


def test_closing_is_heard_while_it_waits() -> None:
    clip = Clip()
    source = FootageAsCamera(clip, 1, ManualClock(START_NS))
    frames = source.frames()
    next(frames)
    source.close()
    assert list(frames) == []
    assert clip.closed


class Desk:
    """A source that the user named, and what is told of it."""

    def __init__(self, sources: Sequence[ScriptedSource | Exception], *, again: bool = False) -> None:
        self._sources = list(sources)
        self.opened = 0
        self.told: list[tuple[CameraState, str]] = []
        self.sent: list[FaceCrop | TrackEnded] = []
        self.reports: list[ChannelReport] = []
        self.played = PlayedSource(
            "clip",
            self._open,
            again=again,
            send=self.sent.extend,
            taps=[],
            watcher=self,
            on_report=self.reports.append,
        )

    def camera(self, camera_id: str, state: CameraState, detail: str = "") -> None:
        self.told.append((state, detail))

    def gone(self, camera_id: str) -> None:
        raise AssertionError("footage does not go")

    def _open(self) -> Channel:
        source = self._sources[min(self.opened, len(self._sources) - 1)]
        self.opened += 1
        if isinstance(source, Exception):
            raise source
        selector: Callable[[], CropSelector] = lambda: CropSelector(QualityAssessor())  # noqa: E731
        return Channel(source, Reader("clip", OneFaceDetector(), SingleFrameTracker, selector))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_footage_is_played_once_and_says_that_it_has_ended() -> None:
    desk = Desk([ScriptedSource("clip", 3)])
    desk.played.start()
    desk.played.join(20)
    assert desk.told == [(CameraState.STARTING, ""), (CameraState.ENDED, "it was played to its end")]
    assert (desk.opened, desk.reports[0].frames) == (1, 3)
    assert sum(isinstance(message, TrackEnded) for message in desk.sent) == 3


def test_footage_is_played_again_and_again_until_it_is_stopped() -> None:
    desk = Desk([ScriptedSource("clip", 2)], again=True)
    desk.played.start()
    until(lambda: desk.opened >= 3)
    desk.played.stop()
    desk.played.join(20)
    assert CameraState.ENDED not in [state for state, _ in desk.told]


def test_what_fails_is_said_and_stopping_does_not_wait_for_another_try() -> None:
    desk = Desk([SourceUnreadable("rtsp://ada:secret@cam is broken")])
    desk.played.start()
    until(lambda: len(desk.told) == 2)
    begun_s = time.monotonic()
    desk.played.stop()
    desk.played.join(20)
    assert time.monotonic() - begun_s < 4
    assert desk.told[1][0] is CameraState.FAILED
    assert "secret" not in desk.told[1][1]


def test_what_was_seen_before_it_was_stopped_is_still_sent() -> None:
    source = ScriptedSource("clip", 5, wait=True)
    desk = Desk([source])
    desk.played.start()
    until(lambda: sum(isinstance(message, FaceCrop) for message in desk.sent) > 0)
    stopper = threading.Thread(target=desk.played.stop)
    stopper.start()
    desk.played.join(20)
    stopper.join()
    assert source.closed.is_set()
    assert sum(isinstance(message, TrackEnded) for message in desk.sent) == 5
