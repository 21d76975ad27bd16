"""From the frames of one camera to messages: detect, track, choose and cut the crops that go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.seams import Detector, Tracker
from pipeline.select import CropSelector
from pipeline.types import Face, FaceCrop, Frame, TrackedFace, TrackEnded


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What one frame gave: faces in pixels of the full frame, and messages for the faces topic."""

    tracked: tuple[TrackedFace, ...]
    messages: tuple[FaceCrop | TrackEnded, ...]


class Reader:
    """Reads one camera. Everything that belongs to a stream epoch starts anew with each.

    Args:
        detector: Used by this reader alone.
        new_tracker: Makes the tracker of an epoch.
        new_selector: Makes the selector of an epoch.
    """

    def __init__(
        self,
        detector: Detector,
        new_tracker: Callable[[], Tracker],
        new_selector: Callable[[], CropSelector],
    ) -> None:
        self._detector = detector
        self._new_tracker = new_tracker
        self._new_selector = new_selector
        self._epoch: int | None = None
        self._started_at_ns: int | None = None
        self._tracker = new_tracker()
        self._selector = new_selector()

    def read(self, frame: Frame) -> ReadResult:
        """Take the next frame; its stream epoch never falls, and within an epoch its time grows."""
        messages = self._begin_epoch(frame) if frame.stream_epoch != self._epoch else []
        update = self._tracker.update(self._detect(frame), frame.pts_ns)
        for item in update.tracked:
            messages += self._selector.offer(item, frame)
        messages += self._selector.advance(frame.pts_ns)
        messages += self._end(update.ended)
        return ReadResult(update.tracked, tuple(messages))

    def finish(self) -> tuple[FaceCrop | TrackEnded, ...]:
        """The stream has ended: end every track that is still open."""
        return tuple(self._end(self._tracker.finish()))

    def _begin_epoch(self, frame: Frame) -> list[FaceCrop | TrackEnded]:
        messages = list(self.finish())
        self._epoch = frame.stream_epoch
        self._started_at_ns = None if frame.captured_at_ns is None else frame.captured_at_ns - frame.pts_ns
        self._tracker, self._selector = self._new_tracker(), self._new_selector()
        return messages

    def _detect(self, frame: Frame) -> Sequence[Face]:
        """Faces in pixels of the full frame, wherever they were found."""
        if frame.detection_bgr is None:
            return self._detector.detect([frame.image_bgr])[0]
        height, width = frame.image_bgr.shape[:2]
        small_height, small_width = frame.detection_bgr.shape[:2]
        faces = self._detector.detect([frame.detection_bgr])[0]
        return [face.scaled(width / small_width, height / small_height) for face in faces]

    def _end(self, track_ids: Sequence[int]) -> list[FaceCrop | TrackEnded]:
        messages: list[FaceCrop | TrackEnded] = []
        for track_id in track_ids:
            crops, ended = self._selector.end(track_id, self._started_at_ns)
            messages += [*crops, ended]
        return messages
