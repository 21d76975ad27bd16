"""The face of every track that was decided, so that a face can be searched for afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, delete, or_, select

from audit.unknowns.rows import drop_empty_groups, lock_version, raise_version
from gallery.database import Database, insert_new
from gallery.rows import key_of, key_values, vector_blob, vectors_of
from gallery.tables import sighting_faces, unknown_groups
from gallery.times import parse_time, utc_text, utc_text_from_ns
from pipeline.decide import WeightedEmbedding
from pipeline.fuse import fuse
from pipeline.types import Embedding, Outcome, Revision, Sighting, TrackKey

_IDS_AT_ONCE = 500  # a statement takes a bounded number of parameters


@dataclass(frozen=True, slots=True, eq=False)
class TrackFace:
    """One track as a face.

    Attributes:
        decision_id: Of the decision that ended the track.
        track: Which track.
        last_seen_at: ISO 8601, ``None`` where wall time is not known.
        outcome: How the track ended.
        subject_id: Who was named.
        embedding: The track's crops as one, see ``pipeline.fuse``.
        quality: The weight of the track's best crop, 0..1.
    """

    decision_id: str
    track: TrackKey
    last_seen_at: str | None
    outcome: Outcome
    subject_id: str | None
    embedding: Embedding
    quality: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.quality <= 1.0:
            raise ValueError(f"quality must be 0..1, got {self.quality}")
        if self.last_seen_at is not None:
            parse_time(self.last_seen_at)


def face_of(sighting: Sighting, evidence: Sequence[WeightedEmbedding]) -> TrackFace | None:
    """The face of a track that has ended; ``None`` if it has not, or if nothing of it could be compared.

    Args:
        sighting: The decision.
        evidence: What it was made from.
    """
    vector = fuse(evidence)
    if vector is None or sighting.revision is not Revision.END:
        return None
    return TrackFace(
        decision_id=sighting.decision_id,
        track=TrackKey(sighting.camera_id, sighting.stream_epoch, sighting.track_id),
        last_seen_at=sighting.last_seen_at,
        outcome=sighting.outcome,
        subject_id=sighting.subject_id,
        embedding=Embedding(vector, evidence[0].embedding.key),
        quality=max(item.weight for item in evidence),
    )


class FaceStore:
    """Keeps faces of tracks; one that is kept again changes nothing.

    Args:
        database: Where they are kept.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(self, database: Database, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._database = database
        self._now_ns = now_ns

    def keep(self, faces: Sequence[TrackFace]) -> int:
        """Keep faces in one transaction; durable when this returns.

        Returns:
            How many were new: of two with one ``decision_id`` the first counts.

        Raises:
            StorageError: disk full or no permission; none of these was kept.
        """
        kept_at = utc_text_from_ns(self._now_ns())
        with self._database.write() as connection:
            return sum(insert_new(connection, sighting_faces, **_values(face, kept_at)) for face in faces)

    def forget(self, decision_ids: Collection[str]) -> int:
        """Delete faces, and groups of unknowns that are empty then; how many faces were there."""
        with self._database.write() as connection:
            lock_version(connection)
            gone = 0
            for some in _portions(decision_ids):
                rows = delete(sighting_faces).where(sighting_faces.c.decision_id.in_(some))
                gone += connection.execute(rows).rowcount
            drop_empty_groups(connection)
            raise_version(connection)
            return gone

    def get(self, decision_ids: Collection[str]) -> list[TrackFace]:
        """The faces of these decisions, by id; those that are not kept are left out."""
        found: list[TrackFace] = []
        with self._database.read() as connection:
            for some in _portions(decision_ids):
                query = select(sighting_faces).where(sighting_faces.c.decision_id.in_(some))
                found += [_face(row) for row in connection.execute(query).mappings()]
        return sorted(found, key=lambda face: face.decision_id)

    def of_subject(self, subject_id: str) -> list[str]:
        """Decisions whose faces are this subject's: named by the system, or by a person who said so.

        Whoever erases a subject hands these to :meth:`forget`.
        """
        own = or_(sighting_faces.c.subject_id == subject_id, unknown_groups.c.subject_id == subject_id)
        joined = sighting_faces.outerjoin(unknown_groups, sighting_faces.c.group_id == unknown_groups.c.id)
        query = select(sighting_faces.c.decision_id).select_from(joined).where(own)
        with self._database.read() as connection:
            return sorted(connection.execute(query).scalars())


def _portions(ids: Collection[str]) -> Iterator[list[str]]:
    wanted = sorted(set(ids))
    return (wanted[start : start + _IDS_AT_ONCE] for start in range(0, len(wanted), _IDS_AT_ONCE))


def _values(face: TrackFace, kept_at: str) -> dict[str, object]:
    seen = face.last_seen_at
    return {
        "decision_id": face.decision_id,
        "camera_id": face.track.camera_id,
        "stream_epoch": face.track.stream_epoch,
        "track_id": face.track.track_id,
        "last_seen_at": None if seen is None else utc_text(parse_time(seen)),
        "kept_at": kept_at,
        "outcome": face.outcome,
        "subject_id": face.subject_id,
        **key_values(face.embedding.key),
        "vector": vector_blob(face.embedding.vector),
        "quality": face.quality,
        "pinned": False,
    }


def _face(row: RowMapping) -> TrackFace:
    return TrackFace(
        decision_id=row["decision_id"],
        track=TrackKey(row["camera_id"], row["stream_epoch"], row["track_id"]),
        last_seen_at=row["last_seen_at"],
        outcome=Outcome(row["outcome"]),
        subject_id=row["subject_id"],
        embedding=Embedding(vectors_of([row["vector"]])[0], key_of(row)),
        quality=row["quality"],
    )
