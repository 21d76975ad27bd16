"""A stretch of one camera's footage as one file that anybody can play: the packets as they were recorded."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from audit.recording.closed import ClosedSegment
from audit.recording.decoding import index_of, open_segment, packets_of
from audit.recording.index import FrameRecord, Index
from audit.recording.library import Recordings
from audit.recording.muxing import Stamps, StreamTemplate
from gallery.photo_files import sync
from gallery.times import utc_text_from_ns
from pipeline.errors import SourceNotFound, StorageError, UsageError
from pipeline.sources.ffmpeg import plain

_FORMATS = {".mp4": "mp4", ".mkv": "matroska"}


@dataclass(frozen=True, slots=True)
class Exported:
    """What is in an exported file.

    Attributes:
        path: The file.
        first_captured_at_ns: When its first frame was taken, nanoseconds since 1970 UTC;
            `last_captured_at_ns` its last.
        frames: How many frames of the pipeline it holds.
        segments: Where they come from, in order.
        gaps_ns: From when to when nothing was recorded within; the file goes on at once after each.
    """

    path: Path
    first_captured_at_ns: int
    last_captured_at_ns: int
    frames: int
    segments: tuple[ClosedSegment, ...]
    gaps_ns: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of a segment that is decodable by itself: packets `start` to before `stop`.

    `times_ns` are those of its frames, in order: when they were captured, or shown in their epoch.
    """

    segment: ClosedSegment
    index: Index
    start: int
    stop: int
    times_ns: tuple[int, ...]

    def follows(self, other: _Stretch) -> bool:
        """Whether nothing is missing between `other` and this."""
        ours, theirs = self.index, other.index
        if (ours.header.stream, self.start, other.stop) != (
            theirs.header.stream,
            0,
            other.segment.packets,
        ):
            return False
        return ours.packets[0].ordinal == theirs.packets[other.stop - 1].ordinal + 1


def export(recordings: Recordings, camera: str, from_ns: int, to_ns: int, out: Path) -> Exported:
    """Write the footage that was captured from one time to another, nothing encoded anew.

    It begins at the last key frame that is not too late and ends before the first one that is, so that it
    holds a little more than was asked for.

    Args:
        recordings: Where.
        camera: Whose.
        from_ns: From when, nanoseconds since 1970 UTC.
        to_ns: Until when, included.
        out: The file, ``.mp4`` or ``.mkv``; must not exist. It is there whole or not at all.

    Raises:
        UsageError: the times or the file do not fit, or the stream changed in between.
        SourceNotFound: there is no footage of that time.
        SourceUnreadable: there is, but it cannot be read.
        StorageError: the file cannot be written.
    """
    if from_ns > to_ns:
        raise UsageError("an export must not end before it begins: exchange the two times")
    if out.suffix.lower() not in _FORMATS:
        raise UsageError(f"{out} must end in .mp4 or .mkv")
    if out.exists():
        raise UsageError(f"{out} is there already: name another file, or remove it")
    stretches = _stretches(recordings.segments(camera, from_ns, to_ns + 1), from_ns, to_ns)
    if not stretches:
        raise SourceNotFound(
            f"there is no footage of {camera} from that time: `pinwatch recordings list` shows what there "
            "is; footage of a file has a time of day only where --started-at said it"
        )
    _write(stretches, out)
    return _described(stretches, out)


def export_epoch(
    recordings: Recordings, camera: str, stream_epoch: int, out: Path, *, first_pts_ns: int, last_pts_ns: int
) -> tuple[int, int]:
    """The same by the times of an epoch, which footage without a time of day has as well.

    Returns:
        The `pts_ns` of the first and of the last frame in the file.

    Raises:
        UsageError: the times do not fit, or the codec does not fit into the file.
        SourceNotFound: there is no footage of that time.
        SourceUnreadable: there is, but it cannot be read.
        StorageError: the file cannot be written.
    """
    if first_pts_ns > last_pts_ns:
        raise UsageError("an export must not end before it begins: exchange the two times")
    segments = recordings.between(camera, stream_epoch, first_pts_ns, last_pts_ns)
    found = _stretches(segments, first_pts_ns, last_pts_ns, _shown)
    stretches = [one for one in found if one.times_ns[-1] >= first_pts_ns]
    if not stretches:
        raise SourceNotFound(f"there is no footage of {camera} from that time in epoch {stream_epoch}")
    _write(stretches, out)
    return stretches[0].times_ns[0], max(one.times_ns[-1] for one in stretches)


def _captured(name: FrameRecord) -> int | None:
    return name.captured_at_ns


