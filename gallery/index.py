"""The gallery in memory, searched with FAISS. A cache: the database is the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gallery.code_scan import CodeScan, use_one_thread
from gallery.ranking import check_delta, check_probe, rank_subjects
from gallery.records import Delta, Snapshot
from pipeline.types import Embedding, FloatArray, Match, TemplateKey

EXACT_VALUES = 16_000_000
"""Numbers in all templates up to which every one of them is compared: 62,500 templates of 256."""

_FIRST_TEMPLATES = 32

Rows = npt.NDArray[np.int64]


class Scan(Protocol):
    """A first look at a large gallery."""

    def add(self, vectors: FloatArray) -> None: ...
    def remove(self, rows: Rows) -> None: ...
    def candidates(self, query: FloatArray) -> Rows: ...


def scan_of(dim: int) -> Scan:
    """On the GPU where FAISS has one, else on the CPU."""
    import faiss

    if faiss.get_num_gpus():
        from gallery.gpu_scan import GpuScan

        return GpuScan(dim)
    return CodeScan(dim)


class FaissIndex:
    """A :class:`pipeline.seams.GalleryIndex` over inner products (``IndexFlatIP``).

    Up to a size every template is compared. A larger gallery is first scanned as short codes, and only
    the candidates of that scan are compared; similarities are the same to the bit. Which of the two
    happens, and who is a candidate, depends on the templates that are there and not on how they came.

    Every search hands FAISS exactly one query, on one thread: it switches kernels with their numbers, and
    then the last bits of a similarity would depend on who else was searched for, or on the machine. Not
    safe for searches while another thread calls :meth:`apply`.

    Args:
        snapshot: The templates to begin with; :meth:`apply` goes on from its epoch.
        exact_values: See :data:`EXACT_VALUES`.
    """

    def __init__(self, snapshot: Snapshot, exact_values: int = EXACT_VALUES) -> None:
        self._key = snapshot.key
        self._epoch = snapshot.epoch
        self._exact_values = exact_values
        self._flat: Any = None
        self._scan: Scan | None = None
        self._template_ids = np.empty(0, np.int64)
        self._subject_ids = np.empty(0, np.object_)
        self._add(snapshot.template_ids, snapshot.subject_ids, snapshot.vectors)

    @property
    def key(self) -> TemplateKey:
        return self._key

    @property
    def gallery_epoch(self) -> int:
        return self._epoch

    def __len__(self) -> int:
        return len(self._template_ids)

    def search(self, probe: Embedding, count: int) -> list[Match]:
        """See :meth:`pipeline.seams.GalleryIndex.search`."""
        check_probe(probe, self._key)
        if not len(self):
            return []
        use_one_thread()
        query = np.ascontiguousarray(probe.vector[None])
        total, nearest = self._candidates(query) if self._is_large else (len(self), self._flat.search)
        wanted = min(total, max(_FIRST_TEMPLATES, 4 * count))
        while True:
            similarities, rows = (found[0] for found in nearest(query, wanted))
            ranked = rank_subjects(zip(self._subject_ids[rows], similarities.tolist(), strict=True))
            if wanted == total or _settled(ranked, count, float(similarities[-1])):
                return ranked[:count]
            wanted = min(total, 4 * wanted)

    def apply(self, delta: Delta) -> None:
        """Bring the index to the epoch of `delta`.

        Raises:
            ValueError: the delta belongs to another key, or does not begin at this index's epoch.
        """
        check_delta(delta, self._key, self._epoch)
        self._remove(delta.removed_ids)
        self._add(delta.added_ids, delta.added_subject_ids, delta.added_vectors)
        self._epoch = delta.epoch

    @property
    def _is_large(self) -> bool:
        return len(self) * int(self._flat.d) > self._exact_values

    def _add(self, ids: Rows, subject_ids: tuple[str, ...], vectors: FloatArray) -> None:
        if not len(ids):
            return
        if self._flat is None:
            import faiss

            self._flat = faiss.IndexFlatIP(vectors.shape[1])
        added = np.ascontiguousarray(vectors)
        self._flat.add(added)
        self._template_ids = np.concatenate([self._template_ids, ids])
        self._subject_ids = np.concatenate([self._subject_ids, np.array(subject_ids, np.object_)])
        if self._scan is not None:
            self._scan.add(added)
        elif self._is_large:
            self._scan = scan_of(self._flat.d)
            self._scan.add(self._vectors())

    def _remove(self, ids: Rows) -> None:
        rows = np.flatnonzero(np.isin(self._template_ids, ids))
        if not len(rows):
            return
        self._flat.remove_ids(rows)
        if self._scan is not None:
            self._scan.remove(rows)
        self._template_ids = np.delete(self._template_ids, rows)
        self._subject_ids = np.delete(self._subject_ids, rows)

    def _vectors(self) -> FloatArray:
        """float32 (N, D): FAISS's own memory, valid until the next change."""
        import faiss

        flat = faiss.rev_swig_ptr(self._flat.get_xb(), len(self) * self._flat.d)
        return np.asarray(flat.reshape(len(self), self._flat.d), np.float32)

    def _candidates(self, query: FloatArray) -> tuple[int, Callable[..., tuple[FloatArray, Rows]]]:
        """How many there are, and a search among them like that of the whole index."""
        import faiss

        assert self._scan is not None
        rows = self._scan.candidates(query)
        vectors = self._vectors()[rows]

        def nearest(of: FloatArray, wanted: int) -> tuple[FloatArray, Rows]:
            similarities, places = faiss.knn(of, vectors, wanted, metric=faiss.METRIC_INNER_PRODUCT)
            return similarities, rows[places]

        return len(rows), nearest


def _settled(ranked: list[Match], count: int, worst: float) -> bool:
    """Whether templates no nearer than `worst`, not yet seen, can no longer change the first `count`.

    A template at exactly the last one's similarity could belong to a subject that the tie puts first.
    """
    return len(ranked) >= count and ranked[count - 1].similarity > worst
