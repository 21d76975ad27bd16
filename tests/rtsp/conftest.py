"""Real RTSP cameras that show numbered frames."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.seams import FrameSource
from pipeline.sources.options import LiveOptions
from tests.rtsp.camera import FRAMES, GUARD_S, Guard, RtspServer
from tests.rtsp.counting import write_numbered_video

LIVE = LiveOptions(
    open_timeout_s=3.0,
    stall_s=1.5,
    retry_first_s=0.1,
    retry_max_s=0.4,
    buffer_frames=8,
    pair_fallback_s=1.0,
)


@pytest.fixture
def options() -> LiveOptions:
    """Short waits; a buffer that forgives a test machine that is busy for a moment."""
    return LIVE


@pytest.fixture(scope="session")
def numbered_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds in which frame n shows the number n."""
    return write_numbered_video(tmp_path_factory.mktemp("rtsp") / "numbered.mp4", FRAMES)


@pytest.fixture
def guard() -> Iterator[Guard]:
    """``guard(source)`` is `source`, closed at the end of the test, and after a while whatever happens."""
    timers: list[threading.Timer] = []

    def watch(source: FrameSource) -> FrameSource:
        timers.append(threading.Timer(GUARD_S, source.close))
        timers[-1].start()
        return source

    yield watch
    for timer in timers:
        timer.cancel()
        timer.function()


@pytest.fixture
def server(numbered_video: Path) -> Iterator[RtspServer]:
    """A camera without a password."""
    with RtspServer(numbered_video) as running:
        yield running
