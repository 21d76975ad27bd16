"""Whom probes are compared with: the canaries' enrolled photographs, and everybody who is really enrolled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gallery.index import FaissIndex
from gallery.records import Snapshot
from pipeline.embed.mirrored import embed_photo_crops
from pipeline.seams import FaceEmbedder, GalleryIndex
from pipeline.types import FloatArray
from workers.canary.records import Face

_PREFIX = "canary:"


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """An index of its own, in memory: the real gallery is copied from, and never changed.

    Attributes:
        index: Compares.
        distractors: How many people of the real gallery are in it.
        left_out: How many are not, since they look like a canary: probably they are one.
    """

    index: GalleryIndex
    distractors: int
    left_out: int


def subject_of(canary_id: str) -> str:
    """What a canary is called among the subjects."""
    return f"{_PREFIX}{canary_id}"


def crowd_of(enrolled: Sequence[Face], embedder: FaceEmbedder, real: Snapshot | None, match: float) -> Crowd:
    """Canaries and distractors.

    Args:
        enrolled: Of the canaries.
        embedder: Makes their templates, as enrolling does.
        real: The gallery; ``None`` takes no distractors.
        match: Similarity from which somebody of the gallery is held to be a canary.
    """
    embeddings = embed_photo_crops([face.crop_rgb for face in enrolled], embedder)
    own = np.stack([embedding.vector for embedding in embeddings])
    names = [subject_of(face.canary_id) for face in enrolled]
    vectors, others, left_out = _distractors(own, real, match)
    together = np.concatenate([own, vectors]).astype(np.float32)
    ids = np.arange(len(together), dtype=np.int64)
    epoch = 0 if real is None else real.epoch
    snapshot = Snapshot(embedder.key, epoch, ids, (*names, *others), together)
    return Crowd(FaissIndex(snapshot), len(set(others)), left_out)


def _distractors(
    own: FloatArray, real: Snapshot | None, match: float
) -> tuple[FloatArray, tuple[str, ...], int]:
    """Vectors and subjects of those who look like nobody of `own`; how many look like somebody."""
    if real is None or not len(real.template_ids):
        return np.empty((0, own.shape[1]), np.float32), (), 0
    alike = (real.vectors @ own.T).max(axis=1) >= match
    same = {subject for subject, one in zip(real.subject_ids, alike, strict=True) if one}
    kept = np.array([subject not in same for subject in real.subject_ids], np.bool_)
    others = tuple(subject for subject in real.subject_ids if subject not in same)
    return real.vectors[kept], others, len(same)
