"""From the frames of one camera to messages: detect, track, choose and cut the crops that go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.seams import Detector, Tracker
from pipeline.select import ChosenCrop, CropSelector
from pipeline.types import Face, FaceCrop, Frame, TrackedFace, TrackEnded, TrackKey


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What one frame gave: faces in pixels of the full frame, and messages for the faces topic."""

    tracked: tuple[TrackedFace, ...]
    messages: tuple[FaceCrop | TrackEnded, ...]


@dataclass(slots=True)
class _OpenTrack:
    """What the reader counts of a track that has not ended."""

    first_ns: int
    last_ns: int
    frames: int = 0
    crops_sent: int = 0


class Reader:
    """Reads one camera. Everything that belongs to a stream epoch starts anew with each.

    Args:
        camera_id: Whose frames these are.
        detector: Used by this reader alone.
        new_tracker: Makes the tracker of an epoch.
        new_selector: Makes the selector of an epoch.
    """

    def __init__(
        self,
        camera_id: str,
        detector: Detector,
        new_tracker: Callable[[], Tracker],
        new_selector: Callable[[], CropSelector],
    ) -> None:
        self._camera_id = camera_id
        self._detector = detector
        self._new_tracker = new_tracker
        self._new_selector = new_selector
        self._epoch: int | None = None
        self._started_at_ns: int | None = None
        self._tracker = new_tracker()
        self._selector = new_selector()
        self._tracks: dict[int, _OpenTrack] = {}

    def read(self, frame: Frame) -> ReadResult:
        """Take the next frame; its stream epoch never falls, and within an epoch its time grows."""
        messages = self._begin_epoch(frame) if frame.stream_epoch != self._epoch else []
        update = self._tracker.update(self._detect(frame), frame.pts_ns)
        for item in update.tracked:
            self._count(item, frame)
            self._selector.offer(item.track_id, item.face, frame)
        messages += [self._crop(chosen) for chosen in self._selector.advance(frame.pts_ns)]
        for track_id in update.ended:
            messages += self._end(track_id)
        return ReadResult(update.tracked, tuple(messages))

    def finish(self) -> tuple[FaceCrop | TrackEnded, ...]:
        """The stream has ended: end every track that is still open."""
        messages: list[FaceCrop | TrackEnded] = []
        for track_id in self._tracker.finish():
            messages += self._end(track_id)
        return tuple(messages)

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

    def _count(self, item: TrackedFace, frame: Frame) -> None:
        track = self._tracks.setdefault(item.track_id, _OpenTrack(frame.pts_ns, frame.pts_ns))
        track.last_ns = frame.pts_ns
        track.frames += 1

    def _end(self, track_id: int) -> list[FaceCrop | TrackEnded]:
        ended = self._selector.end(track_id)
        messages: list[FaceCrop | TrackEnded] = [self._crop(chosen) for chosen in ended.crops]
        track = self._tracks.pop(track_id)
        messages.append(
            TrackEnded(
                key=self._key(track_id),
                first_seen_ns=track.first_ns,
                last_seen_ns=track.last_ns,
                started_at_ns=self._started_at_ns,
                frames=track.frames,
                crops_sent=track.crops_sent,
                dropped_by_cause=ended.dropped_by_cause,
                detector_id=self._detector.detector_id,
            )
        )
        return messages

    def _crop(self, chosen: ChosenCrop) -> FaceCrop:
        track = self._tracks[chosen.track_id]
        sequence = track.crops_sent
        track.crops_sent += 1
        return FaceCrop(
            key=self._key(chosen.track_id),
            sequence=sequence,
            pts_ns=chosen.pts_ns,
            captured_at_ns=chosen.captured_at_ns,
            bbox=chosen.face.bbox,
            score=chosen.face.score,
            quality=chosen.quality.value,
            detector_id=self._detector.detector_id,
            image_rgb=chosen.crop_rgb,
        )

    def _key(self, track_id: int) -> TrackKey:
        return TrackKey(self._camera_id, self._epoch or 0, track_id)
