"""A first look at a large gallery: a short code of every template, all of them scanned for a probe."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.types import FloatArray

CANDIDATE_VALUES = 3 << 18
"""Numbers in all candidates together: 3,072 of 256."""

_PARTS = 64
_LEVELS = 16
_BITS = 4
_SEED = 1
_SAMPLES = 20_000


class CodeScan:
    """Product quantisation (Jegou, Douze, Schmid, IEEE TPAMI 2011), scanned as in Andre, Kermarrec, Le
    Scouarnec, "Quicker ADC" (IEEE TPAMI 2021): FAISS's ``IndexPQFastScan`` with 64 parts of four bits.

    Unit vectors are turned first (random signs and Hadamard transforms, thrice), after which every part
    of any of them is nearly normally distributed; so the code book is that of a normal distribution and
    no templates train it. A template's code depends on nothing but the template, to the bit, and the
    candidates of a probe on nothing but the templates that are there.

    Args:
        dim: Length of a template.
    """

    def __init__(self, dim: int) -> None:
        import faiss

        self._turn = faiss.HadamardRotation(dim, _SEED)
        turned = self._turn.d_out  # the next power of two
        parts = min(_PARTS, turned)
        self._codes: Any = faiss.IndexPQ(turned, parts, _BITS, faiss.METRIC_INNER_PRODUCT)
        book = np.tile(_code_book(turned // parts), (parts, 1)) / np.float32(np.sqrt(turned))
        faiss.copy_array_to_vector(np.ascontiguousarray(book, np.float32).ravel(), self._codes.pq.centroids)
        self._codes.is_trained = True
        self._packed: Any = None
        self._count = CANDIDATE_VALUES // dim

    def add(self, vectors: FloatArray) -> None:
        """Float32 (N, D), unit norm: the next N rows."""
        turned = self._turn.apply(vectors)
        self._codes.add(turned)
        if self._packed is None:
            self._pack()
        else:
            self._packed.add(turned)

    def remove(self, rows: npt.NDArray[np.int64]) -> None:
        """Forget these; the rows that follow move up."""
        self._codes.remove_ids(rows)
        # Packed anew: where FAISS 1.15 removes packed codes, it mixes what is left with what is added next.
        self._pack()

    def _pack(self) -> None:
        import faiss

        self._packed = faiss.IndexPQFastScan(self._codes)

    def candidates(self, query: FloatArray) -> npt.NDArray[np.int64]:
        """Rows that may be the most similar to `query`, float32 (1, D); in no order."""
        return nearest_rows(self._packed, self._turn.apply(query), self._count)


def nearest_rows(index: Any, query: FloatArray, count: int) -> npt.NDArray[np.int64]:
    """At most `count` rows of a FAISS index that may be nearest to `query`, float32 (1, D); in no order.

    Of rows that are equally far away at the end of the list none is taken, unless there are no others:
    which of them would come first depends on where they stand.
    """
    wanted = min(index.ntotal, count)
    nearness, rows = (found[0] for found in index.search(query, wanted))
    nearer = nearness > nearness[-1]
    return np.asarray(rows if wanted < count or not nearer.any() else rows[nearer], np.int64)


def use_one_thread() -> None:
    """For FAISS, from here on: with several it sums in another order, and machines have different numbers.

    OpenMP's setting belongs to the thread that asks.
    """
    import faiss

    faiss.omp_set_num_threads(1)


def _code_book(part: int) -> FloatArray:
    """float32 (16, part): what a normal distribution in so many dimensions is best rounded to (k-means)."""
    import faiss

    use_one_thread()
    samples = np.random.default_rng(_SEED).standard_normal((_SAMPLES, part), np.float32)
    means = faiss.Kmeans(part, _LEVELS, seed=_SEED)
    means.train(samples)
    return np.asarray(means.centroids, np.float32).reshape(_LEVELS, part)
