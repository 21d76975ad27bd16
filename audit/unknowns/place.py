"""Puts tracks into groups one after the other, on a pool in memory and then in the database."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, union_all, update

from audit.search.vectors import face_vectors
from audit.unknowns.linkage import Grouped, Linkage, Pool
from audit.unknowns.records import GroupState, Placed
from gallery.rows import key_values
from gallery.tables import sighting_faces, unknown_groups
from pipeline.types import FloatArray, Outcome, TemplateKey

NameGroup = Callable[[str], tuple[str, str]]
"""The ids of the group, and of its look, that the track of this decision founds."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A track to be placed; `group_id` is where it was before."""

    decision_id: str
    group_id: str | None
    vector: FloatArray


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a track went, and which look of the group it is like."""

    placed: Placed
    look: str


def unknowns_of(key: TemplateKey) -> list[ColumnElement[bool]]:
    """Faces of tracks that nobody was named for and that nobody else resembled, of one key."""
    own = [sighting_faces.c[name] == value for name, value in key_values(key).items()]
    return [sighting_faces.c.outcome == Outcome.UNKNOWN, *own]


def waiting(
    connection: Connection, wanted: Iterable[ColumnElement[bool]], limit: int | None = None
) -> list[Waiting]:
    """Tracks in the order in which they are placed: by when they were last seen, then by decision id."""
    order = (func.coalesce(sighting_faces.c.last_seen_at, ""), sighting_faces.c.decision_id)
    columns = (sighting_faces.c.decision_id, sighting_faces.c.group_id, sighting_faces.c.vector)
    rows = connection.execute(select(*columns).where(*wanted).order_by(*order).limit(limit)).all()
    vectors = face_vectors([row.vector for row in rows])
    return [Waiting(row.decision_id, row.group_id, vector) for row, vector in zip(rows, vectors, strict=True)]


def place(tracks: Sequence[Waiting], pool: Pool, linkage: Linkage, name_group: NameGroup) -> list[Seat]:
    """Let each track join the group that it is most similar to, or found one.

    The pool takes all of them in.
    """
    seats = []
    for track in tracks:
        near = pool.nearest(track.vector, linkage)
        group_id, look = (near.group_id, near.look) if near else name_group(track.decision_id)
        pool.add(Grouped(group_id, look, track.vector))
        seats.append(Seat(Placed(track.decision_id, group_id, near.link if near else None), look))
    return seats


def write(connection: Connection, seats: Sequence[Seat], founded: Collection[str], now: str) -> None:
    """Write down where tracks went, and the groups that they founded."""
    fresh = [{"id": group_id, "created_at": now, "state": GroupState.OPEN} for group_id in founded]
    if fresh:
        connection.execute(insert(unknown_groups), fresh)
    moved = update(sighting_faces).where(sighting_faces.c.decision_id == bindparam("decision"))
    moved = moved.values(group_id=bindparam("group"), look=bindparam("part"), link=bindparam("by"))
    rows = [
        {"decision": one.decision_id, "group": one.group_id, "part": seat.look, "by": one.link}
        for seat in seats
        for one in (seat.placed,)
    ]
    if rows:
        connection.execute(moved, rows)


def load_pool(connection: Connection, key: TemplateKey, *wanted: ColumnElement[bool]) -> Pool:
    """The faces of `key` that are in groups, or those of them that are wanted."""
    columns = (sighting_faces.c.group_id, sighting_faces.c.look, sighting_faces.c.vector)
    grouped = (*unknowns_of(key), sighting_faces.c.group_id.is_not(None), *wanted)
    rows = connection.execute(select(*columns).where(*grouped).order_by(sighting_faces.c.decision_id)).all()
    vectors = face_vectors([row.vector for row in rows])
    return Pool(Grouped(row.group_id, row.look, vector) for row, vector in zip(rows, vectors, strict=True))


class Namer:
    """Gives ids to groups and looks as they are founded, none twice.

    Args:
        connection: Where groups are.
        keep: The ids of groups that tracks were in, by decision: the first to found a group keeps it.

    Attributes:
        founded: The ids of groups that were not there before.
    """

    def __init__(self, connection: Connection, keep: Mapping[str, str] | None = None) -> None:
        self.founded: list[str] = []
        self._connection = connection
        self._keep = keep or {}
        self._kept: set[str] = set()

    def __call__(self, founder: str) -> tuple[str, str]:
        fresh = id_of_founder(founder, self._taken)
        former = self._keep.get(founder)
        if former is not None and former not in self._kept:
            self._kept.add(former)
            return former, fresh
        self.founded.append(fresh)
        return fresh, fresh

    def _taken(self, new_id: str) -> bool:
        group = select(unknown_groups.c.id).where(unknown_groups.c.id == new_id)
        look = select(sighting_faces.c.look).where(sighting_faces.c.look == new_id)
        return self._connection.execute(union_all(group, look).limit(1)).first() is not None


def id_of_founder(decision_id: str, taken: Callable[[str], bool]) -> str:
    """The id of the group that a track founds: the same for the same track, unless it is taken."""
    for attempt in itertools.count():
        digest = hashlib.sha256(f"unknown\x1f{decision_id}\x1f{attempt}".encode()).hexdigest()[:16]
        if not taken(digest):
            return digest
    raise AssertionError("counting never ends")
