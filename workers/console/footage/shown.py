"""Who is known to be in a stretch of footage."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select

from audit.recording.closed import ClosedSegment
from audit.sightings import decode
from gallery.database import Database
from gallery.tables import sightings
from gallery.times import utc_text_from_ns
from pipeline.types import Revision

_NS = 1_000_000_000
_AFTER_NS = 3600 * _NS
"""A track may end after the footage; one that goes on for longer is cut anyway."""


def subjects_in(
    database: Database, segments: Sequence[ClosedSegment], first_s: float, last_s: float
) -> set[str]:
    """Subjects whom tracks of that time were named as, or were nearest to.

    Args:
        database: Where sightings are.
        segments: The footage, of one camera and epoch.
        first_s: From when, in the stream's own time.
        last_s: Until when.
    """
    camera, epoch = segments[0].camera_id, segments[0].stream_epoch
    wanted = [
        sightings.c.camera_id == camera,
        sightings.c.stream_epoch == epoch,
        sightings.c.revision == Revision.END,
        sightings.c.candidate_id.is_not(None),
    ]
    captured = segments[0].first_captured_at_ns, segments[-1].last_captured_at_ns
    if captured[0] is not None and captured[1] is not None:  # so that an index helps
        until = utc_text_from_ns(captured[1] + _AFTER_NS)
        during = sightings.c.last_seen_at.between(utc_text_from_ns(captured[0]), until)
        wanted.append(or_(during, sightings.c.last_seen_at.is_(None)))
    query = select(sightings.c.candidate_id, sightings.c.record).where(*wanted)
    with database.read() as connection:
        rows = connection.execute(query).all()
    found = ((row.candidate_id, decode(row.record)) for row in rows)
    return {who for who, one in found if one.first_seen_s <= last_s and one.last_seen_s >= first_s}
