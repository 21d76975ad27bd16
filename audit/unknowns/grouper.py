"""Groups tracks of unknown people as they come in."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, select

from audit.unknowns.linkage import Linkage, Pool
from audit.unknowns.place import Namer, load_pool, place, unknowns_of, waiting, write
from audit.unknowns.records import Placed
from audit.unknowns.rows import lock_version, raise_version
from gallery.database import Database
from gallery.tables import sighting_faces
from gallery.times import utc_text_from_ns
from pipeline.types import TemplateKey


class Grouper:
    """Places every new track: it joins the group that it is most similar to, or founds one.

    A track that was placed stays where it is until a person moves it, so that groups are stable; ignored
    and assigned groups take tracks in as well. The same tracks in the same order give the same groups,
    with the same ids. Several groupers may share a database: one works at a time.

    Args:
        database: Where faces and groups are.
        key: What made the faces: others cannot be compared, and stay as they are.
        linkage: When a track joins a group.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(
        self,
        database: Database,
        key: TemplateKey,
        linkage: Linkage,
        *,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._database, self._key, self._linkage = database, key, linkage
        self._now_ns = now_ns
        self._pool = Pool()
        self._version: int | None = None

    def run(self, limit: int = 1000) -> list[Placed]:
        """Place tracks that are in no group yet, in one transaction; durable when this returns.

        Args:
            limit: At most so many, the earliest first; call again while it returns so many.

        Returns:
            Where each of them went.
        """
        if not self._any_waiting():
            return []
        now = utc_text_from_ns(self._now_ns())
        with self._database.write() as connection:
            pool = self._current_pool(connection)
            tracks = waiting(connection, self._ungrouped(), limit)
            namer = Namer(connection)
            seats = place(tracks, pool, self._linkage, namer)
            write(connection, seats, namer.founded, now)
            version = raise_version(connection)
        self._pool, self._version = pool, version
        return [seat.placed for seat in seats]

    def _any_waiting(self) -> bool:
        query = select(sighting_faces.c.decision_id).where(*self._ungrouped()).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def _ungrouped(self) -> list[ColumnElement[bool]]:
        return [sighting_faces.c.group_id.is_(None), *unknowns_of(self._key)]

    def _current_pool(self, connection: Connection) -> Pool:
        """As the database has it; forgotten meanwhile, since a failure would leave it half filled."""
        version = lock_version(connection)
        pool = self._pool if version == self._version else load_pool(connection, self._key)
        self._version = None
        return pool
