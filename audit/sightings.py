"""Sightings in the database: what was decided, once a decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from gallery.database import Database, insert_new
from gallery.tables import sightings
from gallery.times import parse_time, utc_text
from pipeline.types import Outcome, Revision, Sighting


class SightingStore:
    """Keeps sightings; a decision that is written again changes nothing.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, decided: Sequence[Sighting]) -> int:
        """Keep sightings in one transaction; durable when this returns.

        Of two with one ``decision_id`` the first counts, so that repeating work after a crash is
        harmless.

        Returns:
            How many were new.

        Raises:
            StorageError: disk full or no permission; none of these was kept.
        """
        with self._database.write() as connection:
            return sum(_insert(connection, sighting) for sighting in decided)

    def keep(self, decided: Sequence[Sighting]) -> list[Sighting]:
        """Keep sightings in one transaction, and say how they stand: what to tell others of.

        Work that is repeated after a crash may have seen only the last part of a track. So of two with one
        ``decision_id`` the first counts, here as well, and nothing is added to a track that has ended.

        Returns:
            Those of `decided` that are kept, as they are kept, in their order.

        Raises:
            StorageError: disk full or no permission; none of these was kept.
        """
        with self._database.write() as connection:
            standing = (_standing(connection, sighting) for sighting in decided)
            return [sighting for sighting in standing if sighting is not None]

    def get(self, decision_id: str) -> Sighting | None:
        """The decision of that id."""
        with self._database.read() as connection:
            return _find(connection, sightings.c.decision_id == decision_id)

    def query(
        self,
        *,
        run_id: str | None = None,
        camera_id: str | None = None,
        outcome: Outcome | None = None,
        subject_id: str | None = None,
        candidate_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        final: bool = False,
        limit: int = 1000,
    ) -> list[Sighting]:
        """Sightings that fit all conditions, newest first; those without wall time come last.

        Args:
            run_id: Of this run.
            camera_id: Of this camera.
            outcome: Which ended so.
            subject_id: Of this subject, named.
            candidate_id: Whose nearest subject this is, named or not.
            since: Last seen at this time or later (with a time zone); leaves out those without one.
            until: Last seen before this time; leaves out those without one.
            final: Only a track's last word.
            limit: At most so many.
        """
        columns: dict[str, Any] = {
            "run_id": run_id,
            "camera_id": camera_id,
            "outcome": outcome,
            "subject_id": subject_id,
            "candidate_id": candidate_id,
        }
        wanted = [sightings.c[name] == value for name, value in columns.items() if value is not None]
        if since is not None:
            wanted.append(sightings.c.last_seen_at >= utc_text(since))
        if until is not None:
            wanted.append(sightings.c.last_seen_at < utc_text(until))
        if final:
            wanted.append(sightings.c.revision == Revision.END)
        query = select(sightings.c.record).where(*wanted).order_by(*_newest_first()).limit(limit)
        with self._database.read() as connection:
            return [decode(record) for record in connection.execute(query).scalars()]


def encode(sighting: Sighting) -> str:
    """A sighting as JSON: equal sightings give equal text."""
    return msgspec.json.encode(sighting, order="deterministic").decode()


def decode(record: str) -> Sighting:
    return msgspec.json.decode(record, type=Sighting)


def _standing(connection: Connection, sighting: Sighting) -> Sighting | None:
    """`sighting` if it is new, what is kept under its id if it is not, ``None`` if its track has ended."""
    ended = sighting.revision is not Revision.END and _find(connection, *_end_of(sighting)) is not None
    if not ended and _insert(connection, sighting):
        return sighting
    return _find(connection, sightings.c.decision_id == sighting.decision_id)


def _end_of(sighting: Sighting) -> list[ColumnElement[bool]]:
    return [
        sightings.c.run_id == sighting.run_id,
        sightings.c.camera_id == sighting.camera_id,
        sightings.c.stream_epoch == sighting.stream_epoch,
        sightings.c.track_id == sighting.track_id,
        sightings.c.revision == Revision.END,
    ]


def _find(connection: Connection, *wanted: ColumnElement[bool]) -> Sighting | None:
    record = connection.execute(select(sightings.c.record).where(*wanted)).scalar()
    return None if record is None else decode(record)


def _insert(connection: Connection, sighting: Sighting) -> bool:
    values = {
        "decision_id": sighting.decision_id,
        "run_id": sighting.run_id,
        "camera_id": sighting.camera_id,
        "stream_epoch": sighting.stream_epoch,
        "track_id": sighting.track_id,
        "revision": sighting.revision,
        "outcome": sighting.outcome,
        "subject_id": sighting.subject_id,
        "candidate_id": sighting.candidate_id,
        "last_seen_at": _time(sighting.last_seen_at),
        "record": encode(sighting),
    }
    return insert_new(connection, sightings, **values)


def _time(text: str | None) -> str | None:
    return None if text is None else utc_text(parse_time(text))


def _newest_first() -> tuple[Any, ...]:
    track = (sightings.c.camera_id, sightings.c.stream_epoch, sightings.c.track_id)
    return (sightings.c.last_seen_at.desc().nulls_last(), *(column.desc() for column in track))
