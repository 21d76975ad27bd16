"""The two people of the demonstration, cut out of public-domain portraits that other packages ship.

Grace Hopper (official portrait, United States Navy) comes with matplotlib, Eileen Collins (official
portrait, NASA) with scikit-image. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.types import ByteArray, FloatArray

# Outlines drawn by hand on the portraits, pixels, clockwise from the lower left.
_HOPPER_OUTLINE = (
    (12, 600), (22, 525), (28, 450), (41, 403), (59, 378), (100, 362), (156, 344), (197, 319),
    (203, 311), (200, 301), (178, 291), (164, 269), (159, 225), (152, 194), (158, 172), (150, 156),
    (152, 102), (175, 86), (188, 59), (219, 38), (240, 26), (259, 23), (287, 26), (306, 41),
    (341, 59), (353, 82), (362, 86), (369, 94), (372, 144), (372, 166), (376, 184), (374, 219),
    (359, 252), (362, 275), (347, 302), (331, 306), (337, 322), (369, 341), (412, 359), (456, 375),
    (494, 391), (504, 420), (508, 470), (511, 600),
)  # fmt: skip
_COLLINS_OUTLINE = (
    (30, 512), (22, 462), (22, 400), (31, 337), (47, 281), (69, 237), (112, 208), (114, 187),
    (134, 160), (181, 148), (182, 133), (169, 119), (155, 97), (153, 69), (175, 41), (200, 22),
    (231, 15), (269, 28), (294, 56), (301, 88), (291, 119), (272, 136), (262, 147), (256, 172),
    (284, 194), (300, 216), (305, 241), (341, 256), (353, 287), (362, 325), (369, 347), (406, 342),
    (450, 359), (481, 400), (497, 450), (509, 487), (511, 512),
)  # fmt: skip
_UNSURE_PX = 9
"""How far the hand-drawn outline may be off; the true edge is found within this band."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A person without background.

    Attributes:
        bgra: float32 (H, W, 4): colour 0..255 already multiplied by the last channel, which is 0
            (background) .. 1 (person).
        eyes: x and y of the point between the eyes, pixels.
        face_px: Height of the face (forehead to chin), pixels.
    """

    bgra: FloatArray
    eyes: tuple[float, float]
    face_px: float

    def halved(self) -> Cutout:
        """The same at half the size, without aliasing."""
        size = (self.bgra.shape[1] // 2, self.bgra.shape[0] // 2)
        half = np.asarray(cv2.resize(self.bgra, size, interpolation=cv2.INTER_AREA), np.float32)
        return Cutout(half, (self.eyes[0] / 2, self.eyes[1] / 2), self.face_px / 2)


def grace_hopper_path() -> Path:
    """The portrait's file, JPEG."""
    import matplotlib.cbook

    return Path(str(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))


def grace_hopper_bgr() -> ByteArray:
    """The portrait as it is, uint8 (600, 512, 3)."""
    return np.asarray(cv2.imread(str(grace_hopper_path())), np.uint8)


def eileen_collins_bgr() -> ByteArray:
    """The portrait as it is, uint8 (512, 512, 3)."""
    import skimage.data

    return np.ascontiguousarray(skimage.data.astronaut()[:, :, ::-1])


def grace_hopper() -> Cutout:
    """Head to chest, and below that a plain coat down to the hip, which the portrait does not show."""
    image = grace_hopper_bgr()
    return _extended(image, _matte(image, _HOPPER_OUTLINE), rows=650, eyes=(259.5, 196.5), face_px=224.0)


def eileen_collins() -> Cutout:
    """Head to hip in the orange suit, with the helmet under the arm."""
    image = eileen_collins_bgr()
    return _extended(image, _matte(image, _COLLINS_OUTLINE), rows=60, eyes=(225.5, 104.0), face_px=111.0)


def _matte(image_bgr: ByteArray, outline: Sequence[tuple[int, int]]) -> FloatArray:
    """float32 (H, W), 0..1: GrabCut (Rother et al. 2004) decides within a band around the outline."""
    inside = np.zeros(image_bgr.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.array(outline, np.int32)], (1,))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _UNSURE_PX + 1, 2 * _UNSURE_PX + 1))
    mask = np.where(inside == 1, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[cv2.erode(inside, kernel) == 1] = cv2.GC_FGD
    mask[cv2.dilate(inside, kernel) == 0] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image_bgr, mask, (0, 0, 0, 0), *models, 4, cv2.GC_INIT_WITH_MASK)
    person = cv2.medianBlur(np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8), 9)
    person[:, :4] = person[:, -4:] = 0  # a soft edge also where the picture ends
    return np.asarray(cv2.GaussianBlur(person.astype(np.float32), (0, 0), 1.6), np.float32)


def _extended(
    image_bgr: ByteArray, alpha: FloatArray, *, rows: int, eyes: tuple[float, float], face_px: float
) -> Cutout:
    """Continue the clothes of the lowest row for `rows` more."""
    hem = cv2.medianBlur(np.repeat(image_bgr[-1:], 99, axis=0), 61)[:1]
    image = np.vstack([image_bgr, np.repeat(hem, rows, axis=0)]).astype(np.float32)
    alpha = np.vstack([alpha, np.repeat(alpha[-1:], rows, axis=0)])
    return Cutout(np.dstack([image * alpha[:, :, None], alpha]), eyes, face_px)
