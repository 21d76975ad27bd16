"""Videos made on the spot, and a watch over threads."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.video.stream import VideoStream

from pipeline.sources.options import LiveOptions
from pipeline.types import ByteArray
from tests.pipeline.sources.fakes import grey_picture

MakeVideo = Callable[..., Path]

FAST = LiveOptions(
    open_timeout_s=5,
    stall_s=1.0,
    retry_first_s=0.02,
    retry_max_s=0.1,
    stable_s=5,
    buffer_frames=64,  # nothing is stale unless a test wants it
    pair_fallback_s=0.5,
)


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
            # One thread: with several, swscale gives small pictures now and then other pixels.
            frame = frame.reformat(format=pix_fmt, dst_color_range=color_range, threads=1)
            frame.pts = number if ticks is None else ticks[number]
            frame.time_base = Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """``make_video("name.mp4", **how)`` as :func:`write_video`."""
    return lambda name, **how: write_video(tmp_path / name, **how)


@pytest.fixture
def fast() -> LiveOptions:
    """Short waits."""
    return FAST


@pytest.fixture
def unprivileged() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """``with unprivileged():`` is not root, who may read everything."""

    @contextlib.contextmanager
    def nobody() -> Iterator[None]:
        before = os.geteuid()
        os.seteuid(65534 if before == 0 else before)
        try:
            yield
        finally:
            os.seteuid(before)

    return nobody


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
