"""Statements that whoever changes groups of unknowns shares."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, or_, select, update

from gallery.tables import sighting_faces, unknown_apart, unknown_groups, unknown_version
from pipeline.errors import GalleryCorrupt

_IDS_AT_ONCE = 400  # a statement takes a bounded number of parameters


def lock_version(connection: Connection) -> int:
    """Wait until nobody else changes groups, then say which version they are at."""
    return _only(connection.execute(select(unknown_version.c.value).with_for_update()).scalars().all())


def raise_version(connection: Connection) -> int:
    """The new version, in which this transaction's changes happen."""
    raised = update(unknown_version).values(value=unknown_version.c.value + 1)
    return _only(connection.execute(raised.returning(unknown_version.c.value)).scalars().all())


def drop_empty_groups(connection: Connection) -> int:
    """Delete groups without faces, and ids that led to them; how many groups."""
    has_face = select(sighting_faces.c.decision_id).where(sighting_faces.c.group_id == unknown_groups.c.id)
    empty = unknown_groups.c.merged_into.is_(None) & ~has_face.exists()
    gone = list(connection.execute(select(unknown_groups.c.id).where(empty)).scalars())
    for start in range(0, len(gone), _IDS_AT_ONCE):
        _drop_groups(connection, gone[start : start + _IDS_AT_ONCE])
    return len(gone)


def _drop_groups(connection: Connection, ids: list[str]) -> None:
    apart = or_(unknown_apart.c.first_id.in_(ids), unknown_apart.c.second_id.in_(ids))
    connection.execute(delete(unknown_apart).where(apart))
    ours = or_(unknown_groups.c.id.in_(ids), unknown_groups.c.merged_into.in_(ids))
    connection.execute(delete(unknown_groups).where(ours))


def apart_from(connection: Connection, group_id: str) -> set[str]:
    """The groups that a person held to be other people."""
    query = select(unknown_apart.c.first_id, unknown_apart.c.second_id).where(_about(group_id))
    return {other for pair in connection.execute(query) for other in pair if other != group_id}


def join_again(connection: Connection, group_id: str) -> None:
    """Nobody is held to be somebody else than this group any more."""
    connection.execute(delete(unknown_apart).where(_about(group_id)))


def hold_apart(connection: Connection, group_id: str, others: set[str], at: str) -> None:
    """Note that a group and each of others are different people."""
    known = apart_from(connection, group_id)
    rows: list[dict[str, Any]] = [
        {"first_id": min(group_id, other), "second_id": max(group_id, other), "created_at": at}
        for other in sorted(others - known)
    ]
    if rows:
        connection.execute(unknown_apart.insert(), rows)


def _about(group_id: str) -> ColumnElement[bool]:
    return or_(unknown_apart.c.first_id == group_id, unknown_apart.c.second_id == group_id)


def _only(values: Any) -> int:
    if len(values) != 1:
        raise GalleryCorrupt(
            f"the groups of unknowns have {len(values)} version counters instead of one: bring back a backup "
            "with `pinwatch gallery restore FILE --force`"
        )
    return int(values[0])
