"""Sightings page by page: newest first, and nothing twice while new ones come in."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from audit.search.conditions import among, check_limit, seen_between
from audit.sightings import decode
from gallery.database import Database
from gallery.tables import sightings
from pipeline.errors import UsageError
from pipeline.types import Outcome, Revision, Sighting


@dataclass(frozen=True, slots=True)
class SightingFilter:
    """Which sightings are asked for; what is left empty asks for nothing.

    Attributes:
        since: Last seen at this time or later (with a time zone); leaves out those without one.
        until: Last seen before this time; leaves out those without one.
        camera_ids: By one of these cameras.
        outcomes: That ended in one of these.
        subject_ids: Of one of these subjects, named.
        candidate_ids: Whose nearest subject is one of these, named or not.
        run_id: Of this run.
        final: Only a track's last word.
    """

    since: datetime | None = None
    until: datetime | None = None
    camera_ids: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    subject_ids: tuple[str, ...] = ()
    candidate_ids: tuple[str, ...] = ()
    run_id: str | None = None
    final: bool = False

    def conditions(self) -> list[ColumnElement[bool]]:
        """Raises ``UsageError`` where a time has no zone."""
        columns = {
            "camera_id": self.camera_ids,
            "outcome": self.outcomes,
            "subject_id": self.subject_ids,
            "candidate_id": self.candidate_ids,
            "run_id": () if self.run_id is None else (self.run_id,),
            "revision": (Revision.END,) if self.final else (),
        }
        seen = seen_between(sightings.c.last_seen_at, self.since, self.until)
        return [*seen, *among(sightings, columns)]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last sighting of a page: the next page begins after it."""

    last_seen_at: str | None
    decision_id: str

    def text(self) -> str:
        """As it goes into an address; opaque to whoever holds it."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode()

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Raises ``UsageError`` for what :meth:`text` did not make."""
        try:
            return msgspec.json.decode(base64.b64decode(text, altchars=b"-_", validate=True), type=cls)
        except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
            raise UsageError(
                f"{text[:80]!r} is no place in a list of sightings: begin with the first page"
            ) from error


@dataclass(frozen=True, slots=True)
class Page:
    """Some sightings, newest first, and where the next ones begin; ``None`` after the last page."""

    sightings: tuple[Sighting, ...]
    next: Cursor | None


class SightingSearch:
    """Finds sightings.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, which: SightingFilter | None = None, *, after: Cursor | None = None, limit: int = 100
    ) -> Page:
        """Some sightings: newest first, ties by decision id, those without wall time last.

        Args:
            which: Among these; by default among all.
            after: Where the page before ended.
            limit: At most so many.

        Raises:
            UsageError: a time of the filter has no zone, or the limit is below 1.
        """
        check_limit(limit)
        wanted = (which or SightingFilter()).conditions()
        with self._database.read() as connection:
            rows = _rows(connection, wanted, after, limit + 1)
        more = len(rows) > limit
        return Page(
            sightings=tuple(decode(record) for _, record in rows[:limit]),
            next=rows[limit - 1][0] if more else None,
        )

    def count(self, which: SightingFilter | None = None) -> int:
        """How many there are."""
        query = select(func.count()).select_from(sightings)
        with self._database.read() as connection:
            found = connection.execute(query.where(*(which or SightingFilter()).conditions()))
            return int(found.scalar_one())


def _rows(
    connection: Connection, wanted: list[ColumnElement[bool]], after: Cursor | None, count: int
) -> list[tuple[Cursor, str]]:
    """Those with wall time, then those without: each by itself can follow an index."""
    seen, decision = sightings.c.last_seen_at, sightings.c.decision_id
    rows: list[tuple[Cursor, str]] = []
    for dated in (True, False):
        if after is not None and after.last_seen_at is None and dated:
            continue
        place: list[ColumnElement[bool]] = [seen.is_not(None) if dated else seen.is_(None)]
        if after is not None and (after.last_seen_at is not None) == dated:
            place.append(_older(after))
        query = select(seen, decision, sightings.c.record).where(*wanted, *place)
        found = connection.execute(query.order_by(seen.desc(), decision.desc()).limit(count - len(rows)))
        rows += [(Cursor(row.last_seen_at, row.decision_id), row.record) for row in found]
        if len(rows) == count:
            break
    return rows


def _older(than: Cursor) -> ColumnElement[bool]:
    earlier = sightings.c.decision_id < than.decision_id
    if than.last_seen_at is None:
        return earlier
    seen = sightings.c.last_seen_at
    return or_(seen < than.last_seen_at, and_(seen == than.last_seen_at, earlier))
