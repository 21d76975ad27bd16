"""Makes a subject unrecognisable for good: templates, photographs, name, and what was seen of them.

Rows stay where matchers and earlier epochs need them (a template's id and epochs tell a running matcher to
forget it), emptied of everything that belongs to a person.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select, text, update
from sqlalchemy.engine.interfaces import DBAPICursor

from gallery.database import Database, insert_new
from gallery.epochs import lock_epoch, raise_epoch
from gallery.photo_files import FOLDER, PhotoFiles
from gallery.records import PhotoRecord
from gallery.rows import photo_of, photo_values
from gallery.subjects import remove_subject
from gallery.tables import (
    erased_tracks,
    erasures,
    list_members,
    photos,
    sighting_faces,
    sightings,
    subjects,
    templates,
    verdicts,
)
from pipeline.errors import StorageError, SubjectNotFound, UsageError

ERASED_NAME = ""
"""In the place of the name of somebody erased; no name can be empty."""

_WITH_PEOPLE = (templates, photos, subjects, sightings, list_members, sighting_faces, verdicts)
_AGAIN_S = 0.2
_NO_PHOTO = PhotoRecord("erased", "", "", 1, 1, 0)


@dataclass(frozen=True, slots=True)
class SeenTrack:
    """A track that named the erased subject.

    Attributes:
        run_id: Of its decisions.
        camera_id: Where.
        stream_epoch: Of the camera.
        track_id: In the epoch.
        records: The decisions as they were kept, JSON, the last one last.
    """

    run_id: str
    camera_id: str
    stream_epoch: int
    track_id: int
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased from the database.

    Attributes:
        subject_id: Whose.
        epoch: The gallery epoch since which they are gone.
        templates: How many.
        photos: Photographs that nobody else needs; their files are deleted.
        sightings: How many decisions named them.
        tracks: In which.
        scopes: Of those tracks, and of the others that were asked for: their keys are to be destroyed.
    """

    subject_id: str
    epoch: int
    templates: int
    photos: int
    sightings: int
    tracks: tuple[SeenTrack, ...]
    scopes: tuple[str, ...]


def find_subject(database: Database, name_or_id: str) -> str:
    """The id of whoever has that name or id, or had it before they were removed.

    Who was erased has an id only.

    Raises:
        SubjectNotFound: nobody has, or had.
        UsageError: several removed subjects had that name.
    """
    named = (subjects.c.name == name_or_id) & (subjects.c.name != ERASED_NAME)
    query = select(subjects.c.id, subjects.c.epoch_removed).where(or_(named, subjects.c.id == name_or_id))
    with database.read() as connection:
        found = connection.execute(query).all()
    live = [row.id for row in found if row.epoch_removed is None] or [row.id for row in found]
    if not live:
        raise SubjectNotFound(f"nobody is, or was, enrolled as {name_or_id!r}")
    if len(live) > 1:
        raise UsageError(
            f"several removed subjects were called {name_or_id!r}: {', '.join(live)}; give an id"
        )
    return str(live[0])


def erase_subject(
    database: Database,
    subject_id: str,
    now: str,
    also: Collection[str] = (),
    *,
    scopes: Collection[str],
    scope_of: Callable[[SeenTrack], str],
) -> Erased:
    """Erase somebody from the database and the folder of photographs.

    Args:
        database: Where they are.
        subject_id: See :func:`find_subject`.
        now: ISO 8601 UTC.
        also: Decisions that did not name them and show them all the same, as a person said.
        scopes: Of other tracks whose keys are to be destroyed.
        scope_of: The scope of a track.

    Raises:
        StorageError: it cannot be written. What was erased so far stays so; do it again.

    Call :func:`scrub` afterwards: until then files of the database may hold what was deleted.
    """
    own = templates.c.subject_id == subject_id
    with database.write() as connection:
        lock_epoch(connection)
        epoch = raise_epoch(connection)
        pictures = _photos_of(connection, subject_id)
        tracks = _tracks_of(connection, subject_id, also)
        remove_subject(connection, subject_id, epoch)
        _ensure_no_photo(connection, now)
        nothing = {"vector": b"", "face": "{}", "quality": 0.0, "photo_sha256": _NO_PHOTO.sha256}
        emptied = connection.execute(update(templates).where(own).values(**nothing)).rowcount
        for picture in pictures:
            connection.execute(delete(photos).where(photos.c.sha256 == picture.sha256))
        connection.execute(update(subjects).where(subjects.c.id == subject_id).values(name=ERASED_NAME))
        connection.execute(delete(list_members).where(list_members.c.subject_id == subject_id))
        decided = select(sightings.c.decision_id).where(_in_tracks(tracks, subject_id))
        connection.execute(delete(verdicts).where(verdicts.c.decision_id.in_(decided)))
        gone = connection.execute(delete(sightings).where(_in_tracks(tracks, subject_id))).rowcount
        insert_new(connection, erasures, subject_id=subject_id, erased_at=now, gallery_epoch=epoch)
        # In here: if this process dies now, whoever follows the erasures destroys the keys.
        doomed = tuple(sorted({*scopes, *map(scope_of, tracks)}))
        for scope in doomed:
            insert_new(connection, erased_tracks, scope=scope, erased_at=now)
    files = PhotoFiles(database.folder / FOLDER)
    for picture in pictures:
        files.delete(picture)
    return Erased(subject_id, epoch, emptied, len(pictures), gone, tuple(tracks), doomed)


