"""Kept crops as photographs that somebody can be enrolled from."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from audit.crops import png_of
from pipeline.types import ByteArray, FaceCrop

_MARGIN_PX = 56
_SCALE = 3


def photo_of(crop: FaceCrop) -> bytes:
    """A PNG of the crop, larger and with room around the face: detectors look for heads, not for faces alone.

    The border repeats the crop's outermost pixels; nothing of it is within the face.
    """
    padded = cv2.copyMakeBorder(
        crop.image_rgb, _MARGIN_PX, _MARGIN_PX, _MARGIN_PX, _MARGIN_PX, cv2.BORDER_REPLICATE
    )
    large = cv2.resize(padded, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_CUBIC)
    return png_of(_bytes(large))


def best_of(crops: Sequence[FaceCrop], count: int) -> list[FaceCrop]:
    """The crops of the best quality, the best first."""
    return sorted(crops, key=lambda crop: (-crop.quality, crop.sequence))[:count]


def _bytes(image: object) -> ByteArray:
    return np.ascontiguousarray(image, np.uint8)
