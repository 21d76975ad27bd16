"""A stand-in for the reader: clips made on the spot, and their packets and frames handed to a recorder."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.stream import VideoStream

from audit.recording.closed import ClosedSegment
from audit.recording.layout import FOLDER
from audit.recording.library import Recordings
from audit.recording.options import RecordingOptions
from audit.recording.tap import PacketRecorder
from pipeline.clock import SystemClock
from pipeline.errors import PinwatchError
from pipeline.seams import Clock
from pipeline.sources.ffmpeg import rate_of
from pipeline.sources.file import FileSource
from pipeline.sources.timeline import Timeline, to_ns
from pipeline.types import Frame
from tests.rtsp.counting import numbered_picture

CAMERA = "gate"
START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000
B_FRAMES = {"bf": "3", "g": "10", "x264-params": "b-adapt=0:scenecut=0", "preset": "veryfast"}
OPEN_GOPS = {**B_FRAMES, "x264-params": "b-adapt=0:scenecut=0:open-gop=1"}

Shown = list[tuple[int, bytes]]


def write_clip(
    path: Path,
    count: int = 60,
    *,
    codec: str = "libx264",
    options: Mapping[str, str] = B_FRAMES,
    size: tuple[int, int] = (160, 96),
    pix_fmt: str = "yuv420p",
    rate_hz: int = 10,
) -> Path:
    """`count` numbered pictures with a key frame every second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, options=dict(options))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.gop_size = rate_hz
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number, *size), format="bgr24")
            frame = frame.reformat(format=pix_fmt, threads=1)
            frame.pts, frame.time_base = number, Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class Told:
    """What a recorder tells."""

    def __init__(self) -> None:
        self.closed: list[ClosedSegment] = []
        self.errors: list[str] = []

    def error(self, error: PinwatchError) -> None:
        self.errors.append(str(error))


def recorder(data: Path, told: Told, clock: Clock | None = None, **how: Any) -> PacketRecorder:
    """A recorder that drops nothing; `how` are options of recording, or its own."""
    own = {name: how.pop(name) for name in ("patient", "clock_offset_s", "camera_id") if name in how}
    return PacketRecorder(
        data / FOLDER,
        own.pop("camera_id", CAMERA),
        RecordingOptions(**{"segment_s": 1.5, "reserve_bytes": 0, **how}),
        clock=clock or SystemClock(),
        on_closed=told.closed.append,
        on_error=told.error,
        **{"patient": True, **own},
    )


def play(
    clip: Path,
    into: PacketRecorder,
    *,
    epoch: int = 0,
    threads: int = 1,
    after: Callable[[int, int], None] = lambda epoch, pts_ns: None,
) -> None:
    """Read a clip as a reader does: tap every packet, decode it, name its frames; `after` is told of each."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.codec_context.copy_opaque = True
        stream.codec_context.thread_type, stream.codec_context.thread_count = "AUTO", threads
        timeline = Timeline(rate_of(stream))
        into.open_stream(stream)
        for packet in container.demux(stream):
            packet.opaque = (into.packet(packet),)
            for frame in packet.decode():
                assert isinstance(frame.opaque, tuple)
                known = frame.pts is not None and frame.time_base is not None
                pts_ns = timeline.stamp(to_ns(frame.pts, frame.time_base) if known else None)  # type: ignore[arg-type]
                into.frame(frame.opaque[0], epoch, pts_ns, START_NS + pts_ns)
                after(epoch, pts_ns)
    into.close_stream()


def record(clip: Path, data: Path, *, epoch: int = 0, **how: Any) -> Told:
    """Record a whole clip."""
    told = Told()
    into = recorder(data, told, **how)
    play(clip, into, epoch=epoch)
    into.close()
    return told


def shown(clip: Path) -> Shown:
    """Times and pixels of a clip's frames as the pipeline has them."""
    return [(frame.pts_ns, pixels(frame)) for frame in FileSource(clip, threads=1).frames()]


def pixels(frame: Frame) -> bytes:
    """A checksum of a frame's picture and its shape."""
    return hashlib.sha256(frame.image_bgr.data).digest() + str(frame.image_bgr.shape).encode()


def replayed(data: Path, *, epoch: int = 0, camera: str = CAMERA) -> Shown:
    """The same of a recording."""
    frames = Recordings(data).frames(camera, epoch, threads=1)
    return [(frame.pts_ns, pixels(frame)) for frame in frames]


def main() -> None:
    """Record a clip again and again, each time as the next epoch, until somebody kills the process.

    Every frame is said on standard output after it was given to the recorder.
    """
    clip, data, pause_s = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    into = recorder(data, Told(), segment_s=1.5, fragment_s=0.5)

    def say(epoch: int, pts_ns: int) -> None:
        sys.stdout.write(f"{epoch} {pts_ns}\n")
        sys.stdout.flush()
        time.sleep(pause_s)

    for epoch in range(1000):
        play(clip, into, epoch=epoch, after=say)


if __name__ == "__main__":
    main()
