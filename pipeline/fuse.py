"""One face for a whole track: the direction of the mean that decisions are made with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.decide import MIN_WEIGHT, WeightedEmbedding
from pipeline.types import FloatArray


def fuse(evidence: Sequence[WeightedEmbedding]) -> FloatArray | None:
    """The weighted mean of a track's embeddings, stretched to unit norm.

    It is what ``pipeline.decide`` asks the gallery for, to the bit. How much the crops agree among
    themselves, the mean's length, is lost: two fused faces are more similar than their crops are on average.

    Args:
        evidence: The track's crops in the order of their sequence, all embedded by one model.

    Returns:
        float32 (D,), unit norm; ``None`` where there are no crops, or they cancel out.
    """
    if not evidence:
        return None
    weights = np.array([item.weight for item in evidence], np.float64)
    vectors = np.stack([item.embedding.vector for item in evidence]).astype(np.float64)
    mean = (weights[:, None] * vectors).sum(axis=0) / weights.sum()
    norm = float(np.linalg.norm(mean))
    if norm < MIN_WEIGHT:
        return None
    return np.asarray(mean / norm, np.float32)
