"""Which faces of a track go on: few, good, early, and spread over its life.

A track's life is cut into windows, each twice as long as the one before. Of each window the best
crop goes on, when the window closes. So the first decision comes early, a track of any length sends
a number of crops that grows with the logarithm of its length, and most faces are never even cut
out: a face whose geometry alone says that it cannot beat the best of its window is passed over.
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
LANDMARKS = "landmarks"


@dataclass(frozen=True, slots=True)
class SelectionOptions:
    """How many crops of a track go on, and when.

    Attributes:
        first_window_s: Length of the first window, from the track's first face.
        growth: Each window is this many times as long as the one before.
        min_gain: A face is cut out only if it may be this much better than the best of its window:
            0.1 is ten percent. People who walk up to a camera get a little better with every frame.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    first_window_s: float = 0.2
    growth: float = 2.0
    min_gain: float = 0.1

    def __post_init__(self) -> None:
        if self.first_window_s <= 0 or self.growth < 1 or self.min_gain < 0:
            raise ValueError("first_window_s must be positive, growth at least 1, min_gain not negative")


@dataclass(frozen=True, slots=True, eq=False)
class ChosenCrop:
    """A face that goes on: uint8 (112, 112, 3) RGB, and where and when it was seen."""

    track_id: int
    pts_ns: int
    captured_at_ns: int | None
    face: Face
    quality: Quality
    crop_rgb: ByteArray


@dataclass(frozen=True, slots=True)
class Ended:
    """What is left of a track: its last crop, if any, and how many faces did not go on, by cause."""

    crops: tuple[ChosenCrop, ...]
    dropped_by_cause: Mapping[str, int]


@dataclass(slots=True)
class _Window:
    """The window that a track is in, and the best crop of it so far."""

    length_ns: int
    closes_ns: int
    best: ChosenCrop | None = None
    dropped: Counter[str] = field(default_factory=Counter)


class CropSelector:
    """Chooses crops for all tracks of one stream epoch. Holds one crop a track, never a frame.

    Args:
        assessor: Judges faces.
        options: How many crops go on.
    """

    def __init__(self, assessor: QualityAssessor, options: SelectionOptions | None = None) -> None:
        self._assessor = assessor
        self._options = options or SelectionOptions()
        self._windows: dict[int, _Window] = {}

    def offer(self, track_id: int, face: Face, frame: Frame) -> None:
        """Consider a face of `frame`, in pixels of its full picture."""
        window = self._windows.get(track_id)
        if window is None:
            length_ns = round(self._options.first_window_s * 1e9)
            window = self._windows[track_id] = _Window(length_ns, frame.pts_ns + length_ns)
        cause = self._consider(window, track_id, face, frame)
        if cause is not None:
            window.dropped[cause] += 1

    def advance(self, pts_ns: int) -> list[ChosenCrop]:
        """The crops whose windows have closed by now, in the order of their tracks."""
        closed = (self._close(window, pts_ns) for _, window in sorted(self._windows.items()))
        return [best for best in closed if best is not None]

    def end(self, track_id: int) -> Ended:
        """Forget a track; its open window's best crop goes on as well."""
        window = self._windows.pop(track_id, None)
        if window is None:
            return Ended((), {})
        crops = (window.best,) if window.best is not None else ()
        return Ended(crops, dict(sorted(window.dropped.items())))

    def _close(self, window: _Window, pts_ns: int) -> ChosenCrop | None:
        """The window's best crop if the window has closed; the next one is open then."""
        if pts_ns < window.closes_ns:
            return None
        while window.closes_ns <= pts_ns:
            window.length_ns = round(window.length_ns * self._options.growth)
            window.closes_ns += window.length_ns
        best, window.best = window.best, None
        return best

    def _consider(self, window: _Window, track_id: int, face: Face, frame: Frame) -> str | None:
        """Make this face the window's best if it is; say why a face (this one or the old best) is dropped."""
        shape = frame.image_bgr.shape
        geometry = self._assessor.geometry(face, shape)
        if geometry.reasons:
            return geometry.reasons[0]
        previous = window.best
        needed = 0.0 if previous is None else previous.quality.value * (1.0 + self._options.min_gain)
        if previous is not None and geometry.ceiling <= needed:
            return NOT_BEST
        try:
            crop = align(frame.image_bgr, face.landmarks)
        except ValueError:
            return LANDMARKS
        quality = self._assessor.assess(face, crop, shape)
        if not quality.usable:
            return quality.reasons[0]
        if previous is not None and quality.value <= previous.quality.value:
            return NOT_BEST
        window.best = ChosenCrop(track_id, frame.pts_ns, frame.captured_at_ns, face, quality, crop)
        return None if previous is None else NOT_BEST
