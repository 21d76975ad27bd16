"""Decisions in the ledger: what was decided, on which evidence, by which thresholds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from audit.ledger.entries import Entry, Kind
from audit.ledger.keys import KeyRing
from audit.ledger.sealing import seal, unseal
from audit.ledger.writer import Ledger
from audit.scopes import scope_of
from pipeline.decide import WeightedEmbedding
from pipeline.errors import Erased, LedgerCorrupt
from pipeline.seams import Clock
from pipeline.types import EmbeddedFace, Embedding, Match, Sighting, TemplateKey, Thresholds, TrackKey

_SALT_BYTES = 16


class CropEvidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """One crop that was compared: its place in the track, and what the networks made of it.

    `vector` is float32, little endian, unit norm; the other fields are those of
    :class:`pipeline.types.EmbeddedFace` and :class:`pipeline.types.Embedding`.
    """

    sequence: int
    pts_ns: int
    captured_at_ns: int | None
    quality: float
    vector: bytes
    confidence: float | None = None
    purification_shift: float | None = None


class DecisionRecord(msgspec.Struct, frozen=True):
    """Everything that a decision was made of.

    Attributes:
        sighting: What was decided.
        evidence: The crops that were compared, by sequence.
        neighbours: The nearest subjects and their similarities to the track, the nearest first.
        thresholds: Those in force, without the overrides of subjects that are no neighbours.
        salt: Random, so that a digest of the record tells nothing of its content.
    """

    sighting: Sighting
    evidence: list[CropEvidence]
    neighbours: list[tuple[str, float]]
    thresholds: Thresholds
    salt: bytes

    @property
    def key(self) -> TrackKey:
        """The track."""
        made = self.sighting
        return TrackKey(made.camera_id, made.stream_epoch, made.track_id)

    @property
    def template_key(self) -> TemplateKey:
        """What made the embeddings."""
        made = self.sighting
        return TemplateKey(made.embedder, made.purifier, made.align_version)

    def embeddings(self) -> list[WeightedEmbedding]:
        """The evidence as it was decided on."""
        return [
            WeightedEmbedding(
                Embedding(
                    np.frombuffer(crop.vector, "<f4").astype(np.float32),
                    self.template_key,
                    crop.purification_shift,
                    crop.confidence,
                ),
                crop.quality,
            )
            for crop in self.evidence
        ]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What whoever decided had before them.

    Attributes:
        faces: The crops of the track, by sequence.
        neighbours: The nearest subjects to the track, the nearest first.
        thresholds: Those in force.
    """

    faces: Sequence[EmbeddedFace]
    neighbours: Sequence[Match]
    thresholds: Thresholds


@dataclass(frozen=True, slots=True)
class DecisionEntry:
    """What everybody may read of a decision in the ledger; the rest is sealed.

    Attributes:
        decision_id: See :class:`pipeline.types.Sighting`, as the next ones.
        gallery_epoch: That was searched.
        fingerprint: Of the numbers that the machine computes, see ``audit.fingerprint``.
        scope: Under which it is sealed.
        sealed: A :class:`DecisionRecord`.
    """

    decision_id: str
    run_id: str
    camera_id: str
    stream_epoch: int
    track_id: int
    revision: str
    gallery_epoch: int
    fingerprint: str
    scope: str
    sealed: bytes

    @classmethod
    def of(cls, entry: Entry) -> DecisionEntry:
        """From a record of the kind ``decision``.

        Raises:
            LedgerCorrupt: a field is missing or has another type.
        """
        try:
            return msgspec.convert(entry.fields, cls)
        except msgspec.ValidationError as error:
            raise LedgerCorrupt(f"a decision in the ledger cannot be read: {error}") from None

    def unseal(self, keys: KeyRing) -> DecisionRecord:
        """The whole record.

        Raises:
            Erased: its key was destroyed.
            LedgerCorrupt: it is not what was written.
        """
        key = keys.find(self.scope)
        if key is None:
            raise Erased(f"the decision {self.decision_id} was erased")
        try:
            return msgspec.msgpack.decode(unseal(key, self.sealed, self.decision_id), type=DecisionRecord)
        except msgspec.MsgspecError as error:
            raise LedgerCorrupt(f"the decision {self.decision_id} cannot be read: {error}") from None


class Journal:
    """Writes decisions into the ledger.

    Args:
        ledger: Where to.
        keys: Seal them.
        fingerprint: Of this process, see ``audit.fingerprint``.
        clock: Time.
    """

    def __init__(self, ledger: Ledger, keys: KeyRing, fingerprint: str, clock: Clock) -> None:
        self._ledger, self._keys, self._fingerprint, self._clock = ledger, keys, fingerprint, clock

    def write(
        self,
        decided: Sequence[tuple[Sighting, Evidence]],
        before: Sequence[tuple[Kind, Mapping[str, Any]]] = (),
    ) -> None:
        """Record decisions; durable when this returns.

        Args:
            decided: With what they were made of.
            before: Records that belong before them.

        Raises:
            StorageError: they cannot be written; none of them was.
        """
        scopes = [scope_of(sighting.run_id, _track(sighting)) for sighting, _ in decided]
        named = {
            scope: sighting.subject_id
            for scope, (sighting, _) in zip(scopes, decided, strict=True)
            if sighting.subject_id is not None
        }
        keys = self._keys.obtain(scopes, self._clock.now_ns(), named)
        self._ledger.extend(
            [
                *before,
                *(
                    (Kind.DECISION, self._fields(sighting, evidence, scope, keys[scope]))
                    for scope, (sighting, evidence) in zip(scopes, decided, strict=True)
                ),
            ]
        )

    def _fields(self, sighting: Sighting, evidence: Evidence, scope: str, key: bytes) -> Mapping[str, Any]:
        content = msgspec.msgpack.encode(_record(sighting, evidence))
        return {
            "decision_id": sighting.decision_id,
            "run_id": sighting.run_id,
            "camera_id": sighting.camera_id,
            "stream_epoch": sighting.stream_epoch,
            "track_id": sighting.track_id,
            "revision": str(sighting.revision),
            "gallery_epoch": sighting.gallery_epoch,
            "fingerprint": self._fingerprint,
            "scope": scope,
            "sealed": seal(key, content, sighting.decision_id),
        }


def _track(sighting: Sighting) -> TrackKey:
    return TrackKey(sighting.camera_id, sighting.stream_epoch, sighting.track_id)


def _record(sighting: Sighting, evidence: Evidence) -> DecisionRecord:
    neighbours = [(match.subject_id, match.similarity) for match in evidence.neighbours]
    near = {subject_id for subject_id, _ in neighbours}
    thresholds = evidence.thresholds
    overrides = {name: value for name, value in thresholds.by_subject.items() if name in near}
    return DecisionRecord(
        sighting,
        [_crop(face) for face in evidence.faces],
        neighbours,
        replace(thresholds, by_subject=overrides),
        os.urandom(_SALT_BYTES),
    )


def _crop(face: EmbeddedFace) -> CropEvidence:
    embedding = face.embedding
    return CropEvidence(
        face.sequence,
        face.pts_ns,
        face.captured_at_ns,
        face.quality,
        embedding.vector.astype("<f4").tobytes(),
        embedding.confidence,
        embedding.purification_shift,
    )
