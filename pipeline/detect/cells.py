"""Decoding of detectors that propose one face a cell of a feature map, without anchors."""

from __future__ import annotations

import numpy as np

from pipeline.detect.candidates import Candidates
from pipeline.types import FloatArray

STRIDES_PX = (8, 16, 32)
"""Sizes of the cells of the three feature maps."""


def decode_cells(
    scores: FloatArray,
    boxes: FloatArray,
    landmarks: FloatArray,
    *,
    stride: int,
    columns: int,
    min_score: float,
) -> Candidates:
    """Proposals of one feature map.

    Box centre = (cell + offset) * stride, size = exp(log size) * stride; landmark = (cell + offset) * stride,
    as in OpenCV's ``FaceDetectorYN``.

    Args:
        scores: float32 (cells,), 0..1.
        boxes: float32 (cells, 4): offsets of the centre, then log width and height.
        landmarks: float32 (cells, 10).
        stride: Side of a cell.
        columns: Cells in a row.
        min_score: Lowest score kept.
    """
    which = np.flatnonzero(scores >= min_score)
    cell = np.stack([which % columns, which // columns], axis=1).astype(np.float32)
    centre = (cell + boxes[which, :2]) * stride
    half = np.exp(boxes[which, 2:]) * (stride / 2)
    points = (landmarks[which].reshape(-1, 5, 2) + cell[:, None]) * stride
    return Candidates(np.concatenate([centre - half, centre + half], axis=1), points, scores[which])
