"""A small world in which faces are coloured checks: quick, exact, and written by hand.

A person is a pattern of 4x4 coloured cells; a face is the pattern, under a texture, drawn as a square
on black. The detector finds squares, the embedder reads the cells back, so another photograph of a
person is one whose cells differ a little.
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
    """float32 (16, 16, 3) in 30..255: the person's cells, symmetric left to right, under a fine texture.

    `variation` 0 is the person's plain face. The texture differs from photograph to photograph, and
    averages out over a cell: it is seen by whoever compares pictures, not by the embedder.
    """
    plain = np.random.default_rng(person).normal(size=(CELLS, CELLS, 3))
    chance = np.random.default_rng([person, variation])
    mixed = plain + (strength * chance.normal(size=plain.shape) if variation else 0.0)
    cells = np.clip(157 + 40 * (mixed + mixed[:, ::-1]), 75, 240)
    signs = chance.permuted(np.tile([-1.0, 1.0], (CELLS, CELLS, 8)), axis=2)
    texture = signs.reshape(CELLS, CELLS, 4, 4).transpose(0, 2, 1, 3).reshape(4 * CELLS, 4 * CELLS)
    fine = cells.repeat(4, axis=0).repeat(4, axis=1) + 40 * texture[..., None]
    return np.asarray(np.clip(fine, 35, 255), np.float32)


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
