"""Paired sources on cameras made of Python; two real streams are in tests/rtsp."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest
from structlog.testing import capture_logs

from pipeline.clock import SystemClock
from pipeline.errors import SourceLost, SourceNotFound, SourceUnreadable
from pipeline.sources.options import LiveOptions
from pipeline.sources.paired import PairedSource
from tests.contracts.frame_source import FrameSourceContract, Make, take
from tests.pipeline.sources.fakes import FakeCamera

SMALL = (16, 12)


def paired(main: FakeCamera, sub: FakeCamera, fast: LiveOptions, **how: float) -> PairedSource:
    epochs = itertools.count(3).__next__
    clock = SystemClock()
    return PairedSource("gate", main.connect, sub.connect, epochs, options=fast, clock=clock, **how)  # type: ignore[arg-type]


class TestContract(FrameSourceContract):
    @pytest.fixture
    def make(self, fast: LiveOptions) -> Make:
        return lambda: paired(FakeCamera(), FakeCamera(size=SMALL), fast)


class TestContractWithoutSubstream(FrameSourceContract):
    @pytest.fixture
    def make(self, fast: LiveOptions) -> Make:
        return lambda: paired(FakeCamera(), FakeCamera(refuse=[SourceLost("off")] * 10**4), fast)


def test_frames_carry_both_pictures(fast: LiveOptions) -> None:
    source = paired(FakeCamera(), FakeCamera(size=SMALL), fast)
    for frame in take(source, 10):
        assert frame.image_bgr.shape == (24, 32, 3)
        assert frame.detection_bgr is not None
        assert frame.detection_bgr.shape == (12, 16, 3)
        assert frame.detection_bgr.dtype == np.uint8
        assert frame.stream_epoch == 3
    source.close()


def test_without_the_substream_detection_falls_back_and_the_log_says_so(fast: LiveOptions) -> None:
    main, sub = FakeCamera(), FakeCamera(size=SMALL, per_session=20)
    sub_errors = [SourceUnreadable("wrong password"), SourceNotFound("gone")] * 5
    source = paired(main, sub, fast)
    with capture_logs() as logs:
        frames = source.frames()
        assert next(frames).detection_bgr is not None
        sub.refuse += sub_errors
        alone = next(frame for frame in frames if frame.detection_bgr is None)
        sub.per_session = None
        again = next(frame for frame in frames if frame.detection_bgr is not None)
    source.close()
    assert alone.stream_epoch == again.stream_epoch == 3, "the main stream was never interrupted"
    said = [entry["event"] for entry in logs if entry["log_level"] == "warning"]
    assert sum("detecting on the main stream" in event for event in said) == 1
    assert sum("on the substream again" in event for event in said) == 1


def test_a_substream_that_is_refused_from_the_start_does_not_end_the_camera(fast: LiveOptions) -> None:
    source = paired(FakeCamera(), FakeCamera(refuse=[SourceUnreadable("wrong password")] * 10**4), fast)
    assert all(frame.detection_bgr is None for frame in take(source, 5))
    source.close()


def test_a_main_stream_that_is_refused_does(fast: LiveOptions) -> None:
    source = paired(FakeCamera(refuse=[SourceUnreadable("wrong password")]), FakeCamera(), fast)
    with pytest.raises(SourceUnreadable, match="wrong password"):
        next(source.frames())


def test_the_main_stream_gives_the_epochs(fast: LiveOptions) -> None:
    source = paired(FakeCamera(per_session=10), FakeCamera(size=SMALL), fast)
    frames = take(source, 12)
    source.close()
    epochs = [frame.stream_epoch for frame in frames]
    assert epochs == sorted(epochs)
    assert len(set(epochs)) > 1


def test_a_slow_consumer_and_a_rate_limit_are_counted(fast: LiveOptions) -> None:
    source = paired(FakeCamera(), FakeCamera(size=SMALL), replace(fast, buffer_frames=1), rate_limit_hz=50.0)
    for _ in itertools.islice(source.frames(), 4):
        time.sleep(0.1)
    source.close()
    assert source.dropped_by_cause["stale"] > 3
    assert source.dropped_by_cause["rate_limit"] > 3
