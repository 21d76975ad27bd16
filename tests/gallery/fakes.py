"""A small world in which faces are coloured checks: quick, exact, and written by hand.

A person is a pattern of 4x4 coloured cells; a face is the pattern drawn as a square on black. The
detector finds squares, the embedder reads the pattern back, so another photograph of a person is one
whose cells differ a little.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gallery.vision import Vision
from pipeline.align import ARCFACE_TEMPLATE
from pipeline.quality import QualityAssessor
from pipeline.types import ByteArray, Embedding, Face, FloatArray, TemplateKey

KEY = TemplateKey("fake@1", "none")
OTHER_KEY = TemplateKey("fake@2", "none")
CELLS = 4


def pattern(person: int, variation: int = 0, strength: float = 0.5) -> FloatArray:
    """float32 (4, 4, 3) in 60..255, symmetric left to right; `variation` 0 is the person's plain face."""
    plain = np.random.default_rng(person).normal(size=(CELLS, CELLS, 3))
    other = np.random.default_rng([person, variation]).normal(size=(CELLS, CELLS, 3))
    mixed = plain + (strength * other if variation else 0.0)
    mixed = mixed + mixed[:, ::-1]
    return np.clip(157 + 40 * mixed, 60, 255).astype(np.float32)


def draw_face(cells: FloatArray, side_px: int = 112) -> ByteArray:
    """uint8 (side, side, 3) BGR."""
    face = cv2.resize(cells, (side_px, side_px), interpolation=cv2.INTER_NEAREST)
    return np.asarray(np.clip(face, 0, 255), np.uint8)


def picture(
    faces: Sequence[tuple[FloatArray, int, tuple[int, int]]], size: tuple[int, int] = (240, 320)
) -> ByteArray:
    """uint8 (H, W, 3) with faces given as (cells, side, (left, top)) on black."""
    canvas = np.zeros((*size, 3), np.uint8)
    for cells, side, (left, top) in faces:
        canvas[top : top + side, left : left + side] = draw_face(cells, side)
    return canvas


def write_picture(path: Path, image_bgr: ByteArray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix, image_bgr)
    assert done
    path.write_bytes(data.tobytes())
    return path


def write_person(path: Path, person: int, variation: int = 0, side_px: int = 112) -> Path:
    """A photograph of one person."""
    return write_picture(path, picture([(pattern(person, variation), side_px, (100, 60))]))


class SquareDetector:
    """Finds everything that is not black; the landmarks are where the ArcFace template has them."""

    detector_id = "squares"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, images_bgr: Sequence[ByteArray]) -> list[list[Face]]:
        return [self._detect(image) for image in images_bgr]

    def _detect(self, image_bgr: ByteArray) -> list[Face]:
        self.shapes.append(image_bgr.shape)
        mask = (image_bgr.max(axis=2) > 30).astype(np.uint8)
        _, _, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        return [_square(*box[:4]) for box in boxes[1:] if min(box[2], box[3]) >= 8]


def _square(left: int, top: int, width: int, height: int) -> Face:
    corner = np.array([left, top], np.float32)
    scale = np.array([width, height], np.float32) / 112
    box = np.concatenate([corner, corner + scale * 112]).astype(np.float32)
    return Face(box, (ARCFACE_TEMPLATE * scale + corner).astype(np.float32), 0.9)


class PatternEmbedder:
    """Reads the cells of a crop; two people's are nearly at right angles."""

    dim = CELLS * CELLS * 3

    def __init__(self, key: TemplateKey = KEY) -> None:
        self.key = key

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        return [self._embed(crop) for crop in crops_rgb]

    def _embed(self, crop_rgb: ByteArray) -> Embedding:
        cells = cv2.resize(crop_rgb, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float64)
        flat = (cells - cells.mean() + 1e-6).ravel()
        return Embedding((flat / np.linalg.norm(flat)).astype(np.float32), self.key)


class BrokenEmbedder(PatternEmbedder):
    """Fails after a number of batches, as a process does that runs out of memory."""

    def __init__(self, key: TemplateKey, batches: int) -> None:
        super().__init__(key)
        self._left = [None] * batches

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        if not self._left:
            raise MemoryError("no memory left")
        self._left.pop()
        return super().embed(crops_rgb)


def make_vision(key: TemplateKey = KEY) -> Vision:
    return Vision(SquareDetector(), PatternEmbedder(key), QualityAssessor())
