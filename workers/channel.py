"""One camera from its frames to messages, wherever they are sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from pipeline.errors import SourceError
from pipeline.seams import FrameSource
from pipeline.types import FaceCrop, Frame, TrackedFace, TrackEnded
from workers.reader import Reader

log = structlog.get_logger(__name__)

FrameTap = Callable[[Frame, Sequence[TrackedFace]], None]
"""Sees every frame with its tracked faces, in the camera's own thread, before the next is read."""

Send = Callable[[Sequence[FaceCrop | TrackEnded]], None]
"""Takes the messages of a frame; may wait."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One camera: where its frames come from and who reads them."""

    source: FrameSource
    reader: Reader


@dataclass(slots=True)
class ChannelReport:
    """What became of one camera; `error` is what ended it early, if anything did."""

    camera_id: str
    frames: int = 0
    faces: int = 0
    dropped_by_cause: dict[str, int] = field(default_factory=dict)
    error: SourceError | None = None


def read_channel(channel: Channel, report: ChannelReport, send: Send, taps: Sequence[FrameTap] = ()) -> None:
    """Read to the end, and end all tracks; the source is closed however that goes.

    A source that fails is noted in `report`; whatever else fails is raised.
    """
    try:
        _read_frames(channel, report, send, taps)
        send(channel.reader.finish())
    finally:
        channel.source.close()
        report.dropped_by_cause = dict(channel.source.dropped_by_cause)


def _read_frames(channel: Channel, report: ChannelReport, send: Send, taps: Sequence[FrameTap]) -> None:
    try:
        for frame in channel.source.frames():
            result = channel.reader.read(frame)
            send(result.messages)
            report.frames += 1
            report.faces += len(result.tracked)
            for tap in taps:
                tap(frame, result.tracked)
    except SourceError as error:
        log.error("camera ended early", camera=report.camera_id, error=str(error))
        report.error = error
