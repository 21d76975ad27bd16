"""From segments to frames: the same decoder over all of them, the names from their indexes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import av
import numpy as np
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from audit.recording.closed import ClosedSegment
from audit.recording.index import FrameRecord, Index, PacketRecord, read_index
from pipeline.errors import SourceNotFound, SourceUnreadable, StorageError
from pipeline.sources.channel import DropCounter
from pipeline.sources.ffmpeg import plain
from pipeline.sources.picture import BgrConverter
from pipeline.types import ByteArray, Frame


@dataclass(slots=True)
class _Decoding:
    """A decoder and the names of the frames that it has yet to give; for one uninterrupted run of packets."""

    context: VideoCodecContext
    stream: str
    next_ordinal: int
    picture_px: tuple[int, int] | None
    names: dict[int, FrameRecord] = field(default_factory=dict)
    convert: BgrConverter = field(default_factory=BgrConverter)


class SegmentDecoder:
    """Decodes segments of one epoch in their order, each frame with the name that the pipeline gave it.

    Where the footage goes on from one segment to the next so does the decoder; after a gap it begins anew.
    Frames that the pipeline never named (broken ones, say) are left out.

    Args:
        first_pts_ns: Frames before this are decoded where that is needed, and left out.
        threads: Decoder threads, 0 lets FFmpeg choose.
        drops: Counts frames that were named and are not to be had, as ``missing``, and broken ones, as
            ``corrupt``.
    """

    def __init__(self, first_pts_ns: int, threads: int, drops: DropCounter) -> None:
        self._first_pts_ns = first_pts_ns
        self._threads = threads
        self._drops = drops
        self._now: _Decoding | None = None

    def frames(self, segments: Sequence[ClosedSegment]) -> Iterator[Frame]:
        """Yield the frames from `first_pts_ns` on.

        Raises:
            SourceNotFound: footage is not there any more.
            SourceUnreadable: it cannot be read, or its index cannot.
        """
        for number, segment in enumerate(segments):
            with closing(open_segment(segment)) as container:
                yield from self._segment(segment, container, is_first=number == 0)
        yield from self._finish(segments[-1] if segments else None)

    def _segment(
        self, segment: ClosedSegment, container: InputContainer, *, is_first: bool
    ) -> Iterator[Frame]:
        index = index_of(segment)
        start = key_before(index, self._first_pts_ns) if is_first else 0
        if self._now is None or not self._goes_on(index):
            yield from self._finish(segment)
            self._now = self._begin(container, index, start)
        now = self._now
        ordinals = {packet.ordinal for packet in index.packets[start : segment.packets]}
        now.names.update((name.ordinal, name) for name in index.frames if name.ordinal in ordinals)
        for record, packet in packets_of(container, index, segment.packets):
            if record.ordinal in ordinals:
                now.next_ordinal = record.ordinal + 1
                yield from self._decoded(now, segment, packet)

    def _goes_on(self, index: Index) -> bool:
        now, header = self._now, index.header
        return (
            now is not None
            and bool(index.packets)
            and (now.stream, now.next_ordinal) == (header.stream, index.packets[0].ordinal)
        )

    def _begin(self, container: InputContainer, index: Index, start: int) -> _Decoding:
        context = container.streams.video[0].codec_context
        context.copy_opaque = True
        context.thread_type, context.thread_count = ThreadType.AUTO, self._threads
        first = index.packets[start].ordinal if index.packets else 0
        return _Decoding(context, index.header.stream, first, index.header.picture_px)

    def _finish(self, segment: ClosedSegment | None) -> Iterator[Frame]:
        """What the decoder still holds."""
        now, self._now = self._now, None
        if now is not None and segment is not None:
            yield from self._decoded(now, segment, None)
            wanted = sum(name.pts_ns >= self._first_pts_ns for name in now.names.values())
            self._drops.add("missing", wanted)

    def _decoded(
        self, now: _Decoding, segment: ClosedSegment, packet: Packet[VideoStream] | None
    ) -> Iterator[Frame]:
        try:
            pictures = now.context.decode(packet)
        except av.FFmpegError:
            self._drops.add("corrupt")
            return
        for picture in pictures:
            record = picture.opaque
            name = now.names.pop(record.ordinal, None) if isinstance(record, PacketRecord) else None
            if name is None or name.pts_ns < self._first_pts_ns:
                continue
            if picture.is_corrupt:
                self._drops.add("corrupt")
                continue
            image = _cut(now.convert(picture), now.picture_px)
            yield Frame(segment.camera_id, segment.stream_epoch, name.pts_ns, name.captured_at_ns, image)


def key_before(index: Index, pts_ns: int) -> int:
    """Where to decode from for the frame at `pts_ns`: the last key packet shown by then, or 0."""
    names = {name.ordinal: name.pts_ns for name in index.frames}
    keys = (place for place, packet in enumerate(index.packets) if packet.is_key)
    shown = (key for key in keys if names.get(index.packets[key].ordinal, pts_ns + 1) <= pts_ns)
    return max(shown, default=0)


def index_of(segment: ClosedSegment) -> Index:
    """Who is who in a segment. Raises ``SourceUnreadable``."""
    try:
        return read_index(segment.paths.index)
    except StorageError as error:
        raise SourceUnreadable(str(error)) from error


def open_segment(segment: ClosedSegment) -> InputContainer:
    """The footage of a segment. Raises ``SourceNotFound`` or ``SourceUnreadable``."""
    try:
        if segment.path.exists():
            # "file:" keeps a colon in the name from being taken for a protocol.
            return av.open(f"file:{segment.path}", options={"protocol_whitelist": "file"})
        raise SourceNotFound(f"the footage {segment.path} is not there any more: bring back a backup")
    except (OSError, av.FFmpegError) as error:
        raise SourceUnreadable(f"the footage {segment.path} cannot be read ({plain(error)})") from error


def packets_of(
    container: InputContainer, index: Index, count: int
) -> Iterator[tuple[PacketRecord, Packet[VideoStream]]]:
    """The whole packets of a segment with the stamps of their source, to its end or to where it is torn."""
    records = iter(index.packets[:count])
    try:
        for packet in container.demux(video=0):
            if not packet.size:
                continue
            record = next(records, None)
            if record is None or packet.is_corrupt:
                return
            packet.pts, packet.dts, packet.time_base = record.pts, record.dts, index.header.base
            # PyAV finds these by their address: an ordinal, which other decoders have as well, would not do.
            packet.opaque = record
            yield record, packet
    except av.FFmpegError as error:
        raise SourceUnreadable(f"{container.name} breaks off ({plain(error)}): verify it") from error


def _cut(image_bgr: ByteArray, picture_px: tuple[int, int] | None) -> ByteArray:
    if picture_px is None or image_bgr.shape[1::-1] == picture_px:
        return image_bgr
    width, height = picture_px
    return np.ascontiguousarray(image_bgr[:height, :width])
