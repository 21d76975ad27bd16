"""Readers share the cameras: each camera is leased to one reader, and a dead reader's cameras move on.

No clock is compared between machines. Whoever is alive raises a counter in the database every few seconds;
whose counter has not moved for a while, by the watch of whoever looks, is dead, and loses what it held in a
write that only counts if the counter still has not moved (leases as in Gray and Cheriton, SOSP 1989, without
their clocks). A reader that cannot reach the database gives up its cameras by its own watch, before others
take them. What it may still send belongs to an older stream epoch, which every opening of a camera raises.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select, update

from gallery.database import insert_new
from gallery.tables import camera_leases, readers
from pipeline.seams import Clock

if TYPE_CHECKING:
    from gallery.database import Database

LEASE_S = 8.0
"""Without a beat for so long a reader is dead."""

GIVE_UP_S = 6.0
"""A reader that could not beat for so long stops reading: before others may begin."""

BEAT_S = 2.0


@dataclass(slots=True)
class BeatWatch:
    """Counters as they were last seen, and when they last moved."""

    clock: Clock
    seen: dict[str, tuple[int, float]] = field(default_factory=dict)

    def alive(self, beats: Mapping[str, int]) -> set[str]:
        """Whose counters have moved lately; one seen for the first time has."""
        now_s = self.clock.monotonic_s()
        self.seen = {
            name: self.seen[name] if name in self.seen and self.seen[name][0] == beat else (beat, now_s)
            for name, beat in beats.items()
        }
        return {name for name, (_, moved_s) in self.seen.items() if now_s - moved_s < LEASE_S}


class CameraLeases:
    """One reader's part in the sharing.

    Args:
        database: Shared by all readers.
        reader_id: Of this one, unique.
        clock: Time.
    """

    def __init__(self, database: Database, reader_id: str, clock: Clock) -> None:
        self._database, self._reader_id, self._clock = database, reader_id, clock
        self._readers, self._leases = BeatWatch(clock), BeatWatch(clock)
        self._beaten_at_s = clock.monotonic_s()

    def beat(self, cameras: Iterable[str]) -> set[str]:
        """Say that this reader is alive, and take or give up cameras; those that it holds now.

        Args:
            cameras: All that are to be read by somebody.

        Raises:
            StorageError, GalleryBusy: the database cannot be reached; see :attr:`stale`.
        """
        wanted = set(cameras)
        with self._database.write() as connection:
            self._raise_own(connection)
            alive = self._living(connection)
            held = self._sort_out(connection, wanted, max(1, len(alive)))
        self._beaten_at_s = self._clock.monotonic_s()
        return held

    @property
    def stale(self) -> bool:
        """Whether the last beat was so long ago that others may soon take the cameras."""
        return self._clock.monotonic_s() - self._beaten_at_s > GIVE_UP_S

    def leave(self) -> None:
        """Give everything up, so that others need not wait."""
        with self._database.write() as connection:
            connection.execute(delete(camera_leases).where(camera_leases.c.reader_id == self._reader_id))
            connection.execute(delete(readers).where(readers.c.reader_id == self._reader_id))

    def _raise_own(self, connection: Connection) -> None:
        own = readers.c.reader_id == self._reader_id
        raised = connection.execute(update(readers).where(own).values(beat=readers.c.beat + 1)).rowcount
        if not raised:
            insert_new(connection, readers, reader_id=self._reader_id, beat=1)
        held = camera_leases.c.reader_id == self._reader_id
        connection.execute(update(camera_leases).where(held).values(beat=camera_leases.c.beat + 1))

    def _living(self, connection: Connection) -> set[str]:
        """Readers that are alive; the others are struck off."""
        beats = {str(name): int(beat) for name, beat in connection.execute(select(readers))}
        alive = self._readers.alive(beats) | {self._reader_id}
        for name in beats.keys() - alive:
            connection.execute(
                delete(readers).where(readers.c.reader_id == name, readers.c.beat == beats[name])
            )
        return alive

    def _sort_out(self, connection: Connection, wanted: set[str], living: int) -> set[str]:
        rows = connection.execute(select(camera_leases).order_by(camera_leases.c.camera_id)).all()
        holders = {str(row.camera_id): str(row.reader_id) for row in rows}
        beats = {str(row.camera_id): int(row.beat) for row in rows}
        # A lease that changed hands is watched anew, whatever its counter says.
        moving = self._leases.alive({f"{name}\x1f{holders[name]}": beat for name, beat in beats.items()})
        valid = {name for name in holders if f"{name}\x1f{holders[name]}" in moving}
        held = {name for name in holders if holders[name] == self._reader_id}
        share = math.ceil(len(wanted) / living)
        for name in sorted(held - wanted) + sorted(held & wanted)[share:]:
            self._release(connection, name)
            held.remove(name)
        for name in sorted(wanted - valid - held)[: max(0, share - len(held))]:
            if self._take(connection, name, holders.get(name), beats.get(name)):
                held.add(name)
        return held

    def _release(self, connection: Connection, camera: str) -> None:
        own = camera_leases.c.reader_id == self._reader_id
        connection.execute(delete(camera_leases).where(camera_leases.c.camera_id == camera, own))

    def _take(self, connection: Connection, camera: str, holder: str | None, beat: int | None) -> bool:
        if holder is None:
            return insert_new(connection, camera_leases, camera_id=camera, reader_id=self._reader_id, beat=1)
        unmoved = (
            camera_leases.c.camera_id == camera,
            camera_leases.c.reader_id == holder,
            camera_leases.c.beat == beat,
        )
        moved = update(camera_leases).where(*unmoved).values(reader_id=self._reader_id, beat=1)
        return connection.execute(moved).rowcount == 1
