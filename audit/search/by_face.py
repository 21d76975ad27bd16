"""Where a face was seen before, strangers included: every kept face is compared with the probe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from audit.search.conditions import among, check_limit, seen_between
from audit.search.vectors import face_vectors, similarities
from gallery.database import Database
from gallery.rows import key_values
from gallery.tables import sighting_faces
from pipeline.errors import TemplateKeyMismatch
from pipeline.types import Embedding, Outcome, TemplateKey, TrackKey

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class FaceFilter:
    """Which tracks are compared; what is left empty asks for nothing.

    Attributes:
        since: Last seen at this time or later (with a time zone); leaves out those without one.
        until: Last seen before this time; leaves out those without one.
        camera_ids: By one of these cameras.
        outcomes: Ended so.
        subject_ids: Named as one of these.
    """

    since: datetime | None = None
    until: datetime | None = None
    camera_ids: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    subject_ids: tuple[str, ...] = ()

    def conditions(self) -> list[ColumnElement[bool]]:
        """Raises ``UsageError`` where a time has no zone."""
        columns = {"camera_id": self.camera_ids, "outcome": self.outcomes, "subject_id": self.subject_ids}
        seen = seen_between(sighting_faces.c.last_seen_at, self.since, self.until)
        return [*seen, *among(sighting_faces, columns)]


@dataclass(frozen=True, slots=True)
class FaceHit:
    """A past track and how similar it is to the probe, -1..1; `group_id` of unknowns, if it is in one."""

    decision_id: str
    track: TrackKey
    last_seen_at: str | None
    outcome: Outcome
    subject_id: str | None
    group_id: str | None
    quality: float
    similarity: float


@dataclass(frozen=True, slots=True)
class FaceAnswer:
    """What a search found.

    Attributes:
        hits: Most similar first, ties by decision id.
        compared: How many faces fitted the filter and could be compared.
        left_out: How many fitted and could not, by what made them.
    """

    hits: tuple[FaceHit, ...]
    compared: int
    left_out: Mapping[TemplateKey, int]


class FaceSearch:
    """Searches the kept faces of tracks.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def search(
        self,
        probe: Embedding,
        which: FaceFilter | None = None,
        *,
        limit: int = 50,
        at_least: float = -1.0,
    ) -> FaceAnswer:
        """The most similar past tracks.

        A track's similarity is that of its crops fused to one face, and so a little higher than the one its
        decision was made with.

        Args:
            probe: The face.
            which: Among these tracks; by default among all.
            limit: At most so many.
            at_least: None less similar than this.

        Raises:
            TemplateKeyMismatch: there are such tracks, but all were embedded by other models.
            UsageError: a time of the filter has no zone, or the limit is below 1.
        """
        check_limit(limit)
        wanted = (which or FaceFilter()).conditions()
        with self._database.read() as connection:
            counts = _counts_by_key(connection, wanted)
            compared = counts.pop(probe.key, 0)
            if counts and not compared:
                raise TemplateKeyMismatch(_refusal(probe.key, counts))
            hits = _nearest(connection, probe, wanted, limit, at_least)
        return FaceAnswer(tuple(hits), compared, dict(counts))


def _refusal(key: TemplateKey, counts: Mapping[TemplateKey, int]) -> str:
    made_by = ", ".join(str(other) for other in sorted(counts))
    return (
        f"the probe was made by {key} and the faces of the tracks asked for by {made_by}: search with the "
        "embedder and purifier that watched then"
    )


def _counts_by_key(connection: Connection, wanted: list[ColumnElement[bool]]) -> Counter[TemplateKey]:
    key = (sighting_faces.c.model_id, sighting_faces.c.purifier_id, sighting_faces.c.align_version)
    query = select(*key, func.count()).where(*wanted).group_by(*key)
    return Counter({TemplateKey(*row[:3]): row[3] for row in connection.execute(query)})


def _nearest(
    connection: Connection, probe: Embedding, wanted: list[ColumnElement[bool]], limit: int, at_least: float
) -> list[FaceHit]:
    """The best of each block together with the best of those before."""
    own = [sighting_faces.c[name] == value for name, value in key_values(probe.key).items()]
    query = select(sighting_faces).where(*own, *wanted).execution_options(yield_per=_ROWS_AT_ONCE)
    best: list[FaceHit] = []
    with connection.execute(query) as rows:
        for block in rows.mappings().partitions():
            found = similarities(face_vectors([row["vector"] for row in block]), probe.vector).tolist()
            floor = max(at_least, best[-1].similarity if len(best) == limit else -1.0)
            hits = [_hit(row, value) for row, value in zip(block, found, strict=True) if value >= floor]
            best = sorted([*best, *hits], key=lambda hit: (-hit.similarity, hit.decision_id))[:limit]
    return best


def _hit(row: RowMapping, similarity: float) -> FaceHit:
    return FaceHit(
        decision_id=row["decision_id"],
        track=TrackKey(row["camera_id"], row["stream_epoch"], row["track_id"]),
        last_seen_at=row["last_seen_at"],
        outcome=Outcome(row["outcome"]),
        subject_id=row["subject_id"],
        group_id=row["group_id"],
        quality=row["quality"],
        similarity=similarity,
    )
