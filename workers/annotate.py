"""Draws who was seen onto pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.types import ByteArray, FloatArray, Outcome, check_array
from workers.lettering import (
    DARK_BGR,
    fit_text,
    outcome_colour_bgr,
    outcome_words,
    text_width_px,
    write_text,
)
from workers.video import VideoFile


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """What to draw around one face.

    Attributes:
        bbox: float32 (4,), x_min, y_min, x_max, y_max, pixels; may reach past the picture.
        text: What to say beside the outcome, e.g. the name and the similarity; may be empty.
        outcome: Gives the colour and the first word; ``None`` while the track is undecided.
    """

    bbox: FloatArray
    text: str
    outcome: Outcome | None

    def __post_init__(self) -> None:
        check_array("bbox", self.bbox, np.float32, (4,))
        if not np.isfinite(self.bbox).all():
            raise ValueError("bbox must be finite")

    @property
    def caption(self) -> str:
        """The whole text of the plate: the outcome, then `text`."""
        words = outcome_words(self.outcome)
        return f"{words}: {self.text}" if self.text else words


@dataclass(frozen=True, slots=True)
class _Plate:
    """Where a caption goes, pixels."""

    left: int
    top: int
    right: int
    bottom: int

    def overlaps(self, other: _Plate) -> bool:
        apart_x = self.right <= other.left or other.right <= self.left
        return not (apart_x or self.bottom <= other.top or other.bottom <= self.top)

    def moved_into(self, width_px: int, height_px: int) -> _Plate:
        dx = max(-self.left, min(0, width_px - self.right))
        dy = max(-self.top, min(0, height_px - self.bottom))
        return _Plate(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy)


def text_size_px(height_px: int) -> int:
    """Letter height that can be read at the size that a picture of `height_px` is shown at."""
    return int(np.clip(round(height_px * 0.026), 13, 112))


def draw(image_bgr: ByteArray, labels: Sequence[Label]) -> ByteArray:
    """A copy of a picture with a box and a caption for each label.

    Captions stand above their box, or below or inside it where there is no room or another caption.

    Args:
        image_bgr: uint8 (H, W, 3); it is not changed.
    """
    check_array("image_bgr", image_bgr, np.uint8, (None, None, 3))
    image = image_bgr.copy()
    for label in labels:
        _draw_box(image, label)
    taken: list[_Plate] = []
    for label in labels:
        taken.append(_draw_caption(image, label, taken))
    return image


def _corners(image: ByteArray, bbox: FloatArray) -> tuple[int, int, int, int]:
    """`bbox` in whole pixels, cut off a little outside the picture (OpenCV takes only small integers)."""
    height, width = image.shape[:2]
    outside = max(width, height)
    left, top, right, bottom = (int(v) for v in np.clip(np.rint(bbox), -outside, 2 * outside))
    return left, top, right, bottom


def _draw_box(image: ByteArray, label: Label) -> None:
    left, top, right, bottom = _corners(image, label.bbox)
    thick = max(2, text_size_px(image.shape[0]) // 8)
    cv2.rectangle(image, (left, top), (right, bottom), DARK_BGR, thick + 2, cv2.LINE_AA)
    cv2.rectangle(image, (left, top), (right, bottom), outcome_colour_bgr(label.outcome), thick, cv2.LINE_AA)


def _draw_caption(image: ByteArray, label: Label, taken: Sequence[_Plate]) -> _Plate:
    height, width = image.shape[:2]
    size = text_size_px(height)
    pad = size // 3
    text = fit_text(label.caption, size, width - 2 * pad)
    plate_size = (text_width_px(text, size) + 2 * pad, round(size * 1.4))
    plate = _free_place(_places(_corners(image, label.bbox), plate_size), taken, width, height)
    corners = (plate.left, plate.top), (plate.right - 1, plate.bottom - 1)
    cv2.rectangle(image, *corners, outcome_colour_bgr(label.outcome), cv2.FILLED)
    write_text(image, text, (plate.left + pad, plate.top + round(size * 1.05)), size)
    return plate


def _places(corners: tuple[int, int, int, int], plate_size: tuple[int, int]) -> Iterable[_Plate]:
    """Above the box, below it, inside it, further below it."""
    left, top, _, bottom = corners
    width, height = plate_size
    for y in (top - height, bottom, top, bottom + height):
        yield _Plate(left, y, left + width, y + height)


def _free_place(places: Iterable[_Plate], taken: Sequence[_Plate], width: int, height: int) -> _Plate:
    """The first place inside the picture that no other caption has; if there is none, the first inside."""
    wanted = list(places)
    upright = [place for place in wanted if place.top >= 0 and place.bottom <= height] or wanted
    inside = [place.moved_into(width, height) for place in upright]
    free = (place for place in inside if not any(place.overlaps(other) for other in taken))
    return next(free, inside[0])


class AnnotatedVideo(VideoFile):
    """A video whose pictures are drawn on: :func:`draw`, then :meth:`VideoFile.write`."""

    def write(self, image_bgr: ByteArray, pts_ns: int, labels: Sequence[Label] = ()) -> None:
        """Add one picture with `labels` drawn on a copy of it."""
        super().write(draw(image_bgr, labels), pts_ns)
