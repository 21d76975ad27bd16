"""Embeddings of photographs, of which there is one where a track has several crops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.seams import FaceEmbedder
from pipeline.types import ByteArray, Embedding


def embed_photo_crops(crops_rgb: Sequence[ByteArray], embedder: FaceEmbedder) -> list[Embedding]:
    """One embedding a crop of a photograph: the mean of the crop's own and its mirror image's.

    A photograph gives one crop, where a track gives several; the mirror image is the second opinion
    that it lacks, and costs little where faces are few. Where the purification shift is measured, it
    is the mean of the two as well.
    """
    crops = list(crops_rgb)
    both = embedder.embed(crops + [np.ascontiguousarray(crop[:, ::-1]) for crop in crops])
    pairs = zip(both[: len(crops)], both[len(crops) :], strict=True)
    return [_mean(one, mirrored) for one, mirrored in pairs]


def _mean(one: Embedding, other: Embedding) -> Embedding:
    total = one.vector.astype(np.float64) + other.vector
    norm = float(np.linalg.norm(total))
    if norm < 1e-3:  # a crop that is the opposite of its mirror image shows no face
        return one
    return Embedding(
        (total / norm).astype(np.float32),
        one.key,
        _mean_of(one.purification_shift, other.purification_shift),
        _mean_of(one.confidence, other.confidence),
    )


def _mean_of(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else (one + other) / 2
