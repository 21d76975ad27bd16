"""What goes into the gallery and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.types import Embedding, Face, FloatArray, TemplateKey, check_array


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody who is enrolled.

    Attributes:
        id: Opaque; what decisions, messages and ledgers carry.
        name: For people.
        created_at: ISO 8601 UTC.
        templates: How many photographs of them are enrolled.
    """

    id: str
    name: str
    created_at: str
    templates: int


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """A kept enrollment photograph; its name on disk is its content."""

    sha256: str
    extension: str
    original_name: str
    width_px: int
    height_px: int
    size_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class NewTemplate:
    """A template on its way in: the embedding, and the face of the photograph that it was made from."""

    embedding: Embedding
    face: Face
    quality: float
    detector_id: str


@dataclass(frozen=True, slots=True, eq=False)
class StoredTemplate:
    """A template of the gallery, without its vector."""

    id: int
    subject_id: str
    photo: PhotoRecord
    key: TemplateKey
    face: Face
    quality: float
    detector_id: str
    epoch_added: int


@dataclass(frozen=True, slots=True)
class Added:
    """What adding a template did; `new` is false where the subject had this photograph already."""

    subject_id: str
    template_id: int
    epoch: int
    new: bool


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """All templates of one key at one gallery epoch, in the order of their ids.

    Attributes:
        key: What made them.
        epoch: The gallery epoch.
        template_ids: int64 (N,), rising.
        subject_ids: N ids, one a template.
        vectors: float32 (N, D), unit rows; (0, 0) where there are none.
        thresholds_by_subject: Match thresholds that watch lists set, see ``Thresholds.by_subject``.
    """

    key: TemplateKey
    epoch: int
    template_ids: npt.NDArray[np.int64]
    subject_ids: tuple[str, ...]
    vectors: FloatArray
    thresholds_by_subject: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_rows(self.template_ids, self.subject_ids, self.vectors)


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """What turns the snapshot at `since` into the snapshot at `epoch`.

    Attributes:
        added_ids, added_subject_ids, added_vectors: New templates, as in :class:`Snapshot`.
        removed_ids: int64 (M,), templates that are gone.
        thresholds_by_subject: As it is at `epoch`, whole.
    """

    key: TemplateKey
    since: int
    epoch: int
    added_ids: npt.NDArray[np.int64]
    added_subject_ids: tuple[str, ...]
    added_vectors: FloatArray
    removed_ids: npt.NDArray[np.int64]
    thresholds_by_subject: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_rows(self.added_ids, self.added_subject_ids, self.added_vectors)
        check_array("removed_ids", self.removed_ids, np.int64, (None,))


def check_rows(ids: npt.NDArray[np.int64], subject_ids: tuple[str, ...], vectors: FloatArray) -> None:
    """Raise ``ValueError`` unless there is one id, one subject and one vector a template."""
    check_array("template_ids", ids, np.int64, (len(subject_ids),))
    check_array("vectors", vectors, np.float32, (len(subject_ids), None))
