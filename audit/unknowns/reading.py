"""Groups of unknowns as rows, and as what people see."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select

from audit.unknowns.records import Group, GroupState, Member
from gallery.tables import sighting_faces, unknown_groups
from pipeline.errors import UsageError
from pipeline.types import TrackKey


def live_group(connection: Connection, group_id: str) -> RowMapping:
    """The row of a group; the id of a merged one leads to the group that it is part of.

    Raises:
        UsageError: there is no such group.
    """
    row = _row(connection, group_id)
    if row is not None and row["merged_into"] is not None:
        row = _row(connection, row["merged_into"])
    if row is None:
        raise UsageError(
            f"there is no group of unknowns {group_id!r}: its faces may have expired, or it was made anew"
        )
    return row


def list_groups(
    connection: Connection,
    *,
    ids: Collection[str] = (),
    states: Collection[GroupState] = (),
    limit: int | None = None,
    offset: int = 0,
) -> list[Group]:
    """Groups with what their members add up to, the one seen last first; empty `ids` or `states`: any."""
    query = _with_sums()
    if ids:
        query = query.where(unknown_groups.c.id.in_(sorted(ids)))
    if states:
        query = query.where(unknown_groups.c.state.in_(sorted(states)))
    last = func.coalesce(func.max(sighting_faces.c.last_seen_at), "")
    rows = connection.execute(query.order_by(last.desc(), unknown_groups.c.id).limit(limit).offset(offset))
    return [_group(row) for row in rows.mappings()]


def members_of(connection: Connection, group_id: str) -> list[Member]:
    """The newest first, those without wall time last."""
    query = select(sighting_faces).where(sighting_faces.c.group_id == group_id)
    order = (func.coalesce(sighting_faces.c.last_seen_at, "").desc(), sighting_faces.c.decision_id)
    return [_member(row) for row in connection.execute(query.order_by(*order)).mappings()]


def _row(connection: Connection, group_id: str) -> RowMapping | None:
    query = select(unknown_groups).where(unknown_groups.c.id == group_id)
    return connection.execute(query).mappings().first()


def _with_sums() -> Select[*tuple[Any, ...]]:
    seen = sighting_faces.c.last_seen_at
    inner = sighting_faces.alias()
    cover = select(inner.c.decision_id).where(inner.c.group_id == unknown_groups.c.id)
    cover = cover.order_by(inner.c.quality.desc(), inner.c.decision_id).limit(1)
    sums = (
        func.count().label("size"),
        func.min(seen).label("first_seen_at"),
        func.max(seen).label("last_seen_at"),
        cover.scalar_subquery().label("cover"),
    )
    joined = unknown_groups.join(sighting_faces, sighting_faces.c.group_id == unknown_groups.c.id)
    return select(unknown_groups, *sums).select_from(joined).group_by(unknown_groups.c.id)


def _group(row: RowMapping) -> Group:
    return Group(
        id=row["id"],
        created_at=row["created_at"],
        label=row["label"],
        state=GroupState(row["state"]),
        subject_id=row["subject_id"],
        size=row["size"],
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
        cover=row["cover"],
    )


def _member(row: RowMapping) -> Member:
    return Member(
        decision_id=row["decision_id"],
        track=TrackKey(row["camera_id"], row["stream_epoch"], row["track_id"]),
        last_seen_at=row["last_seen_at"],
        quality=row["quality"],
        link=row["link"],
        pinned=row["pinned"],
    )
