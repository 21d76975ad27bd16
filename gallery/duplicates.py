"""Recognises a photograph that is a copy of one already enrolled: resized, recompressed, relit.

A copy teaches nothing about the subject, and would count twice wherever templates are counted.
Two photographs are the same if their embeddings are almost equal *and* so are their pixels: two
portraits of one sitting may pass the first test, but not the second.
"""

from __future__ import annotations

import cv2
import numpy as np

from gallery.photo import decode_photo
from gallery.records import StoredTemplate
from gallery.store import GalleryStore
from gallery.vision import Vision
from pipeline.types import ByteArray, Match

SAME_SIMILARITY = 0.95
SAME_CORRELATION = 0.97
_GRID_PX = 28


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
    """How alike two crops are, -1..1: normalised correlation of their luma at 28x28.

    Blind to brightness, contrast, compression and a pixel's misalignment, not to another pose.
    """
    one, other = _pattern(one_rgb), _pattern(other_rgb)
    spread = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / spread if spread > 0 else 0.0


def _pattern(crop_rgb: ByteArray) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    luma = cv2.cvtColor(crop_rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(luma, (_GRID_PX, _GRID_PX), interpolation=cv2.INTER_AREA).astype(np.float64)
    return np.asarray(small - small.mean())
