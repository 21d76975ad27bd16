"""Groups everything anew, as for another threshold; what a person said of a group stays as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, select

from audit.unknowns.linkage import Linkage
from audit.unknowns.place import Namer, Waiting, load_pool, place, unknowns_of, waiting, write
from audit.unknowns.records import Placed
from audit.unknowns.rows import drop_empty_groups, lock_version, raise_version
from gallery.database import Database
from gallery.tables import sighting_faces
from gallery.times import utc_text_from_ns
from pipeline.types import TemplateKey


def regroup(
    database: Database, key: TemplateKey, linkage: Linkage, *, now_ns: Callable[[], int] = time.time_ns
) -> list[Placed]:
    """Place all tracks again, in one transaction.

    Pinned tracks stay in their groups, and the others are placed around them: what a person joined stays
    joined, what a person took apart stays apart. A group keeps its id if the first track that is placed in
    it was in it before.

    Args:
        database: Where faces and groups are.
        key: What made the faces; others stay as they are.
        linkage: When a track joins a group.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.

    Returns:
        Where each track went that was not pinned.
    """
    now = utc_text_from_ns(now_ns())
    with database.write() as connection:
        lock_version(connection)
        pool = load_pool(connection, key, sighting_faces.c.pinned.is_(True))
        tracks = waiting(connection, [sighting_faces.c.pinned.is_(False), *unknowns_of(key)])
        namer = Namer(connection, _former_groups(connection, tracks))
        seats = place(tracks, pool, linkage, namer)
        write(connection, seats, namer.founded, now)
        drop_empty_groups(connection)
        raise_version(connection)
    return [seat.placed for seat in seats]


def _former_groups(connection: Connection, tracks: Sequence[Waiting]) -> dict[str, str]:
    """Where tracks were, as far as nobody stays there."""
    pinned = (sighting_faces.c.pinned.is_(True), sighting_faces.c.group_id.is_not(None))
    held = set(connection.execute(select(sighting_faces.c.group_id).where(*pinned).distinct()).scalars())
    former = {track.decision_id: track.group_id for track in tracks}
    return {decision: group for decision, group in former.items() if group is not None and group not in held}
