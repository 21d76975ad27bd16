"""The gallery in memory, searched with FAISS. A cache: the database is the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gallery.ranking import check_delta, check_probe, rank_subjects
from gallery.records import Delta, Snapshot
from pipeline.types import Embedding, FloatArray, Match, TemplateKey

_FIRST_TEMPLATES = 32


class FaissIndex:
    """A :class:`pipeline.seams.GalleryIndex` over exact inner products (``IndexIDMap2(IndexFlatIP)``).

    Every search hands FAISS exactly one query: it switches kernels with their number, and then the
    last bits of a similarity would depend on who else was searched for. Not safe for searches while
    another thread calls :meth:`apply`.

    Args:
        snapshot: The templates to begin with; :meth:`apply` goes on from its epoch.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._key = snapshot.key
        self._epoch = snapshot.epoch
        self._index: Any = None
        self._subjects: dict[int, str] = {}
        self._add(snapshot.template_ids, snapshot.subject_ids, snapshot.vectors)

    @property
    def key(self) -> TemplateKey:
        return self._key

    @property
    def gallery_epoch(self) -> int:
        return self._epoch

    def __len__(self) -> int:
        return len(self._subjects)

    def search(self, probe: Embedding, count: int) -> list[Match]:
        """See :meth:`pipeline.seams.GalleryIndex.search`."""
        check_probe(probe, self._key)
        total = len(self._subjects)
        wanted = min(total, max(_FIRST_TEMPLATES, 4 * count))
        while wanted:
            similarities, ids = self._nearest(probe.vector, wanted)
            ranked = rank_subjects(
                (self._subjects[template_id], similarity)
                for template_id, similarity in zip(ids, similarities, strict=True)
            )
            if wanted == total or _settled(ranked, count, similarities[-1]):
                return ranked[:count]
            wanted = min(total, 4 * wanted)
        return []

    def apply(self, delta: Delta) -> None:
        """Bring the index to the epoch of `delta`.

        Raises:
            ValueError: the delta belongs to another key, or does not begin at this index's epoch.
        """
        check_delta(delta, self._key, self._epoch)
        if len(delta.removed_ids):
            self._index.remove_ids(delta.removed_ids)
            for template_id in delta.removed_ids.tolist():
                del self._subjects[template_id]
        self._add(delta.added_ids, delta.added_subject_ids, delta.added_vectors)
        self._epoch = delta.epoch

    def _add(self, ids: npt.NDArray[np.int64], subject_ids: tuple[str, ...], vectors: FloatArray) -> None:
        if not len(ids):
            return
        if self._index is None:
            import faiss

            self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
        self._index.add_with_ids(np.ascontiguousarray(vectors), ids)
        self._subjects.update(zip(ids.tolist(), subject_ids, strict=True))

    def _nearest(self, vector: FloatArray, wanted: int) -> tuple[list[float], list[int]]:
        similarities, ids = self._index.search(np.ascontiguousarray(vector[None]), wanted)
        return similarities[0].tolist(), ids[0].tolist()


def _settled(ranked: list[Match], count: int, worst: float) -> bool:
    """Whether templates no nearer than `worst`, not yet seen, can no longer change the first `count`.

    A template at exactly the last one's similarity could belong to a subject that the tie puts first.
    """
    return len(ranked) >= count and ranked[count - 1].similarity > worst
