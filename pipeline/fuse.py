"""One face for a whole track: the direction of the mean that decisions are made with."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.decide import WeightedEmbedding, weighted_mean
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
    return weighted_mean(evidence)[0] if evidence else None
