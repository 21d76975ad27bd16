"""Sources that change what another one gives: masked, and paced."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.clock import ManualClock, SystemClock
from pipeline.region import Polygon, PrivacyMask
from pipeline.sources.file import FileSource
from pipeline.sources.live import LiveSource
from pipeline.sources.masked import MaskedSource
from pipeline.sources.options import LiveOptions
from pipeline.sources.pace import RealtimeSource
from pipeline.sources.paired import PairedSource
from tests.contracts.frame_source import FrameSourceContract, Make, take
from tests.pipeline.sources.fakes import FakeCamera

MakeVideo = Callable[..., Path]
LEFT = PrivacyMask((Polygon(((0, 0), (0.5, 0), (0.5, 1), (0, 1))),))


class TestMaskedContract(FrameSourceContract):
    @pytest.fixture
    def make(self, fast: LiveOptions) -> Make:
        def source() -> MaskedSource:
            clock, epochs = SystemClock(), itertools.count().__next__
            camera = FakeCamera()
            return MaskedSource(LiveSource("gate", camera.connect, epochs, options=fast, clock=clock), LEFT)

        return source


class TestRealtimeContract(FrameSourceContract):
    @pytest.fixture
    def make(self, make_video: MakeVideo) -> Make:
        path = make_video("clip.mp4")
        return lambda: RealtimeSource(FileSource(path), SystemClock())


def test_masks_black_out_both_pictures_of_a_pair(fast: LiveOptions) -> None:
    main, sub = FakeCamera(value=itertools.repeat(200)), FakeCamera(value=itertools.repeat(90), size=(16, 12))
    epochs, clock = itertools.count().__next__, SystemClock()
    source = MaskedSource(
        PairedSource("gate", main.connect, sub.connect, epochs, options=fast, clock=clock), LEFT
    )
    for frame in take(source, 3):
        assert frame.detection_bgr is not None
        assert not frame.image_bgr[:, :16].any()
        assert (frame.image_bgr[:, 20:] == 200).all()
        assert not frame.detection_bgr[:, :8].any()
        assert (frame.detection_bgr[:, 12:] == 90).all()
    source.close()


def test_masks_apply_to_files(make_video: MakeVideo) -> None:
    source = MaskedSource(FileSource(make_video("clip.mp4", count=8)), LEFT)
    assert source.frame_count == 8
    assert not source.live
    images = [frame.image_bgr for frame in source.frames()]
    assert all(not image[:, :32].any() for image in images)
    assert np.all(images[7][:, 40:] > 0)


def test_realtime_waits_until_each_frame_is_due(make_video: MakeVideo) -> None:
    clock = ManualClock()
    source = RealtimeSource(FileSource(make_video("clip.mp4", count=4, ticks=[0, 1, 10, 12])), clock)
    due = [(round(clock.monotonic_s(), 3), frame.pts_ns / 1e9) for frame in source.frames()]
    assert due == [(0.0, 0.0), (0.04, 0.04), (0.4, 0.4), (0.48, 0.48)]


def test_realtime_loses_nothing_and_does_not_wait_for_a_slow_consumer(make_video: MakeVideo) -> None:
    clock = ManualClock()
    source = RealtimeSource(FileSource(make_video("clip.mp4", count=10)), clock)
    seen = []
    for frame in source.frames():
        seen.append(frame.pts_ns)
        clock.advance(1.0)
    assert len(seen) == 10
    assert clock.slept_s == []


def test_realtime_can_be_closed_in_a_long_gap(make_video: MakeVideo) -> None:
    source = RealtimeSource(FileSource(make_video("clip.mp4", count=2, ticks=[0, 25 * 600])), SystemClock())
    frames = source.frames()
    next(frames)
    started_s = time.monotonic()
    threading.Timer(0.2, source.close).start()
    assert list(frames) == []
    assert time.monotonic() - started_s < 2
