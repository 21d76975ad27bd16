"""Makes a clip that browsers play: the packets as they were recorded where that will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from audit.recording.closed import ClosedSegment
from audit.recording.exporting import export_epoch
from audit.recording.library import Recordings
from pipeline.errors import SourceNotFound, UsageError
from pipeline.types import ByteArray
from workers.video import VideoFile

PLAYED = "h264"
"""What every browser plays in MP4."""

_WIDEST_PX = 1280


@dataclass(frozen=True, slots=True)
class Span:
    """From one time of a camera's epoch to another, both included."""

    camera_id: str
    stream_epoch: int
    first_pts_ns: int
    last_pts_ns: int


def make_clip(recordings: Recordings, segments: Sequence[ClosedSegment], span: Span, out: Path) -> None:
    """Write footage into an MP4.

    Args:
        recordings: Where it is.
        segments: What of it is of that time.
        span: Which time of what.
        out: The file; must not exist.

    Raises:
        SourceNotFound: there is none of that time any more.
        SourceUnreadable: it cannot be read.
        StorageError: the file cannot be written.
    """
    if all(segment.codec == PLAYED for segment in segments):
        times = {"first_pts_ns": span.first_pts_ns, "last_pts_ns": span.last_pts_ns}
        try:
            export_epoch(recordings, span.camera_id, span.stream_epoch, out, **times)
            return
        except UsageError:  # the stream changed within: its packets do not fit into one file
            out.unlink(missing_ok=True)
    _encode(recordings, span, out)


def _encode(recordings: Recordings, span: Span, out: Path) -> None:
    video: VideoFile | None = None
    times = span.first_pts_ns, span.last_pts_ns
    try:
        for frame in recordings.frames(span.camera_id, span.stream_epoch, *times, threads=1):
            image = _fitted(frame.image_bgr)
            if video is None:
                video = VideoFile(out, image.shape[1], image.shape[0])
            video.write(image, frame.pts_ns - span.first_pts_ns)
    finally:
        if video is not None:
            video.close()
    if video is None:
        raise SourceNotFound(
            f"there is no footage of {span.camera_id} from that time in epoch {span.stream_epoch}"
        )


def _fitted(image_bgr: ByteArray) -> ByteArray:
    height, width = image_bgr.shape[:2]
    if width <= _WIDEST_PX:
        return image_bgr
    size = (_WIDEST_PX, max(2, round(height * _WIDEST_PX / width)))
    return np.asarray(cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
