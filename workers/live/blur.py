"""Hides the faces of people who are not named, in the picture itself: whatever browsers get is seen there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2

from pipeline.types import ByteArray, Frame, Outcome, Sighting, TrackedFace, TrackKey

LINGER_NS = 1_000_000_000
"""A face that the detector lost for a moment stays hidden where it was."""

MARGIN = 0.25
"""Hidden beside a face, in shares of its size: hair and ears tell much."""

BLOCKS = 6
"""Squares across what is hidden."""

Latest = Callable[[TrackKey], Sighting | None]
"""The last decision about a track that goes on; :meth:`workers.sinks.Board.latest` is one."""


@dataclass(slots=True)
class _Place:
    """Where a face was last, in shares of the picture, and when."""

    seen_ns: int
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(slots=True)
class _Stream:
    """The faces of a stream epoch that were seen lately."""

    epoch: int
    places: dict[int, _Place] = field(default_factory=dict)


class FaceBlur:
    """Remembers where faces are, and hides those of whoever is not named. Safe from any thread.

    Args:
        latest: What was decided. Until somebody is named, the face is hidden.
    """

    def __init__(self, latest: Latest) -> None:
        self._latest = latest
        self._lock = threading.Lock()
        self._streams: dict[str, _Stream] = {}

    def see(self, frame: Frame, tracked: Sequence[TrackedFace]) -> None:
        """Take note of the faces of a frame."""
        height_px, width_px = frame.image_bgr.shape[:2]
        with self._lock:
            stream = self._streams.get(frame.camera_id)
            if stream is None or stream.epoch != frame.stream_epoch:
                stream = self._streams[frame.camera_id] = _Stream(frame.stream_epoch)
            for one in tracked:
                x0, y0, x1, y1 = (float(value) for value in one.face.bbox)
                stream.places[one.track_id] = _Place(
                    frame.pts_ns, x0 / width_px, y0 / height_px, x1 / width_px, y1 / height_px
                )
            since_ns = frame.pts_ns - LINGER_NS
            for track_id in [key for key, place in stream.places.items() if place.seen_ns < since_ns]:
                del stream.places[track_id]

    def hide(self, frame: Frame, image_bgr: ByteArray) -> ByteArray:
        """The picture of `frame`, of whatever size, with faces hidden; a copy if there are any."""
        with self._lock:
            stream = self._streams.get(frame.camera_id)
            places = list(stream.places.items()) if stream and stream.epoch == frame.stream_epoch else []
        hidden = [place for track_id, place in places if not self._named(frame, track_id)]
        if not hidden:
            return image_bgr
        image = image_bgr.copy()
        for place in hidden:
            _pixelate(image, place)
        return image

    def _named(self, frame: Frame, track_id: int) -> bool:
        decided = self._latest(TrackKey(frame.camera_id, frame.stream_epoch, track_id))
        return decided is not None and decided.outcome is Outcome.KNOWN


def _pixelate(image_bgr: ByteArray, place: _Place) -> None:
    height_px, width_px = image_bgr.shape[:2]
    beside_x, beside_y = MARGIN * (place.x1 - place.x0), MARGIN * (place.y1 - place.y0)
    left, right = (_within(x, width_px) for x in (place.x0 - beside_x, place.x1 + beside_x))
    top, bottom = (_within(y, height_px) for y in (place.y0 - beside_y, place.y1 + beside_y))
    if right <= left or bottom <= top:
        return
    face = image_bgr[top:bottom, left:right]
    small = cv2.resize(face, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA)
    face[:] = cv2.resize(small, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)


def _within(share: float, size_px: int) -> int:
    return min(size_px, max(0, round(share * size_px)))
