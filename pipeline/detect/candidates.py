"""What a detection network proposes, and the choice among overlapping proposals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.detect.letterbox import Letterbox
from pipeline.types import Face, FloatArray

_MAX_CANDIDATES = 2000  # keeps the pairwise overlaps of a hostile picture within some 30 MB


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Proposed faces in pixels of the network's input.

    Attributes:
        boxes: float32 (N, 4), x_min, y_min, x_max, y_max.
        landmarks: float32 (N, 5, 2).
        scores: float32 (N,).
    """

    boxes: FloatArray
    landmarks: FloatArray
    scores: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """All proposals of `parts`, in order; at least one part."""
        return cls(
            np.concatenate([part.boxes for part in parts]).astype(np.float32, copy=False),
            np.concatenate([part.landmarks for part in parts]).astype(np.float32, copy=False),
            np.concatenate([part.scores for part in parts]).astype(np.float32, copy=False),
        )

    def take(self, which: npt.NDArray[np.intp]) -> Candidates:
        return Candidates(self.boxes[which], self.landmarks[which], self.scores[which])

    def best_first(self) -> Candidates:
        """Sorted by falling score, equal scores in the order of the network's anchors."""
        return self.take(np.argsort(-self.scores, kind="stable")[:_MAX_CANDIDATES])


def pairwise_iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """Intersection over union, float32 (N, M), of boxes (N, 4) and (M, 4)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inside = np.prod(np.clip(high - low, 0, None), axis=2)
    area_a = np.prod(a[:, 2:] - a[:, :2], axis=1)
    area_b = np.prod(b[:, 2:] - b[:, :2], axis=1)
    return np.asarray(inside / np.maximum(area_a[:, None] + area_b[None] - inside, 1e-9), np.float32)


def suppress(candidates: Candidates, max_iou: float) -> Candidates:
    """Greedy non-maximum suppression: drop what overlaps a better one by more than `max_iou`."""
    ranked = candidates.best_first()
    overlaps = pairwise_iou(ranked.boxes, ranked.boxes) > max_iou
    open_ = np.ones(len(ranked.scores), bool)
    kept: list[int] = []
    for index in range(len(open_)):
        if open_[index]:
            kept.append(index)
            open_ &= ~overlaps[index]
    return ranked.take(np.array(kept, np.intp))


def to_faces(candidates: Candidates, letterbox: Letterbox) -> list[Face]:
    """Faces in pixels of the picture, in the order given; what is not finite is left out."""
    boxes = letterbox.restore(candidates.boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    landmarks = letterbox.restore(candidates.landmarks)
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(landmarks).all(axis=(1, 2))
    return [Face(boxes[i], landmarks[i], float(candidates.scores[i])) for i in np.flatnonzero(finite)]
