"""Links the faces of successive frames to tracks: one track, one decision.

The association is ByteTrack (Zhang et al., ECCV 2022) from the package ``trackers``, in stream
time: sure faces are matched to the tracks' predicted boxes first, unsure ones then keep tracks
alive that would otherwise break. Around it, ours: numbers that never come twice, an explicit end of
every track, and tracks of people who stay cut into pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pipeline.types import Face, TrackedFace, TrackUpdate

_LIBRARY_BUFFER_HZ = 30.0  # the library counts how long a lost track is kept in thirtieths of a second


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """When a track starts, goes on and ends.

    Attributes:
        start_score: A face must score this much to start a track, 0..1.
        sure_score: Faces at or above are matched first; those below only go on with a track that
            no sure face matches, and never start one, 0..1.
        box_margin: Boxes are grown on each side by this share of their width and height before their
            overlap is taken, so that small faces are followed at low frame rates too (Yang et al.,
            C-BIoU, WACV 2023).
        min_iou: A grown face must overlap a track's grown prediction this much to belong to it, 0..1.
        min_frames: Frames in a row that a new track needs before it is reported. 2 keeps the
            flicker of false detections out; 1 reports at once.
        lost_s: A track without a face for longer has ended.
        max_track_s: A longer track ends, and goes on under a new number.
        rate_hz: The frame rate that the motion model takes a step of one for; other rates and
            gaps are converted by their timestamps.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    start_score: float = 0.8
    sure_score: float = 0.7
    box_margin: float = 0.3
    min_iou: float = 0.1
    min_frames: int = 2
    lost_s: float = 1.0
    max_track_s: float = 60.0
    rate_hz: float = 25.0

    def __post_init__(self) -> None:
        if self.min_frames < 1:
            raise ValueError(f"min_frames must be at least 1, got {self.min_frames}")
        if self.box_margin < 0:
            raise ValueError(f"box_margin must not be negative, got {self.box_margin}")
        if min(self.lost_s, self.max_track_s, self.rate_hz) <= 0:
            raise ValueError("lost_s, max_track_s and rate_hz must be positive")


@dataclass(slots=True)
class _Open:
    """A track that has not ended: its number, and when it got it."""

    track_id: int
    since_ns: int
    tracklet: Any  # kept, so that its identity is not given to another


class ByteTracker:
    """A ``Tracker`` for one stream epoch. Numbers count up from 0."""

    def __init__(self, options: TrackerOptions | None = None) -> None:
        from trackers.core.bytetrack.tracker import ByteTrackTracker
        from trackers.utils.iou import BIoU

        self._options = o = options or TrackerOptions()
        self._library = ByteTrackTracker(
            lost_track_buffer=round(o.lost_s * _LIBRARY_BUFFER_HZ),
            frame_rate=o.rate_hz,
            track_activation_threshold=o.start_score,
            minimum_consecutive_frames=o.min_frames,
            minimum_iou_threshold=o.min_iou,
            high_conf_det_threshold=o.sure_score,
            iou=BIoU(o.box_margin),
        )
        self._open: dict[int, _Open] = {}
        self._next_id = 0
        self._last_pts_ns = -1

    def update(self, faces: Sequence[Face], pts_ns: int) -> TrackUpdate:
        """See ``pipeline.seams.Tracker``. Tracked faces come in the order of `faces`.

        Raises:
            ValueError: `pts_ns` is not larger than that of the frame before.
        """
        if pts_ns <= self._last_pts_ns:
            raise ValueError(f"pts_ns must grow from frame to frame, got {pts_ns} after {self._last_pts_ns}")
        self._last_pts_ns = pts_ns
        pairs = self._associate(faces, pts_ns)
        ended = self._close_lost()
        tracked: list[TrackedFace] = []
        for index, tracklet in sorted(pairs, key=lambda pair: pair[0]):
            track_id, replaced = self._number(tracklet, pts_ns)
            ended += replaced
            tracked.append(TrackedFace(track_id, faces[index]))
        return TrackUpdate(tuple(tracked), tuple(sorted(ended)))

    def finish(self) -> tuple[int, ...]:
        """See ``pipeline.seams.Tracker``; a second call finds none."""
        still_open = tuple(sorted(track.track_id for track in self._open.values()))
        self._open.clear()
        self._library.reset()
        return still_open

    def _associate(self, faces: Sequence[Face], pts_ns: int) -> list[tuple[int, Any]]:
        """Which face (by index) belongs to which of the library's tracklets in this frame."""
        import supervision

        detections = supervision.Detections(
            xyxy=np.array([face.bbox for face in faces], np.float32).reshape(-1, 4),
            confidence=np.array([face.score for face in faces], np.float32),
            data={"index": np.arange(len(faces))},
        )
        result = self._library.update(detections, timestamp=pts_ns / 1e9)
        by_number = {t.tracker_id: t for t in self._library.tracks if t.tracker_id >= 0}
        indices = [int(i) for i in result.data.get("index", ())]
        pairs, unmatched = [], []
        for index, number in zip(indices, result.tracker_id, strict=True):
            if number >= 0:
                pairs.append((index, by_number[number]))
            else:
                unmatched.append(index)
        if self._options.min_frames == 1:
            pairs += self._newborn(faces, unmatched)
        return pairs

    def _newborn(self, faces: Sequence[Face], unmatched: Sequence[int]) -> list[tuple[int, Any]]:
        """The faces that started a tracklet in this frame; the library numbers them a frame later.

        It appends tracklets in the order in which it returns the faces that started them.
        """
        o = self._options
        floor = max(o.start_score, o.sure_score)
        starters = [index for index in unmatched if faces[index].score >= floor]
        newborn = [tracklet for tracklet in self._library.tracks if tracklet.age == 0]
        return list(zip(starters, newborn, strict=True))

    def _number(self, tracklet: Any, pts_ns: int) -> tuple[int, list[int]]:
        """The track number of a tracklet that has a face now, and the number it replaces, if any."""
        known = self._open.get(id(tracklet))
        if known is not None and pts_ns - known.since_ns < self._options.max_track_s * 1e9:
            return known.track_id, []
        track = _Open(self._next_id, pts_ns, tracklet)
        self._next_id += 1
        self._open[id(tracklet)] = track
        return track.track_id, [known.track_id] if known is not None else []

    def _close_lost(self) -> list[int]:
        alive = {id(tracklet) for tracklet in self._library.tracks}
        gone = [key for key in self._open if key not in alive]
        return [self._open.pop(key).track_id for key in gone]


class SingleFrameTracker:
    """A ``Tracker`` for pictures that have nothing to do with each other: every face its own track."""

    def __init__(self) -> None:
        self._next_id = 0
        self._open: tuple[int, ...] = ()

    def update(self, faces: Sequence[Face], pts_ns: int) -> TrackUpdate:
        """Start a track a face, and end those of the picture before; `pts_ns` is not looked at."""
        first = self._next_id
        self._next_id += len(faces)
        ended, self._open = self._open, tuple(range(first, self._next_id))
        return TrackUpdate(tuple(map(TrackedFace, self._open, faces)), ended)

    def finish(self) -> tuple[int, ...]:
        """The tracks of the last picture; a second call finds none."""
        ended, self._open = self._open, ()
        return ended
