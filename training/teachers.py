"""What several embedders say of a face, as one vector that a student can give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.embed.load import load_embedder
from pipeline.embed.mirrored import embed_photo_crops
from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelKind
from pipeline.seams import FaceEmbedder
from pipeline.types import ByteArray, Embedding, FloatArray


@dataclass(frozen=True, slots=True)
class Teachers:
    """Embedders without a purifier, whose unit vectors are laid end to end.

    Attributes:
        embedders: One or more.
    """

    embedders: tuple[FaceEmbedder, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Their keys, in order."""
        return tuple(str(embedder.key) for embedder in self.embedders)

    def __call__(self, crops_rgb: Sequence[ByteArray], mirrored: bool = True) -> FloatArray:
        """float32 (N, D), unit norm, D of all together.

        Each teacher has the same weight: the cosine of two results is the mean of the teachers'.

        Args:
            crops_rgb: uint8 (112, 112, 3) each.
            mirrored: Whether they look at each crop's mirror image as well, and the mean counts.
        """
        look = embed_photo_crops if mirrored else _one_look
        parts = [np.stack([one.vector for one in look(crops_rgb, embedder)]) for embedder in self.embedders]
        return np.concatenate(parts, axis=1) / np.float32(np.sqrt(len(parts)))


def _one_look(crops_rgb: Sequence[ByteArray], embedder: FaceEmbedder) -> Sequence[Embedding]:
    return embedder.embed(list(crops_rgb))


def load_teachers(catalogue: Catalogue, names: Sequence[str], device: str, threads: int) -> Teachers:
    """Those embedders, from their cards.

    Raises:
        UsageError: none is named.
        ModelNotFound, ModelFormatError: a card or a file is missing or not what it should be.
    """
    if not names:
        raise UsageError("name at least one teacher: --teacher CARD")
    none = catalogue.open("none", ModelKind.PURIFIER)
    return Teachers(
        tuple(
            load_embedder(catalogue.open(name, ModelKind.EMBEDDER), none, device=device, threads=threads)
            for name in names
        )
    )


def unit(vectors: FloatArray) -> FloatArray:
    """float32 (N, D): rows of length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """To fewer dimensions with most of the cosines kept: an uncentred singular value decomposition.

    Attributes:
        directions: float32 (D, K), orthonormal columns.
        kept: Share of the sum of squares that they hold, of what they were fitted to.
    """

    directions: FloatArray
    kept: float

    @classmethod
    def fitted(cls, vectors: FloatArray, dim: int) -> Projection:
        """The `dim` best directions of float32 (N, D); where there are fewer, all of them and zeros."""
        _, values, directions = np.linalg.svd(vectors.astype(np.float64), full_matrices=False)
        chosen = directions[:dim].T
        padded = np.pad(chosen, ((0, 0), (0, dim - chosen.shape[1])))
        kept = float((values[:dim] ** 2).sum() / (values**2).sum())
        return cls(np.asarray(padded, np.float32), kept)

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """float32 (N, K), unit norm."""
        return unit(vectors @ self.directions)
