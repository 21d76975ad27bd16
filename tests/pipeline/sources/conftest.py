"""Videos made on the spot, cameras made of Python, and a watch over threads."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from pipeline.clock import SystemClock
from pipeline.errors import SourceLost
from pipeline.sources.connection import Shot, StreamInfo
from pipeline.sources.options import LiveOptions
from pipeline.sources.picture import ArrayPicture
from pipeline.types import ByteArray

MakeVideo = Callable[..., Path]

FAST = LiveOptions(
    open_timeout_s=5, stall_s=1.0, retry_first_s=0.02, retry_max_s=0.1, stable_s=5, pair_fallback_s=0.5
)


def grey_picture(value: int, width: int, height: int) -> ByteArray:
    return np.full((height, width, 3), value, np.uint8)


def write_video(
    path: Path,
    *,
    count: int = 20,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate_hz: int = 25,
    ticks: Sequence[int] | None = None,
    picture: Callable[[int, int, int], ByteArray] = grey_picture,
    gop: int = 5,
    color_range: int | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """`count` pictures as `path`; `ticks` are their time stamps in frames."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        options = {"g": str(gop), "preset": "ultrafast"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=rate_hz, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.color_range = color_range or 0
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="bgr24")
            frame = frame.reformat(format=pix_fmt, dst_color_range=color_range)
            frame.pts = number if ticks is None else ticks[number]
            frame.time_base = Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """``make_video("name.mp4", **how)`` as :func:`write_video`."""
    return lambda name, **how: write_video(tmp_path / name, **how)


@dataclass
class FakeCamera:
    """A camera made of Python: each connection gives `per_session` pictures, then breaks.

    Its pictures are grey: the value counts up from 0 over all connections.

    Attributes:
        per_session: Pictures a connection gives; ``None`` never breaks.
        period_s: Time between two pictures.
        refuse: Errors that the next tries to connect raise, first to last.
        connects: How many connections there were.
    """

    per_session: int | None = None
    period_s: float = 0.005
    size: tuple[int, int] = (32, 24)
    refuse: list[Exception] = field(default_factory=list)
    connects: int = 0
    open_connections: int = 0
    silent: threading.Event = field(default_factory=threading.Event)
    value: Iterator[int] = field(default_factory=itertools.count)

    def connect(self) -> FakeConnection:
        if self.refuse:
            raise self.refuse.pop(0)
        self.connects += 1
        self.open_connections += 1
        return FakeConnection(self)


class FakeConnection:
    """One connection of a :class:`FakeCamera`."""

    def __init__(self, camera: FakeCamera) -> None:
        self._camera = camera
        self._clock = SystemClock()

    @property
    def info(self) -> StreamInfo:
        return StreamInfo("fake", *self._camera.size, 1 / self._camera.period_s)

    def shots(self) -> Iterator[Shot]:
        camera = self._camera
        started_s = self._clock.monotonic_s()
        for number in itertools.count():
            if number == camera.per_session:
                raise SourceLost("the fake camera breaks")
            while camera.silent.is_set():
                time.sleep(0.01)
                if self._clock.monotonic_s() - started_s > 30:
                    raise SourceLost("silent")
            now_ns = self._clock.now_ns()
            image = grey_picture(next(camera.value) % 256, *camera.size)
            pts_ns = 0 if number == 0 else round((self._clock.monotonic_s() - started_s) * 1e9)
            yield Shot(pts_ns, now_ns, None, ArrayPicture(image))
            time.sleep(camera.period_s)

    def close(self) -> None:
        self._camera.open_connections -= 1


@pytest.fixture
def fast() -> LiveOptions:
    """Short waits."""
    return FAST


@pytest.fixture
def fake_camera() -> type[FakeCamera]:
    return FakeCamera


def _source_threads() -> list[str]:
    return [
        thread.name for thread in threading.enumerate() if thread.name.startswith(("decode-", "capture-"))
    ]


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """Fail a test whose sources leave threads behind."""
    yield
    deadline_s = time.monotonic() + 5
    while _source_threads() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert _source_threads() == []