def _shown(name: FrameRecord) -> int | None:
    return name.pts_ns


def _stretches(
    segments: Sequence[ClosedSegment],
    from_ns: int,
    to_ns: int,
    time_of: Callable[[FrameRecord], int | None] = _captured,
) -> list[_Stretch]:
    """In the order of time."""
    found = [_clipped(segment, from_ns, to_ns, time_of) for segment in segments]
    return sorted((one for one in found if one is not None), key=lambda one: one.times_ns[0])


def _clipped(
    segment: ClosedSegment, from_ns: int, to_ns: int, time_of: Callable[[FrameRecord], int | None]
) -> _Stretch | None:
    """From the last key frame by `from_ns` to before the first after `to_ns`; ``None`` without frames."""
    index = index_of(segment)
    times = {name.ordinal: time_of(name) for name in index.names_within(segment.packets)}
    packets = index.packets[: segment.packets]
    keys = [(place, times.get(packet.ordinal)) for place, packet in enumerate(packets) if packet.is_key]
    start = max((place for place, at_ns in keys if at_ns is not None and at_ns <= from_ns), default=0)
    later = (place for place, at_ns in keys if place and at_ns is not None and at_ns > to_ns)
    stop = min(later, default=len(packets))
    own = (times.get(packet.ordinal) for packet in packets[start:stop])
    times_ns = tuple(sorted(at_ns for at_ns in own if at_ns is not None))
    return _Stretch(segment, index, start, stop, times_ns) if times_ns else None


def _write(stretches: Sequence[_Stretch], out: Path) -> None:
    temporary = out.with_name(f"{out.name}.{os.getpid()}.tmp")
    try:
        _mux(stretches, temporary, out)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(out)
        sync(out.parent)
    except (OSError, av.FFmpegError) as error:
        raise StorageError(f"{out} cannot be written: {plain(error)}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _mux(stretches: Sequence[_Stretch], temporary: Path, out: Path) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(closing(open_segment(stretches[0].segment)))
        template = StreamTemplate(first.streams.video[0])
        if template.suffix == "mkv" and out.suffix.lower() != ".mkv":
            raise UsageError(
                f"video in {template.codec} does not fit into MP4: name a file that ends in .mkv"
            )
        container = stack.enter_context(
            av.open(f"file:{temporary}", "w", format=_FORMATS[out.suffix.lower()])
        )
        stream = template.add_to(container)
        base, rate_hz = stretches[0].index.header.base, template.rate_hz
        _add_all(stretches, first, container, stream, Stamps(base, rate_hz))


def _add_all(
    stretches: Sequence[_Stretch],
    first: InputContainer,
    container: OutputContainer,
    stream: VideoStream,
    stamps: Stamps,
) -> None:
    kind, before = _kind(first, stretches[0]), None
    for stretch in stretches:
        if before is not None and not stretch.follows(before):
            stamps.restart()
        before = stretch
        with closing(open_segment(stretch.segment)) as source:
            if _kind(source, stretch) != kind:
                raise UsageError(
                    f"{stretch.segment.camera_id} changed its stream at "
                    f"{utc_text_from_ns(stretch.times_ns[0])}: export what is before and what is after "
                    "by itself"
                )
            _add(stretch, source, container, stream, stamps)


def _add(
    stretch: _Stretch,
    source: InputContainer,
    container: OutputContainer,
    stream: VideoStream,
    stamps: Stamps,
) -> None:
    for place, (_, packet) in enumerate(packets_of(source, stretch.index, stretch.segment.packets)):
        if stretch.start <= place < stretch.stop:
            packet.pts, packet.dts = stamps.of(packet.pts, packet.dts, 0)
            packet.duration = None
            packet.time_base = stamps.time_base
            packet.opaque = None
            packet.stream = stream
            container.mux_one(packet)


def _kind(source: InputContainer, stretch: _Stretch) -> tuple[object, ...]:
    """What must not change within a file."""
    context = source.streams.video[0].codec_context
    return (context.name, context.width, context.height, context.extradata, stretch.index.header.base)


def _described(stretches: Sequence[_Stretch], out: Path) -> Exported:
    pairs = itertools.pairwise(stretches)
    return Exported(
        path=out,
        first_captured_at_ns=stretches[0].times_ns[0],
        last_captured_at_ns=max(one.times_ns[-1] for one in stretches),
        frames=sum(len(one.times_ns) for one in stretches),
        segments=tuple(one.segment for one in stretches),
        gaps_ns=tuple(
            (one.times_ns[-1], other.times_ns[0]) for one, other in pairs if not other.follows(one)
        ),
    )
