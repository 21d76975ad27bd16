"""Parts of a camera's view: where faces count, and what nobody may see.

Coordinates are shares of the picture's width and height, 0..1 from its upper left corner, so that
they fit the main stream and the substream alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.seams import Detector
from pipeline.types import ByteArray, Face

Points = tuple[tuple[float, float], ...]

_SUBPIXEL_BITS = 8


@dataclass(frozen=True, slots=True)
class Polygon:
    """A simple polygon in shares of the picture.

    Attributes:
        points: Three or more corners (x, y), each 0..1, in either direction around.
    """

    points: Points

    def __post_init__(self) -> None:
        if len(self.points) < 3:
            raise ValueError(f"a polygon needs at least 3 corners, got {len(self.points)}")
        if not all(0 <= value <= 1 for point in self.points for value in point):
            raise ValueError("a polygon's corners are shares of the picture, each from 0 to 1")
        if cv2.contourArea(self._array()) <= 0:
            raise ValueError("the polygon's corners lie on one line, so it holds nothing")

    def contains(self, x: float, y: float) -> bool:
        """Whether the point, in shares of the picture, is inside or on the border."""
        return cv2.pointPolygonTest(self._array(), (x, y), False) >= 0

    def fill(self, image: ByteArray, value: int) -> None:
        """Paint the inside and every pixel that the border touches, in place."""
        height, width = image.shape[:2]
        scale = np.array([width, height], np.float64) * (1 << _SUBPIXEL_BITS)
        # A pixel's centre is half a pixel from its corner.
        corners = np.rint(self._array() * scale - (1 << (_SUBPIXEL_BITS - 1))).astype(np.int32)
        colour = (value, value, value)
        cv2.fillPoly(image, [corners], colour, lineType=cv2.LINE_8, shift=_SUBPIXEL_BITS)
        cv2.polylines(image, [corners], True, colour, 2, lineType=cv2.LINE_8, shift=_SUBPIXEL_BITS)

    def _array(self) -> npt.NDArray[np.float32]:
        return np.array(self.points, np.float32)


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of a picture, in pixels: columns left to right, rows top to bottom, ends excluded."""

    left: int
    top: int
    right: int
    bottom: int

    def cut(self, image: ByteArray) -> ByteArray:
        """The rectangle's pixels, as a view."""
        return image[self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True, slots=True)
class Region:
    """Where faces count.

    Attributes:
        polygon: A face counts if the centre of its box is inside.
        margin: Detection looks this much further than the polygon's bounding box, as a share of the
            picture, so that a face whose centre is inside is seen whole.
    """

    polygon: Polygon
    margin: float = 0.08

    def window(self, width_px: int, height_px: int) -> Window:
        """The part of a picture of this size that detection needs to see."""
        xs, ys = zip(*self.polygon.points, strict=True)
        left, top = (max(0.0, min(values) - self.margin) for values in (xs, ys))
        right, bottom = (min(1.0, max(values) + self.margin) for values in (xs, ys))
        first_column, first_row = _floor(left * width_px, width_px), _floor(top * height_px, height_px)
        return Window(
            first_column,
            first_row,
            max(first_column + 1, _ceil(right * width_px)),
            max(first_row + 1, _ceil(bottom * height_px)),
        )

    def holds(self, face: Face, width_px: int, height_px: int) -> bool:
        """Whether `face`, in pixels of a picture of this size, counts."""
        x, y = (float(face.bbox[i] + face.bbox[i + 2]) / 2 for i in (0, 1))
        return self.polygon.contains(x / width_px, y / height_px)


def _floor(value: float, size: int) -> int:
    """Rounded down, but not for the sake of a rounding error; a pixel of a row of `size`."""
    return min(math.floor(value + 1e-6), size - 1)


def _ceil(value: float) -> int:
    """Rounded up, but not for the sake of a rounding error."""
    return math.ceil(value - 1e-6)


class RegionDetector:
    """A detector that looks at one region only: the faces outside are ignored and cost nothing.

    Args:
        detector: Does the work, on the region's bounding box.
        region: The region.
    """

    def __init__(self, detector: Detector, region: Region) -> None:
        self._detector = detector
        self._region = region

    @property
    def detector_id(self) -> str:
        return self._detector.detector_id

    def detect(self, images_bgr: Sequence[ByteArray]) -> list[list[Face]]:
        """Faces of each picture that count, best score first, in the whole picture's pixels."""
        windows = [self._region.window(image.shape[1], image.shape[0]) for image in images_bgr]
        cuts = [
            np.ascontiguousarray(window.cut(image)) for window, image in zip(windows, images_bgr, strict=True)
        ]
        found = self._detector.detect(cuts)
        return [
            self._inside([_moved(face, window) for face in faces], image)
            for faces, window, image in zip(found, windows, images_bgr, strict=True)
        ]

    def _inside(self, faces: Sequence[Face], image: ByteArray) -> list[Face]:
        height, width = image.shape[:2]
        return [face for face in faces if self._region.holds(face, width, height)]


def _moved(face: Face, window: Window) -> Face:
    shift = np.array([window.left, window.top], np.float32)
    return Face(face.bbox + np.tile(shift, 2), face.landmarks + shift, face.score)


@dataclass(frozen=True, slots=True)
class PrivacyMask:
    """What nobody may see: blacked out before anything else looks at the picture."""

    polygons: tuple[Polygon, ...]

    def apply(self, image_bgr: ByteArray) -> None:
        """Black out the polygons of uint8 (H, W, 3) in place."""
        for polygon in self.polygons:
            polygon.fill(image_bgr, 0)
