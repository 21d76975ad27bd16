"""Recognises a photograph that is a copy of one already enrolled: resized, recompressed, cropped, relit.

A copy teaches nothing about the subject, and would count twice wherever templates are counted.
Two photographs are the same if their embeddings are alike *and*, once laid over each other, so are
their pixels: two portraits of one sitting may pass the first test, but not the second.
"""

from __future__ import annotations

import cv2
import numpy as np

from gallery.photo import decode_photo
from gallery.records import StoredTemplate
from gallery.store import GalleryStore
from gallery.vision import Vision
from pipeline.types import ByteArray, FloatArray, Match

SAME_SIMILARITY = 0.85
"""Copies of press portraits stay above .84 (colour taken out) and .91 (everything else tried)."""

SAME_CORRELATION = 0.975
"""Of such copies 99 % reach it; of 236 other photographs of the same person none did (at most .966)."""

_GRID_PX = 56
_BORDER_PX = 4
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
_BLUR_PX = 5


class DuplicateFinder:
    """Compares a new crop with the kept photographs of a subject.

    Args:
        store: The gallery and its photographs.
        vision: Cuts the kept photographs as the new one was cut.
    """

    def __init__(self, store: GalleryStore, vision: Vision) -> None:
        self._store = store
        self._vision = vision

    def find(self, nearest: Match, crop_rgb: ByteArray) -> str | None:
        """The file name of the kept photograph that `crop_rgb` repeats.

        Args:
            nearest: The subject, and the similarity of its closest template.
            crop_rgb: uint8 (112, 112, 3).
        """
        if nearest.similarity < SAME_SIMILARITY:
            return None
        for template in self._store.templates(nearest.subject_id):
            if correlation(self._crop(template), crop_rgb) >= SAME_CORRELATION:
                return template.photo.original_name
        return None

    def _crop(self, template: StoredTemplate) -> ByteArray:
        data = self._store.photos.read(template.photo)
        photo = decode_photo(data, str(self._store.photos.path(template.photo)))
        return self._vision.align(photo.image_bgr, template.face.landmarks)


def correlation(one_rgb: ByteArray, other_rgb: ByteArray) -> float:
    """How alike two crops are once laid over each other, -1..1.

    Landmarks of a copy are found a pixel or two elsewhere, so the crops are registered first, by an
    affine map that maximises their correlation (Evangelidis and Psarakis, IEEE TPAMI 30(10), 2008).
    Blind to brightness and contrast; 0 for crops that cannot be registered.
    """
    inside = np.zeros((_GRID_PX, _GRID_PX), np.uint8)
    inside[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX] = 255
    start = np.eye(2, 3, dtype=np.float32)
    one, other = _luma(one_rgb), _luma(other_rgb)
    try:
        found, _ = cv2.findTransformECC(one, other, start, cv2.MOTION_AFFINE, _STEPS, inside, _BLUR_PX)
    except cv2.error:  # it does not converge: the pictures have nothing in common
        return 0.0
    return float(found)


def _luma(crop_rgb: ByteArray) -> FloatArray:
    luma = cv2.cvtColor(crop_rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(luma, (_GRID_PX, _GRID_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 1.0), np.float32)
