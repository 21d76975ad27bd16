"""Fits a picture of any size into the fixed shape that a network takes, and brings results back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.types import ByteArray, FloatArray

GRID_PX = 32
"""Sides of a network's input are multiples of this: the coarsest stride of the detectors here."""

_MAX_STRETCH = 0.05  # how far the sides' scales may differ so that no rows need padding


def check_size(size_px: int) -> None:
    """Raise ``ValueError`` unless `size_px` can be the longer side of a network's input."""
    if size_px < GRID_PX or size_px % GRID_PX:
        raise ValueError(f"size_px must be a positive multiple of {GRID_PX}, got {size_px}")


def _grid_side(length_px: float) -> int:
    """The multiple of the grid nearest to `length_px`, if stretching to it is harmless, else the next."""
    nearest = max(1, round(length_px / GRID_PX)) * GRID_PX
    if abs(nearest / length_px - 1.0) <= _MAX_STRETCH:
        return nearest
    return -(-int(np.ceil(length_px)) // GRID_PX) * GRID_PX


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How one picture size is fitted into one network input.

    The picture is reduced so that its long side is at most `size_px`; it is never enlarged. A side
    within 5 % of a multiple of the grid is stretched to it (16:9 at 640 becomes 640x352, where
    padding would make it 640x384 and cost a tenth more); otherwise black is added on the right and
    at the bottom.

    Attributes:
        source_px: Height and width of the picture.
        picture_px: Height and width of the picture within the input.
        input_px: Height and width of the input, multiples of the grid.
    """

    source_px: tuple[int, int]
    picture_px: tuple[int, int]
    input_px: tuple[int, int]

    @classmethod
    def plan(cls, height: int, width: int, size_px: int) -> Letterbox:
        """The fit of a `height` by `width` picture; both at least 1, `size_px` a multiple of the grid."""
        scale = min(1.0, size_px / max(height, width))
        wanted = (max(1.0, height * scale), max(1.0, width * scale))
        sides = (_grid_side(wanted[0]), _grid_side(wanted[1]))
        fits = tuple(
            side if abs(side / want - 1.0) <= _MAX_STRETCH else max(1, round(want))
            for side, want in zip(sides, wanted, strict=True)
        )
        return cls((height, width), (fits[0], fits[1]), sides)

    def apply(self, image_bgr: ByteArray) -> ByteArray:
        """The network's input, uint8 (input height, input width, 3)."""
        height, width = self.picture_px
        picture = _reduce(image_bgr, height, width)
        if self.picture_px == self.input_px:
            return picture
        canvas = np.zeros((*self.input_px, 3), np.uint8)
        canvas[:height, :width] = picture
        return canvas

    def restore(self, points: FloatArray) -> FloatArray:
        """Points (..., 2) of the input, x and y, as points of the picture."""
        factor = [self.source_px[1] / self.picture_px[1], self.source_px[0] / self.picture_px[0]]
        return np.asarray(points * np.array(factor, np.float32), np.float32)


def _reduce(image_bgr: ByteArray, height: int, width: int) -> ByteArray:
    """Halve as often as possible, then interpolate the rest.

    Averaging over exactly 2x2 pixels is several times faster than over a fraction of a pixel, and as
    good for detection: no pixel is skipped, and the last step is below two.
    """
    while image_bgr.shape[0] >= 2 * height and image_bgr.shape[1] >= 2 * width:
        half = (image_bgr.shape[1] // 2, image_bgr.shape[0] // 2)
        image_bgr = np.asarray(cv2.resize(image_bgr, half, interpolation=cv2.INTER_AREA), np.uint8)
    if image_bgr.shape[:2] == (height, width):
        return image_bgr
    return np.asarray(cv2.resize(image_bgr, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
