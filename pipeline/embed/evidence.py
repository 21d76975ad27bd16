"""Attack evidence of single crops: how far purification moves their embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.seams import FaceEmbedder
from pipeline.types import ByteArray, Embedding, FloatArray, TemplateKey


class EvidenceEmbedder:
    """Embeds every crop behind the purifier and without it, and says by how much the two differ.

    The vectors are those of `purified`, to the bit; `bare` only fills in ``purification_shift``. Both
    are embedders by themselves, so that what they promise (a crop's result depends on it alone) holds
    for the shift as well. Costs one more embedding a crop.

    Args:
        purified: What decides: the network behind its purifier.
        bare: The same network without a purifier.

    Raises:
        ValueError: the two are not the same network, or do not differ in their purifier.
    """

    def __init__(self, purified: FaceEmbedder, bare: FaceEmbedder) -> None:
        one, other = purified.key, bare.key
        if (one.model_id, one.align_version) != (other.model_id, other.align_version):
            raise ValueError(f"{one} and {other} are not the same network on the same crops")
        if one.purifier_id == other.purifier_id:
            raise ValueError(f"evidence compares two purifiers, and both are {one.purifier_id}")
        self._purified = purified
        self._bare = bare

    @property
    def key(self) -> TemplateKey:
        return self._purified.key

    @property
    def dim(self) -> int:
        return self._purified.dim

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        """One unit vector a crop, uint8 (112, 112, 3) RGB each, with its ``purification_shift``.

        Raises:
            ValueError: a crop has another shape or dtype.
        """
        purified, bare = self._purified.embed(crops_rgb), self._bare.embed(crops_rgb)
        return [
            Embedding(with_it.vector, with_it.key, purification_shift(with_it.vector, without.vector))
            for with_it, without in zip(purified, bare, strict=True)
        ]


def purification_shift(purified: FloatArray, bare: FloatArray) -> float:
    """1 - cosine of two embeddings of one crop, float32 (D,) each: 0 (the same) .. 2 (opposite).

    Computed in float64, in which products of float32 are exact.
    """
    one, other = purified.astype(np.float64), bare.astype(np.float64)
    cosine = float(one @ other) / float(np.sqrt((one @ one) * (other @ other)))
    return float(np.clip(1.0 - cosine, 0.0, 2.0))
