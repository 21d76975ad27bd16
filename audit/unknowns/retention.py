"""Faces of unknown people are kept for a time, and no longer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func

from audit.unknowns.records import Expired
from audit.unknowns.rows import drop_empty_groups, lock_version, raise_version
from gallery.database import Database
from gallery.tables import sighting_faces
from gallery.times import utc_text
from pipeline.types import Outcome


def expire(database: Database, before: datetime) -> Expired:
    """Delete the faces of unknown tracks last seen before a time, and groups that are empty then.

    A track without wall time counts from when its face was kept. What a person said of a group does not
    keep its faces: whoever was enrolled from it is in the gallery by then. Sightings stay.

    Args:
        database: Where they are.
        before: With a time zone.

    Raises:
        UsageError: `before` has no zone.
    """
    since = utc_text(before)
    age = func.coalesce(sighting_faces.c.last_seen_at, sighting_faces.c.kept_at)
    old = (sighting_faces.c.outcome == Outcome.UNKNOWN) & (age < since)
    with database.write() as connection:
        lock_version(connection)
        faces = connection.execute(delete(sighting_faces).where(old)).rowcount
        groups = drop_empty_groups(connection)
        raise_version(connection)
    return Expired(faces, groups)