def erased_subjects(database: Database) -> frozenset[str]:
    """Everybody who was erased."""
    with database.read() as connection:
        return frozenset(connection.execute(select(erasures.c.subject_id)).scalars())


def erased_scopes(database: Database) -> list[str]:
    """Tracks whose keys every data folder on this database has to destroy."""
    with database.read() as connection:
        return list(connection.execute(select(erased_tracks.c.scope)).scalars())


def scrub(database: Database, patience_s: float = 20.0) -> None:
    """Leave nothing of deleted rows in the files of the database.

    Raises:
        StorageError: somebody reads an older state of the database for longer than `patience_s`.
    """
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if database.shared:
            for table in _WITH_PEOPLE:
                connection.execute(text(f"VACUUM FULL {table.name}"))
            return
        raw = connection.connection.cursor()
        try:
            _scrub_file(raw, patience_s)
        finally:
            raw.close()


def _scrub_file(raw: DBAPICursor, patience_s: float) -> None:
    """Write the file anew, once, and work off the log, which holds pages as they were."""
    deadline_s = time.monotonic() + patience_s
    for done in (_is_written_anew, _log_is_empty):
        while not done(raw):
            if time.monotonic() > deadline_s:
                raise StorageError(
                    "files of the database may still hold what was deleted, since it is in use: try again"
                )
            time.sleep(_AGAIN_S)


def _is_written_anew(raw: DBAPICursor) -> bool:
    """Not while others write."""
    try:
        raw.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise StorageError(
                f"files of the database may still hold what was deleted ({error}): try again"
            ) from error
        return False
    return True


def _log_is_empty(raw: DBAPICursor) -> bool:
    """Not while others read an older state."""
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    busy, *_ = raw.fetchone() or (1,)
    return bool(busy == 0)


def _photos_of(connection: Connection, subject_id: str) -> list[PhotoRecord]:
    """Photographs of a subject, at any time, of which nobody else has a template."""
    own = select(templates.c.photo_sha256).where(templates.c.subject_id == subject_id)
    others = select(templates.c.photo_sha256).where(templates.c.subject_id != subject_id)
    wanted = (photos.c.sha256.in_(own), photos.c.sha256.not_in(others), photos.c.sha256 != _NO_PHOTO.sha256)
    return [photo_of(row) for row in connection.execute(select(photos).where(*wanted)).mappings()]


def _tracks_of(connection: Connection, subject_id: str, also: Collection[str]) -> list[SeenTrack]:
    """Tracks of which any decision named the subject, or is among `also`, with all their decisions."""
    columns = (sightings.c.run_id, sightings.c.camera_id, sightings.c.stream_epoch, sightings.c.track_id)
    shown = or_(sightings.c.subject_id == subject_id, sightings.c.decision_id.in_(sorted(also)))
    named = select(*columns).where(shown).distinct()
    tracks = []
    for row in connection.execute(named.order_by(*columns)).all():
        same = [column == value for column, value in zip(columns, row, strict=True)]
        records = connection.execute(
            select(sightings.c.record)
            .where(*same)
            .order_by(sightings.c.revision != "end", sightings.c.record)
        )
        tracks.append(SeenTrack(*row, records=tuple(records.scalars())))
    return tracks


def _in_tracks(tracks: Sequence[SeenTrack], subject_id: str) -> ColumnElement[bool]:
    """Decisions of these tracks, and any that names the subject."""
    conditions = [sightings.c.subject_id == subject_id]
    conditions += [
        (sightings.c.run_id == track.run_id)
        & (sightings.c.camera_id == track.camera_id)
        & (sightings.c.stream_epoch == track.stream_epoch)
        & (sightings.c.track_id == track.track_id)
        for track in tracks
    ]
    return or_(*conditions)


def _ensure_no_photo(connection: Connection, now: str) -> None:
    """The photograph that emptied templates refer to."""
    known = select(photos.c.sha256).where(photos.c.sha256 == _NO_PHOTO.sha256)
    if connection.execute(known).first() is None:
        connection.execute(insert(photos).values(**photo_values(_NO_PHOTO), created_at=now))
