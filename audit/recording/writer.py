"""Where a segment begins and ends, for one camera."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from audit.recording.disk import SegmentDisk
from audit.recording.index import FrameRecord, IndexHeader
from audit.recording.muxing import KeptPacket, StreamTemplate
from audit.recording.options import RecordingOptions
from audit.recording.segment import OpenSegment
from pipeline.sources.channel import DropCounter
from pipeline.sources.timeline import NS

_HELD_BYTES = 32 << 20
_HELD_PACKETS = 300
"""A key frame that is not named by then was not decoded; what follows it is kept all the same."""


@dataclass(frozen=True, slots=True)
class NamedFrame:
    """A frame as the pipeline calls it.

    Attributes:
        ordinal: Of the packet that it came from.
        stream_epoch: Its epoch.
        pts_ns: Its time since the epoch's first frame.
        captured_at_ns: Wall-clock time, ``None`` where unknown.
    """

    ordinal: int
    stream_epoch: int
    pts_ns: int
    captured_at_ns: int | None


class SegmentWriter:
    """Puts one camera's packets into segments. For one thread, which may have to wait for the disk.

    Packets come before their frames have names, and a segment is called by the name of its first frame. So
    from the key frame on that shall begin a segment packets are held, until the first of them is named: then
    nothing before that key frame can be named any more, and the segment before it is complete.

    Args:
        camera_id: Whose.
        disk: Where to.
        options: Sizes and times.
        drops: Packets that are not kept are counted here: as ``before_key_frame``, as ``unnamed`` where no
            frame of their stream was ever decoded, or as the disk's refusal.
    """

    def __init__(
        self, camera_id: str, disk: SegmentDisk, options: RecordingOptions, drops: DropCounter
    ) -> None:
        self._camera_id = camera_id
        self._disk = disk
        self._options = options
        self._drops = drops
        self._template: StreamTemplate | None = None
        self._picture_px: tuple[int, int] | None = None
        self._stream = ""
        self._segment: OpenSegment | None = None
        self._held: list[KeptPacket] = []
        self._held_bytes = 0
        self._next_ordinal = 0
        self._gap = False
        self._last: NamedFrame | None = None

    @property
    def wants_key_frame(self) -> bool:
        """Whether the next packet should be a key frame, for whoever can choose."""
        return not self._held and self._may_begin()

    def open_stream(self, template: StreamTemplate, picture_px: tuple[int, int] | None = None) -> None:
        """Begin with a connection; ordinals count from 0 again.

        Args:
            template: Its stream.
            picture_px: Width and height of the pictures, where encoding has made them larger.
        """
        self.close()
        self._template, self._picture_px = template, picture_px
        self._stream = secrets.token_hex(8)
        self._next_ordinal, self._gap, self._last = 0, False, None

    def packet(self, kept: KeptPacket) -> None:
        """Take the next packet. One whose ordinal is not the next comes after a gap."""
        if kept.ordinal != self._next_ordinal:
            self._begin_unnamed()
            self._gap = True
        self._next_ordinal = kept.ordinal + 1
        if self._held or (kept.is_key and self._may_begin()):
            self._hold(kept)
        elif self._segment is None or self._gap:
            self._drops.add(self._lack)
        else:
            self._write(kept)

    def frame(self, frame: NamedFrame) -> None:
        """Take the name of a frame; names come in the order of time."""
        if self._held and frame.ordinal >= self._held[0].ordinal:
            self._begin(frame.stream_epoch, frame.pts_ns)
        self._last = frame
        record = FrameRecord(frame.ordinal, frame.pts_ns, frame.captured_at_ns)
        self._do(lambda segment: segment.frame(record))

    def close(self) -> None:
        """The connection has ended: end the segment."""
        self._begin_unnamed()
        self._end()

    def _may_begin(self) -> bool:
        """Whether a key frame would begin a new segment now."""
        segment, options = self._segment, self._options
        if segment is None or self._gap:
            return True
        return segment.length_ns >= options.segment_s * NS or segment.size_bytes >= options.segment_bytes

    @property
    def _lack(self) -> str:
        return self._disk.refusal or "before_key_frame"

    def _hold(self, kept: KeptPacket) -> None:
        self._gap = False
        self._held.append(kept)
        self._held_bytes += kept.size_bytes
        if len(self._held) > _HELD_PACKETS or self._held_bytes > _HELD_BYTES:
            self._begin_unnamed()

    def _begin_unnamed(self) -> None:
        """Keep what is held although none of it was named, behind what was."""
        if self._held and self._last is not None:
            self._begin(self._last.stream_epoch, self._last.pts_ns + 1)
        self._drops.add("unnamed", len(self._held))
        self._held, self._held_bytes = [], 0

    def _begin(self, stream_epoch: int, first_pts_ns: int) -> None:
        self._end()
        template = self._template
        if template is None:
            raise ValueError("packets came before their stream was opened")
        held, self._held, self._held_bytes = self._held, [], 0
        header = self._header(template, stream_epoch, first_pts_ns)
        self._segment = self._disk.open(header, template)
        for kept in held:
            if self._segment is None:
                self._drops.add(self._lack)
            self._write(kept)

    def _header(self, template: StreamTemplate, stream_epoch: int, first_pts_ns: int) -> IndexHeader:
        return IndexHeader(
            camera_id=self._camera_id,
            stream_epoch=stream_epoch,
            first_pts_ns=first_pts_ns,
            stream=self._stream,
            codec=template.codec,
            time_base=(template.time_base.numerator, template.time_base.denominator),
            rate_hz=template.rate_hz,
            picture_px=self._picture_px,
        )

    def _write(self, kept: KeptPacket) -> None:
        self._do(lambda segment: segment.packet(kept))

    def _do(self, step: Callable[[OpenSegment], object]) -> None:
        if self._segment is not None and not self._disk.write(self._segment, step):
            self._segment = None

    def _end(self) -> None:
        if self._segment is not None:
            self._disk.close(self._segment)
            self._segment = None
