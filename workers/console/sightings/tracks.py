"""All that was decided about one track."""

from __future__ import annotations

from sqlalchemy import select

from audit.sightings import decode
from gallery.database import Database
from gallery.tables import sightings
from pipeline.types import Sighting

_TRACK = ("run_id", "camera_id", "stream_epoch", "track_id")


def decisions_of_track(database: Database, sighting: Sighting) -> list[Sighting]:
    """The decisions about the track of `sighting`, in order."""
    same = [sightings.c[name] == getattr(sighting, name) for name in _TRACK]
    with database.read() as connection:
        records = connection.execute(select(sightings.c.record).where(*same)).scalars()
        found = [decode(record) for record in records]
    return sorted(found, key=lambda one: one.revision_number)
