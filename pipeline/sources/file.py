"""Video files: every frame, with its own time, as fast as they are taken."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import structlog
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.errors import SourceNotFound, SourceUnreadable
from pipeline.sources.ahead import DecodedAhead
from pipeline.sources.channel import Channel, DropCounter
from pipeline.sources.ffmpeg import decoded, open_input, plain, rate_of, video_stream
from pipeline.sources.picture import BgrConverter
from pipeline.sources.tap import PacketTap
from pipeline.sources.timeline import NS, Timeline, to_ns
from pipeline.types import Frame

log = structlog.get_logger(__name__)

_AHEAD_BYTES = 64 << 20
_AHEAD_FRAMES = 4


@dataclass(frozen=True, slots=True)
class _Header:
    """What the file says about itself before its first frame."""

    rate_hz: float
    frame_count: int | None
    duration_ns: int | None
    frame_bytes: int


@dataclass(slots=True)
class _Progress:
    """What was read of a file so far; `cut_short` if a packet or the file broke off."""

    frames: int = 0
    end_ns: int = 0
    packets: int = 0
    cut_short: bool = False


class FileSource:
    """A video file. Decodes ahead in a thread of its own, which works while the consumer works.

    Frames and their times are the same on every run. Broken frames are skipped and counted as
    ``corrupt``; if the file ends before it says it does, the frames that are missing are counted as
    ``truncated``. `frames` may be called again and starts over.

    Args:
        path: The file.
        camera_id: Whose frames these are; by default the file's stem.
        started_at_ns: Wall-clock time of the first frame, nanoseconds since 1970 UTC, if known.
        threads: Decoder threads; ``None`` takes half of the processors, which leaves the rest to the
            consumer, and 0 lets FFmpeg choose as if nobody else had work to do.
        tap: Shown every packet before it is decoded, and told what its frame is called.

    Raises:
        SourceNotFound: there is no such file.
        SourceUnreadable: it cannot be read, or holds no video.
    """

    live = False

    def __init__(
        self,
        path: Path,
        *,
        camera_id: str | None = None,
        started_at_ns: int | None = None,
        threads: int | None = None,
        tap: PacketTap | None = None,
    ) -> None:
        self._tap = tap
        self._path = path
        self._camera_id = camera_id or path.stem
        self._started_at_ns = started_at_ns
        self._threads = max(1, len(os.sched_getaffinity(0)) // 2) if threads is None else threads
        self._drops = DropCounter()
        self._ahead = DecodedAhead(self._camera_id, self._fill)
        with _open(path) as container:
            self._header = _read_header(container, video_stream(container, str(path)))

    @property
    def camera_id(self) -> str:
        return self._camera_id

    @property
    def frame_count(self) -> int | None:
        return self._header.frame_count

    @property
    def rate_hz(self) -> float:
        return self._header.rate_hz

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        return self._drops.as_dict()

    def frames(self) -> Iterator[Frame]:
        """Yield every frame in order.

        Raises:
            SourceNotFound: the file has gone.
            SourceUnreadable: not one frame could be decoded.
        """
        ahead = max(1, min(_AHEAD_FRAMES, _AHEAD_BYTES // self._header.frame_bytes))
        yield from self._ahead.frames(ahead)

    def close(self) -> None:
        """End `frames` soon; safe from another thread and twice."""
        self._ahead.close()

    def _fill(self, channel: Channel[Frame]) -> None:
        with _open(self._path) as container, self._tapped(container):
            self._decode_into(channel, container)

    def _decode_into(self, channel: Channel[Frame], container: InputContainer) -> None:
        stream = video_stream(container, str(self._path))
        stream.codec_context.thread_type = av.codec.context.ThreadType.AUTO
        stream.codec_context.thread_count = self._threads
        timeline, convert, progress = Timeline(self.rate_hz), BgrConverter(), _Progress()
        for packet in _packets(container, stream, progress):
            if self._tap is not None:
                # A new object for each packet: PyAV finds it by its address when the frame comes out.
                packet.opaque = (self._tap.packet(packet),)
            for decoded_frame in decoded(packet, self._drops):
                frame = self._frame(decoded_frame, timeline, convert)
                self._name(decoded_frame, frame)
                progress.frames += 1
                progress.end_ns = frame.pts_ns + round(NS / self.rate_hz)
                if not channel.put(frame):
                    return
        self._conclude(progress)

    def _frame(self, frame: VideoFrame, timeline: Timeline, convert: BgrConverter) -> Frame:
        known = frame.pts is not None and frame.time_base is not None
        pts_ns = timeline.stamp(to_ns(frame.pts, frame.time_base) if known else None)  # type: ignore[arg-type]
        at_ns = None if self._started_at_ns is None else self._started_at_ns + pts_ns
        return Frame(self._camera_id, 0, pts_ns, at_ns, convert(frame))

    @contextmanager
    def _tapped(self, container: InputContainer) -> Iterator[None]:
        """While the file is read: the tap listens to its stream."""
        if self._tap is None:
            yield
            return
        stream = video_stream(container, str(self._path))
        stream.codec_context.copy_opaque = True
        self._tap.open_stream(stream)
        try:
            yield
        finally:
            self._tap.close_stream()

    def _name(self, decoded_frame: VideoFrame, frame: Frame) -> None:
        if self._tap is not None and isinstance(decoded_frame.opaque, tuple):
            (ordinal,) = decoded_frame.opaque
            self._tap.frame(ordinal, frame.stream_epoch, frame.pts_ns, frame.captured_at_ns)

    def _conclude(self, progress: _Progress) -> None:
        """At the end of the file: say so if it is not the end of the footage."""
        if not progress.frames:
            raise SourceUnreadable(
                f"{self._path} holds no picture that can be decoded ({progress.packets} packets read); "
                "it may be empty, or cut off before its first picture: export it again"
            )
        missing = _missing_frames(self._header, progress, self._drops.as_dict().get("corrupt", 0))
        if missing:
            self._drops.add("truncated", missing)
            log.warning(
                "the file breaks off before its end",
                path=str(self._path),
                missing_frames=missing,
                ends_at_s=progress.end_ns / NS,
            )


def _open(path: Path) -> InputContainer:
    try:
        if not path.exists():
            raise SourceNotFound(f"there is no file {path}; check the path")
        if not path.is_file():
            raise SourceUnreadable(f"{path} is not a file; give a video file or a folder of images")
        if not path.stat().st_size:
            raise SourceUnreadable(f"{path} is empty (0 bytes); export or copy it again")
        with path.open("rb"):
            pass
    except OSError as error:
        raise SourceUnreadable(f"{path} cannot be read: {error.strerror}; check its permissions") from error
    # "file:" keeps a colon in the name from being taken for a protocol, and no playlist may go elsewhere.
    container = open_input(f"file:{path}", functools.partial(_no_video, path), {"protocol_whitelist": "file"})
    if container.streams:
        return container
    container.close()
    raise _no_video(path)


def _no_video(path: Path, error: Exception | None = None) -> SourceUnreadable:
    reason = f" ({plain(error)})" if error else ""
    return SourceUnreadable(
        f"{path} is not a video that can be decoded{reason}; it may be no video at all, or a recording cut "
        "off before its index was written: export it again, e.g. as MP4 with H.264"
    )


def _read_header(container: InputContainer, stream: VideoStream) -> _Header:
    durations = []
    if stream.duration and stream.time_base:
        durations.append(to_ns(stream.duration, stream.time_base))
    if container.duration and (durations or len(container.streams) == 1):  # else it may be the sound's
        durations.append(container.duration * 1000)
    context = stream.codec_context
    return _Header(
        rate_hz=rate_of(stream),
        frame_count=stream.frames or None,
        duration_ns=min(durations, default=None),
        frame_bytes=max(1, context.width * context.height * 3),
    )


def _packets(
    container: InputContainer, stream: VideoStream, progress: _Progress
) -> Iterator[Packet[VideoStream]]:
    """The stream's packets to the end of the file or to where it breaks off, then the flushing one."""
    try:
        for packet in container.demux(stream):
            progress.packets += bool(packet.size)
            progress.cut_short = packet.is_corrupt if packet.size else progress.cut_short
            yield packet
    except av.FFmpegError:
        progress.cut_short = True
        flush: Packet[VideoStream] = Packet()  # type: ignore[assignment]
        flush.stream = stream
        yield flush


def _missing_frames(header: _Header, progress: _Progress, corrupt: int) -> int:
    """How many frames the file promised and does not hold.

    A count alone proves nothing: an edited file says how many frames it stores, not how many it shows.
    """
    period_ns = NS / header.rate_hz
    short_ns = 0 if header.duration_ns is None else header.duration_ns - progress.end_ns
    if not progress.cut_short and short_ns < max(NS // 4, 2 * period_ns):
        return 0
    promised = header.frame_count or progress.frames + corrupt + round(max(0, short_ns) / period_ns)
    return max(1, promised - progress.frames - corrupt)
