"""One open segment: its media file, its index, and the lock that says that somebody is writing it."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import av

from audit.recording.closed import ClosedSegment, write_record
from audit.recording.index import FrameRecord, IndexHeader, PacketRecord, encode_header, encode_record
from audit.recording.layout import SegmentPaths
from audit.recording.media import GrowingFile
from audit.recording.muxing import KeptPacket, Muxer, StreamTemplate
from gallery.photo_files import make_folder, sync


class OpenSegment:
    """A segment that is being written, by one thread.

    The index is locked as long as this process lives or until the segment is closed: what is not locked and
    has no JSON is what a crash left.

    Args:
        folder: Of the epoch; made if it is not there.
        header: What the index begins with.
        template: The stream.
        fragment_s: After how long packets are written out.

    Raises:
        OSError: the files cannot be made; none is left behind. ``FileExistsError``: there is such a segment.
    """

    def __init__(
        self, folder: Path, header: IndexHeader, template: StreamTemplate, *, fragment_s: float
    ) -> None:
        self.header = header
        self.paths = SegmentPaths.of(folder, header.first_pts_ns, template.suffix)
        self.packets = self.frames = 0
        self._first: FrameRecord | None = None
        self._last: FrameRecord | None = None
        self._ordinals = (1, 0)
        make_folder(folder)
        if self.paths.any_exists():
            raise FileExistsError(f"{self.paths.media} is there already")
        self._index, self._media = _files(self.paths)
        try:
            self._index.write(encode_header(header))
            sync(folder)
            self._muxer = Muxer(template, self._media, fragment_s)
        except BaseException:
            self.discard()
            raise

    @property
    def size_bytes(self) -> int:
        return self._media.size_bytes

    @property
    def length_ns(self) -> int:
        """From its first frame to its last so far."""
        return 0 if self._last is None else self._last.pts_ns - self.header.first_pts_ns

    def packet(self, kept: KeptPacket) -> None:
        """Add a packet. Raises ``OSError`` or ``av.FFmpegError``."""
        own = kept.packet
        # The index comes first: a packet without its record would be lost to replay.
        record = PacketRecord(kept.ordinal, own.pts, own.dts, kept.size_bytes, kept.is_key)
        self._index.write(encode_record(record))
        self._ordinals = (self._ordinals[0] if self.packets else kept.ordinal, kept.ordinal)
        self.packets += 1
        self._muxer.write(kept)

    def frame(self, record: FrameRecord) -> bool:
        """Name a frame; False if the packet that it came from is not in here. Raises ``OSError``."""
        if not self._ordinals[0] <= record.ordinal <= self._ordinals[1]:
            return False
        self._index.write(encode_record(record))
        self._first = self._first or record
        self._last = record
        self.frames += 1
        return True

    def sync(self) -> None:
        """Force what was written to the disk. Raises ``OSError``."""
        self._index.sync()
        self._media.sync()

    def close(self, now_ns: int) -> ClosedSegment:
        """End the segment, durably. Raises ``OSError`` or ``av.FFmpegError``; then :meth:`abandon` it."""
        self._muxer.close()
        self.sync()
        segment = self._described(now_ns)
        write_record(segment)
        self._index.close()
        self._media.close()
        return segment

    def abandon(self) -> None:
        """Leave it as a crash would; recovery can close it from here on."""
        try:
            self._muxer.close()
        except (OSError, av.FFmpegError):
            pass  # the disk is still full; FFmpeg has let go of it all the same
        finally:
            self._index.close()
            self._media.close()

    def discard(self) -> None:
        """Remove the files of a segment that has no packet yet."""
        for file in (self._media, self._index):
            file.path.unlink(missing_ok=True)
            file.close()

    def _described(self, now_ns: int) -> ClosedSegment:
        header, first, last = self.header, self._first, self._last
        timed = None not in (first and first.captured_at_ns, last and last.captured_at_ns)
        return ClosedSegment(
            camera_id=header.camera_id,
            stream_epoch=header.stream_epoch,
            first_pts_ns=header.first_pts_ns,
            last_pts_ns=header.first_pts_ns if last is None else last.pts_ns,
            first_captured_at_ns=first.captured_at_ns if first and timed else None,
            last_captured_at_ns=last.captured_at_ns if last and timed else None,
            frames=self.frames,
            packets=self.packets,
            media_bytes=self._media.size_bytes,
            media_sha256=self._media.sha256(),
            index_bytes=self._index.size_bytes,
            index_sha256=self._index.sha256(),
            codec=header.codec,
            closed_at_ns=now_ns,
            recovered=False,
            path=self.paths.media,
        )


def _files(paths: SegmentPaths) -> tuple[GrowingFile, GrowingFile]:
    index = GrowingFile(paths.index)
    try:
        fcntl.flock(index.descriptor, fcntl.LOCK_EX)
        if not os.fstat(index.descriptor).st_nlink:
            raise OSError(errno.ESTALE, "recovery has just taken it for a leftover", str(paths.index))
        return index, GrowingFile(paths.media)
    except OSError:
        paths.index.unlink(missing_ok=True)
        index.close()
        raise
