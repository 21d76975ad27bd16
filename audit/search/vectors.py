"""Kept vectors as numbers, and how similar they are to one: the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gallery.rows import vectors_of
from pipeline.errors import GalleryCorrupt
from pipeline.types import FloatArray

DECIMALS = 6
"""As decisions have them: what lies beyond differs from machine to machine."""

_ROWS_AT_ONCE = 4096


def face_vectors(blobs: Sequence[bytes]) -> FloatArray:
    """float32 (N, D) from N blobs; (0, 0) from none.

    Raises:
        GalleryCorrupt: the blobs are not of one length, or hold no numbers.
    """
    try:
        return vectors_of(blobs)
    except GalleryCorrupt as error:
        raise GalleryCorrupt(
            "a kept face of a track is damaged: bring back a backup of the database, or forget the faces "
            "of that time"
        ) from error


def similarities(vectors: FloatArray, probes: FloatArray) -> npt.NDArray[np.float64]:
    """Cosine similarities of unit vectors, summed in float64 and rounded, -1..1.

    Args:
        vectors: float32 (N, D).
        probes: float32 (P, D), or (D,) for one.

    Returns:
        float64 (N, P), or (N,).
    """
    wide = probes.astype(np.float64).T
    found = np.empty((len(vectors), *wide.shape[1:]))
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        block = vectors[start : start + _ROWS_AT_ONCE].astype(np.float64)
        found[start : start + len(block)] = block @ wide
    return np.clip(np.round(found, DECIMALS), -1.0, 1.0)
