"""Main stream and substream of one real camera: every pair is of one moment."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from pipeline.clock import SystemClock
from pipeline.redact import Address
from pipeline.seams import FrameSource
from pipeline.sources.opening import CameraPlan, open_camera
from pipeline.sources.options import LiveOptions, Transport
from pipeline.sources.select import StreamSpec
from tests.contracts.frame_source import FrameSourceContract, Make
from tests.rtsp.camera import Guard, RtspServer, first
from tests.rtsp.counting import read_number

pytestmark = pytest.mark.rtsp


def paired(server: RtspServer, options: LiveOptions, transport: Transport = Transport.TCP) -> FrameSource:
    plan = CameraPlan(
        "gate",
        StreamSpec(Address.parse(server.url("main"))),
        StreamSpec(Address.parse(server.url("sub"))),
        transport=transport,
    )
    return open_camera(plan, itertools.count(1).__next__, options, SystemClock())


class TestContract(FrameSourceContract):
    @pytest.fixture
    def make(self, server: RtspServer, options: LiveOptions) -> Make:
        return lambda: paired(server, options)


@pytest.mark.parametrize("transport", list(Transport))
def test_pairs_show_the_same_frame(
    server: RtspServer, options: LiveOptions, guard: Guard, transport: Transport
) -> None:
    source = guard(paired(server, options, transport))
    apart = []
    for frame in itertools.islice(source.frames(), 150):
        assert frame.image_bgr.shape == (360, 640, 3)
        if frame.detection_bgr is not None:
            assert frame.detection_bgr.shape == (180, 320, 3)
            apart.append(abs(read_number(frame.image_bgr) - read_number(frame.detection_bgr)))
    source.close()
    assert len(apart) > 140
    assert apart.count(0) >= 0.95 * len(apart), "by arrival at first, then exactly by the camera's clock"
    assert apart[-50:].count(0) >= 49


def test_a_silent_substream_falls_back_and_comes_back(
    server: RtspServer, options: LiveOptions, guard: Guard
) -> None:
    source = guard(paired(server, options))
    frames = source.frames()
    with capture_logs() as logs:
        assert first(frames, lambda frame: frame.detection_bgr is not None)
        server.pause("sub")
        started_s = time.monotonic()
        alone = first(frames, lambda frame: frame.detection_bgr is None)
        assert time.monotonic() - started_s < options.pair_fallback_s + 1.0
        threading.Timer(options.stall_s + 1, server.resume, ["sub"]).start()
        again = first(frames, lambda frame: frame.detection_bgr is not None)
    later = next(itertools.islice(frames, 20, None))
    source.close()
    assert alone.stream_epoch == again.stream_epoch == 1
    assert later.detection_bgr is not None
    # By arrival: the substream's new connection has not told the camera's time yet.
    assert abs(read_number(later.image_bgr) - read_number(later.detection_bgr)) <= 1
    assert any("detecting on the main stream" in entry["event"] for entry in logs)


def test_a_killed_camera_comes_back_paired(server: RtspServer, options: LiveOptions, guard: Guard) -> None:
    source = guard(paired(server, replace(options, pair_fallback_s=3.0)))
    frames = source.frames()
    assert first(frames, lambda frame: frame.detection_bgr is not None).stream_epoch == 1
    server.kill()
    server.start()
    again = first(frames, lambda f: f.stream_epoch > 1 and f.detection_bgr is not None)
    source.close()
    assert again.stream_epoch == 2
