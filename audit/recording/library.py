"""Finding footage: segments by camera and time, frames by name."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from pathlib import Path

import structlog

from audit.recording.closed import ClosedSegment, read_record
from audit.recording.decoding import SegmentDecoder, key_before
from audit.recording.index import read_index
from audit.recording.layout import FOLDER, epoch_folder, epoch_folders, records_in
from pipeline.errors import SourceNotFound, SourceUnreadable, StorageError
from pipeline.sources.channel import DropCounter
from pipeline.types import Frame

log = structlog.get_logger(__name__)


class Recordings:
    """The closed segments below a data folder. Reads files anew each time, so it is never out of date.

    Args:
        data: The data folder.
    """

    def __init__(self, data: Path) -> None:
        self.root = data / FOLDER

    def segments(
        self, camera: str | None = None, since_ns: int | None = None, until_ns: int | None = None
    ) -> list[ClosedSegment]:
        """Segments by camera, epoch and time. What cannot be read is logged and left out; verifying tells.

        Args:
            camera: Of this camera.
            since_ns: With frames captured at this time or later, nanoseconds since 1970 UTC.
            until_ns: With frames captured before this time. Either leaves out footage without such times.
        """
        found = []
        for folder in epoch_folders(self.root, camera):
            for path in records_in(folder):
                segment = _readable(path)
                if segment is not None and _overlaps(segment, since_ns, until_ns):
                    found.append(segment)
        return sorted(found, key=lambda one: (one.camera_id, one.stream_epoch, one.first_pts_ns))

    def count(self, camera: str | None = None) -> int:
        """How many closed segments there are, readable or not; of one camera or of all."""
        return sum(len(records_in(folder)) for folder in epoch_folders(self.root, camera))

    def epochs(self, camera: str) -> list[int]:
        """The epochs of a camera of which there is footage."""
        return [int(folder.name) for folder in epoch_folders(self.root, camera) if records_in(folder)]

    def between(
        self, camera: str, stream_epoch: int, first_pts_ns: int = 0, last_pts_ns: int | None = None
    ) -> list[ClosedSegment]:
        """The segments that decoding the frames of an epoch from one time to another takes, in their order.

        Raises:
            SourceUnreadable: what describes one of them cannot be read.
        """
        records = records_in(epoch_folder(self.root, camera, stream_epoch))
        starts = [int(path.stem) for path in records]
        begin = max(0, bisect.bisect_right(starts, first_pts_ns) - 1)
        end = len(starts) if last_pts_ns is None else bisect.bisect_right(starts, last_pts_ns)
        try:
            segments = [read_record(path) for path in records[begin:end]]
            if segments and begin and _begins_too_late(segments[0], first_pts_ns):
                segments.insert(0, read_record(records[begin - 1]))
        except StorageError as error:
            raise SourceUnreadable(str(error)) from error
        return segments

    def frames(
        self,
        camera: str,
        stream_epoch: int,
        first_pts_ns: int = 0,
        last_pts_ns: int | None = None,
        *,
        threads: int | None = None,
        drops: DropCounter | None = None,
    ) -> Iterator[Frame]:
        """Yield the frames of an epoch from one time to another, both included, named as they were live.

        Args:
            camera: Whose.
            stream_epoch: Of which epoch.
            first_pts_ns: From when.
            last_pts_ns: Until when; ``None`` until the end.
            threads: Decoder threads; ``None`` takes half of the processors, 0 lets FFmpeg choose.
            drops: Counts frames that are ``missing`` or ``corrupt``.

        Raises:
            SourceNotFound: footage that was there a moment ago has gone.
            SourceUnreadable: footage or its index cannot be read.
        """
        count = max(1, len(os.sched_getaffinity(0)) // 2) if threads is None else threads
        segments = self.between(camera, stream_epoch, first_pts_ns, last_pts_ns)
        decoder = SegmentDecoder(first_pts_ns, count, DropCounter() if drops is None else drops)
        for frame in decoder.frames(segments):
            if last_pts_ns is not None and frame.pts_ns > last_pts_ns:
                return
            yield frame

    def frame_at(self, camera: str, stream_epoch: int, pts_ns: int) -> Frame:
        """The one frame of that name.

        Raises:
            SourceNotFound: it was not recorded, or is not kept any more.
            SourceUnreadable: its footage cannot be read.
        """
        frame = next(self.frames(camera, stream_epoch, pts_ns, pts_ns, threads=1), None)
        if frame is None:
            raise SourceNotFound(
                f"there is no frame of {camera} in epoch {stream_epoch} at {pts_ns} ns: it was not recorded, "
                "is still being recorded, or was deleted since"
            )
        return frame


def _readable(path: Path) -> ClosedSegment | None:
    try:
        return read_record(path)
    except StorageError as error:
        log.warning("left out footage that cannot be listed", error=str(error))
        return None


def _overlaps(segment: ClosedSegment, since_ns: int | None, until_ns: int | None) -> bool:
    first_ns, last_ns = segment.first_captured_at_ns, segment.last_captured_at_ns
    if first_ns is None or last_ns is None:
        return since_ns is None and until_ns is None
    return (since_ns is None or last_ns >= since_ns) and (until_ns is None or first_ns < until_ns)


def _begins_too_late(segment: ClosedSegment, pts_ns: int) -> bool:
    """Whether the frame is shown before the segment's first key frame and so needs the segment before."""
    index = read_index(segment.paths.index)
    place = key_before(index, pts_ns)
    names = {name.ordinal: name.pts_ns for name in index.frames}
    return place == 0 and bool(index.packets) and names.get(index.packets[0].ordinal, pts_ns) > pts_ns
