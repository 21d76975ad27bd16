"""Opening, writing and closing segments on a disk that may be full, of which capture must never know."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import av
import structlog

from audit.recording.closed import ClosedSegment
from audit.recording.index import IndexHeader
from audit.recording.layout import epoch_folder
from audit.recording.muxing import StreamTemplate
from audit.recording.options import MIB, RecordingOptions
from audit.recording.recovery import last_kept_ns, recover_epoch
from audit.recording.segment import OpenSegment
from pipeline.errors import PinwatchError, StorageError
from pipeline.seams import Clock
from pipeline.sources.channel import DropCounter
from pipeline.sources.ffmpeg import plain
from pipeline.sources.timeline import NS

log = structlog.get_logger(__name__)

OnClosed = Callable[[ClosedSegment], None]
OnError = Callable[[PinwatchError], None]
FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """What is free where `folder` is or will be. Raises ``OSError``."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free


class SegmentDisk:
    """The segments of one camera on the disk.

    A fault ends the segment, which keeps what it has, and is told once; after a while the next segment is
    tried. The fault is over when a segment has been closed as it should.

    Args:
        root: The folder ``recordings``.
        camera_id: Whose.
        options: Sizes and times.
        clock: For waits, and for when segments were closed.
        on_closed: Told of every segment that is closed, by whatever way.
        on_error: Told of a fault, once.
        drops: Packets that a segment took and lost by a fault are counted here, as ``disk``.
        free: Measures the room that is left.
    """

    def __init__(
        self,
        root: Path,
        camera_id: str,
        options: RecordingOptions,
        *,
        clock: Clock,
        on_closed: OnClosed,
        on_error: OnError,
        drops: DropCounter,
        free: FreeBytes = free_bytes,
    ) -> None:
        self._root = root
        self._camera_id = camera_id
        self._options = options
        self._clock = clock
        self._on_closed = on_closed
        self._on_error = on_error
        self._drops = drops
        self._free = free
        self._kept: tuple[str, int] | None = None
        self._refusal: str | None = None
        self._unfinished: dict[Path, int] = {}
        self._told = False
        self._not_before_s: float | None = None
        self._synced_s = 0.0

    @property
    def refusal(self) -> str | None:
        """Why there is no segment to write to, if this is the reason: ``disk`` or ``kept_already``."""
        return self._refusal

    def open(self, header: IndexHeader, template: StreamTemplate) -> OpenSegment | None:
        """Begin a segment; ``None`` if that cannot be now."""
        if self._not_before_s is not None and self._clock.monotonic_s() < self._not_before_s:
            return None
        try:
            self._check_room()
            self._finish_old(header)
            return self._opened(header, template)
        except (OSError, av.FFmpegError, StorageError) as error:
            self._fault(error)
            return None

    def _opened(self, header: IndexHeader, template: StreamTemplate) -> OpenSegment | None:
        refused, self._refusal = self._refusal, None
        if self._kept is not None and header.first_pts_ns <= self._kept[1]:
            self._refusal = "kept_already"
            if refused != self._refusal:
                log.warning(
                    "footage of that camera or file and time is kept already, and not kept twice: give "
                    "another file of the same name another name",
                    camera=self._camera_id,
                    until_s=self._kept[1] / NS,
                )
            return None
        folder = epoch_folder(self._root, self._camera_id, header.stream_epoch)
        segment = OpenSegment(folder, header, template, fragment_s=self._options.fragment_s)
        self._synced_s = self._clock.monotonic_s()
        return segment

    def write(self, segment: OpenSegment, step: Callable[[OpenSegment], object]) -> bool:
        """Do `step`; False if the segment had to be given up or ended."""
        try:
            step(segment)
            return self._synced(segment)
        except (OSError, av.FFmpegError) as error:
            self._give_up(segment, error)
            return False

    def close(self, segment: OpenSegment) -> None:
        """End a segment as it should."""
        try:
            closed = segment.close(self._clock.now_ns())
        except (OSError, av.FFmpegError) as error:
            self._give_up(segment, error)
            return
        if self._told:
            log.info("recording goes on", camera=self._camera_id)
        self._told = False
        self._not_before_s = None
        self._tell(closed)

    def _synced(self, segment: OpenSegment) -> bool:
        if self._clock.monotonic_s() - self._synced_s < self._options.sync_s:
            return True
        self._synced_s = self._clock.monotonic_s()
        segment.sync()
        try:
            self._check_room()
        except StorageError as error:
            self.close(segment)
            self._fault(error)
            return False
        return True

    def _check_room(self) -> None:
        free = self._free(self._root)
        if free < self._options.reserve_bytes:
            raise StorageError(
                f"{self._root} has {free // MIB} MB left, and {self._options.reserve_bytes // MIB} MB are "
                "kept free for everybody else"
            )

    def _finish_old(self, header: IndexHeader) -> None:
        """Close what a crash or a fault left, and see how far a new stream's epoch is kept already."""
        for folder in sorted({path.parent for path in self._unfinished}):
            self._recover(folder)
        if self._kept is None or self._kept[0] != header.stream:
            folder = epoch_folder(self._root, self._camera_id, header.stream_epoch)
            self._recover(folder)
            self._kept = (header.stream, last_kept_ns(folder))

    def _give_up(self, segment: OpenSegment, error: Exception) -> None:
        segment.abandon()
        self._unfinished[segment.paths.media] = segment.packets
        self._fault(error)
        try:
            self._recover(segment.paths.media.parent)
        except (OSError, StorageError) as later:
            log.warning("a segment is closed later", camera=self._camera_id, error=str(later))

    def _recover(self, folder: Path) -> None:
        for segment in recover_epoch(folder):
            taken = self._unfinished.pop(segment.path, segment.packets)
            self._drops.add("disk", taken - segment.packets)
            self._tell(segment)

    def _fault(self, error: Exception) -> None:
        self._refusal = "disk"
        self._not_before_s = self._clock.monotonic_s() + self._options.retry_s
        if not self._told:
            self._told = True
            why = str(error) if isinstance(error, StorageError) else plain(error)
            self._on_error(
                StorageError(
                    f"the footage of {self._camera_id} is not recorded: {why}; recording goes on by itself "
                    "when that is put right"
                )
            )

    def _tell(self, segment: ClosedSegment) -> None:
        try:
            self._on_closed(segment)
        except PinwatchError as error:
            self._on_error(error)
