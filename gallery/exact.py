"""The same index in plain numpy: the oracle in tests, and small enough to be checked by reading."""

from __future__ import annotations

import numpy as np

from gallery.ranking import check_delta, check_probe, rank_subjects
from gallery.records import Delta, Snapshot
from pipeline.types import Embedding, FloatArray, Match, TemplateKey


class ExactIndex:
    """A :class:`pipeline.seams.GalleryIndex` that compares the probe with every template.

    Args:
        snapshot: The templates to begin with; :meth:`apply` goes on from its epoch.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._key = snapshot.key
        self._epoch = snapshot.epoch
        self._rows: dict[int, tuple[str, FloatArray]] = {}
        self._add(snapshot.template_ids.tolist(), snapshot.subject_ids, snapshot.vectors)

    @property
    def key(self) -> TemplateKey:
        return self._key

    @property
    def gallery_epoch(self) -> int:
        return self._epoch

    def __len__(self) -> int:
        return len(self._rows)

    def search(self, probe: Embedding, count: int) -> list[Match]:
        """See :meth:`pipeline.seams.GalleryIndex.search`; sums are taken in float64."""
        check_probe(probe, self._key)
        wide = probe.vector.astype(np.float64)
        pairs = (
            (subject_id, float(np.float32((vector.astype(np.float64) * wide).sum())))
            for subject_id, vector in self._rows.values()
        )
        return rank_subjects(pairs)[:count]

    def apply(self, delta: Delta) -> None:
        """See :meth:`gallery.index.FaissIndex.apply`."""
        check_delta(delta, self._key, self._epoch)
        for template_id in delta.removed_ids.tolist():
            del self._rows[template_id]
        self._add(delta.added_ids.tolist(), delta.added_subject_ids, delta.added_vectors)
        self._epoch = delta.epoch

    def _add(self, ids: list[int], subject_ids: tuple[str, ...], vectors: FloatArray) -> None:
        for template_id, subject_id, vector in zip(ids, subject_ids, vectors, strict=True):
            self._rows[template_id] = (subject_id, vector)
