"""Chooses the few crops of a track that are worth purifying, embedding and sending.

A track's time is cut into windows, each twice as long as the one before, and each sends the best
face in it. The first decision so comes early, a later one is never based on less, and the number of
crops grows with the logarithm of the track's length.

Cutting and measuring a crop costs much more than looking at a detection, so it is done only for a
face that could win its window by its size, pose and position, and only so many times a window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pipeline.align import align
from pipeline.quality import QualityAssessor
from pipeline.types import ByteArray, Face, Frame, Quality

NOT_BEST = "not_best"
DEGENERATE = "degenerate"


@dataclass(frozen=True, slots=True)
class SelectionOptions:
    """How many crops a track sends.

    Attributes:
        first_window_s: Length of the first window, and so about the time to the first decision.
        growth: How many times as long as the one before a window is.
        looks: Into how many parts a window is cut; at most one face of each is cut out and measured.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    first_window_s: float = 0.2
    growth: float = 2.0
    looks: int = 5

    def __post_init__(self) -> None:
        if self.first_window_s <= 0 or self.growth < 1:
            raise ValueError("first_window_s must be positive and growth at least 1")
        if self.looks < 1:
            raise ValueError(f"looks must be at least 1, got {self.looks}")


@dataclass(frozen=True, slots=True, eq=False)
class ChosenCrop:
    """The best face of one window of a track.

    Attributes:
        track_id: The track.
        pts_ns: When, since the epoch's first frame.
        captured_at_ns: Wall-clock time, ``None`` where unknown.
        face: In pixels of the full frame.
        quality: Of the face and its crop; always usable.
        crop_rgb: uint8 (112, 112, 3), from ``pipeline.align.align``.
    """

    track_id: int
    pts_ns: int
    captured_at_ns: int | None
    face: Face
    quality: Quality
    crop_rgb: ByteArray


@dataclass(frozen=True, slots=True)
class EndedSelection:
    """A track's last crops, and why its other faces were dropped: each is counted under one cause."""

    crops: tuple[ChosenCrop, ...]
    dropped_by_cause: Mapping[str, int]


@dataclass(slots=True)
class _Track:
    """What is remembered of a track that has not ended: counts, and the best crop of its window."""

    window_start_ns: int
    window_ns: int
    next_look_ns: int
    best: ChosenCrop | None = None
    closed: list[ChosenCrop] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


class CropSelector:
    """Selects the crops of all tracks of one stream epoch.

    Of a track it holds the best crop of the open window and those not yet collected; never a frame.

    Args:
        assessor: Judges faces and crops.
        options: How many crops.
    """

    def __init__(self, assessor: QualityAssessor, options: SelectionOptions | None = None) -> None:
        self._assessor = assessor
        self._options = options or SelectionOptions()
        self._tracks: dict[int, _Track] = {}
        self._assessed = 0

    @property
    def assessed(self) -> int:
        """How many crops have been cut and measured so far, chosen or not."""
        return self._assessed

    def offer(self, track_id: int, face: Face, frame: Frame) -> None:
        """Take a track's next face.

        Args:
            track_id: The track.
            face: In pixels of ``frame.image_bgr``.
            frame: Frames of one track come in the order of their time.
        """
        track = self._tracks.get(track_id)
        if track is None:
            window_ns = round(self._options.first_window_s * 1e9)
            track = self._tracks[track_id] = _Track(frame.pts_ns, window_ns, frame.pts_ns)
        self._close_past(track, frame.pts_ns)
        cause = self._consider(track, track_id, face, frame)
        if cause is not None:
            track.dropped[cause] += 1

    def advance(self, pts_ns: int) -> list[ChosenCrop]:
        """Collect the crops of all windows that ended at or before `pts_ns`; call it once a frame.

        Returns:
            By track, and within a track in the order of time.
        """
        chosen: list[ChosenCrop] = []
        for track_id in sorted(self._tracks):
            track = self._tracks[track_id]
            self._close_past(track, pts_ns)
            chosen += track.closed
            track.closed.clear()
        return chosen

    def end(self, track_id: int) -> EndedSelection:
        """Close a track, with the crop of its open window if there is one.

        Raises:
            KeyError: no face of this track has been offered.
        """
        track = self._tracks.pop(track_id)
        self._close(track)
        return EndedSelection(tuple(track.closed), dict(sorted(track.dropped.items())))

    def _close_past(self, track: _Track, pts_ns: int) -> None:
        """Close the open window if `pts_ns` is past its end, and open the one that `pts_ns` is in."""
        while pts_ns >= track.window_start_ns + track.window_ns:
            self._close(track)
            track.window_start_ns += track.window_ns
            track.window_ns = round(track.window_ns * self._options.growth)
            track.next_look_ns = track.window_start_ns

    @staticmethod
    def _close(track: _Track) -> None:
        if track.best is not None:
            track.closed.append(track.best)
            track.best = None

    def _consider(self, track: _Track, track_id: int, face: Face, frame: Frame) -> str | None:
        """Make the face the window's best, or say why a face (this one or the one before) is dropped."""
        geometry = self._assessor.geometry(face, frame.image_bgr.shape)
        if geometry.reasons:
            return geometry.reasons[0]
        best = track.best
        if frame.pts_ns < track.next_look_ns or (best and geometry.ceiling <= best.quality.value):
            return NOT_BEST
        try:
            crop_rgb = align(frame.image_bgr, face.landmarks)
        except ValueError:
            return DEGENERATE
        track.next_look_ns = self._next_look(track, frame.pts_ns)
        self._assessed += 1
        quality = self._assessor.assess(face, crop_rgb, frame.image_bgr.shape)
        if not quality.usable:
            return quality.reasons[0]
        if best and quality.value <= best.quality.value:
            return NOT_BEST
        track.best = ChosenCrop(track_id, frame.pts_ns, frame.captured_at_ns, face, quality, crop_rgb)
        return NOT_BEST if best else None

    def _next_look(self, track: _Track, pts_ns: int) -> int:
        """The begin of the window's next part."""
        part_ns = max(1, track.window_ns // self._options.looks)
        return track.window_start_ns + ((pts_ns - track.window_start_ns) // part_ns + 1) * part_ns
