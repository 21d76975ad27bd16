"""Watch lists and memberships in the database: rows that are added and marked removed, never changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, insert, or_, select, update

from gallery.epochs import at_epoch
from gallery.tables import list_members, subjects, watch_lists
from pipeline.errors import UsageError


def thresholds_at(connection: Connection, epoch: int | None) -> dict[str, float]:
    """Match thresholds that lists set for their members, by subject id.

    Of several lists the one with the highest priority decides; between equals, the strictest.
    """
    query = (
        select(list_members.c.subject_id, watch_lists.c.threshold)
        .join(watch_lists, watch_lists.c.list_id == list_members.c.list_id)
        .where(at_epoch(list_members, epoch), at_epoch(watch_lists, epoch))
        .where(watch_lists.c.threshold.is_not(None))
        .order_by(list_members.c.subject_id, watch_lists.c.priority, watch_lists.c.threshold)
    )
    return {subject_id: float(threshold) for subject_id, threshold in connection.execute(query)}


def list_by_name(connection: Connection, name: str) -> RowMapping:
    """The list as it is now.

    Raises:
        UsageError: there is none of that name.
    """
    query = select(watch_lists).where(watch_lists.c.name == name, at_epoch(watch_lists, None))
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UsageError(f"there is no watch list {name!r}: `pinwatch gallery lists show` shows all")
    return row


def all_lists(connection: Connection, epoch: int | None) -> list[tuple[RowMapping, int]]:
    """Every list at `epoch` with its number of members, the highest priority first."""
    counts = (
        select(list_members.c.list_id, func.count().label("members"))
        .where(at_epoch(list_members, epoch))
        .group_by(list_members.c.list_id)
    ).subquery()
    query = (
        select(watch_lists, func.coalesce(counts.c.members, 0).label("members"))
        .outerjoin(counts, counts.c.list_id == watch_lists.c.list_id)
        .where(at_epoch(watch_lists, epoch))
        .order_by(watch_lists.c.priority.desc(), watch_lists.c.name)
    )
    return [(row, int(row["members"])) for row in connection.execute(query).mappings()]


def insert_list(connection: Connection, values: dict[str, Any], epoch: int) -> None:
    """Add a list, or a new version in place of the one with the same ``list_id``."""
    same = (watch_lists.c.list_id == values["list_id"]) & at_epoch(watch_lists, None)
    connection.execute(update(watch_lists).where(same).values(epoch_removed=epoch))
    connection.execute(insert(watch_lists).values(**values, epoch_added=epoch))


def members_of(connection: Connection, list_id: str, epoch: int | None) -> list[RowMapping]:
    """Members with ``subject_id``, ``name``, ``expires_at`` and ``note``, by name."""
    columns = (list_members.c.subject_id, subjects.c.name, list_members.c.expires_at, list_members.c.note)
    query = (
        select(*columns)
        .join(subjects)
        .where(list_members.c.list_id == list_id, at_epoch(list_members, epoch))
        .order_by(subjects.c.name)
    )
    return list(connection.execute(query).mappings())


def lists_of(connection: Connection, subject_id: str) -> list[str]:
    query = (
        select(watch_lists.c.name)
        .join(list_members, watch_lists.c.list_id == list_members.c.list_id)
        .where(list_members.c.subject_id == subject_id)
        .where(at_epoch(list_members, None), at_epoch(watch_lists, None))
        .order_by(watch_lists.c.name)
    )
    return [str(name) for name in connection.execute(query).scalars()]


def set_member(
    connection: Connection,
    list_id: str,
    subject_id: str,
    expires_at: str | None,
    epoch: int,
    *,
    note: str | None = None,
) -> None:
    """Add a member, or replace its row to change when it expires; without a `note` the one there stays."""
    own = is_member(list_id, subject_id)
    if note is None:
        query = select(list_members.c.note).where(own, at_epoch(list_members, None))
        note = connection.execute(query).scalar()
    remove_members(connection, own, epoch)
    values = {"list_id": list_id, "subject_id": subject_id, "expires_at": expires_at, "note": note}
    connection.execute(insert(list_members).values(**values, epoch_added=epoch))


def rename_list(connection: Connection, row: RowMapping, name: str, epoch: int) -> None:
    """Another version of a list under a new name.

    Raises:
        UsageError: another list has it.
    """
    taken = select(watch_lists.c.list_id).where(watch_lists.c.name == name, at_epoch(watch_lists, None))
    if connection.execute(taken).scalar() not in (None, row["list_id"]):
        raise UsageError(f"there is a watch list {name!r} already: choose another name")
    own = ("list_id", "purpose", "priority", "owner", "threshold", "expires_at", "created_at")
    insert_list(connection, {**{key: row[key] for key in own}, "name": name}, epoch)


def remove_list(connection: Connection, list_id: str, epoch: int) -> None:
    """End a list and all that are on it."""
    remove_members(connection, list_members.c.list_id == list_id, epoch)
    same = (watch_lists.c.list_id == list_id) & at_epoch(watch_lists, None)
    connection.execute(update(watch_lists).where(same).values(epoch_removed=epoch))


def is_member(list_id: str, subject_id: str) -> ColumnElement[bool]:
    return (list_members.c.list_id == list_id) & (list_members.c.subject_id == subject_id)


def has_expired(now: str) -> ColumnElement[bool]:
    """Memberships whose own time, or whose list's, has passed."""
    over = select(watch_lists.c.list_id).where(at_epoch(watch_lists, None), watch_lists.c.expires_at <= now)
    return or_(list_members.c.expires_at <= now, list_members.c.list_id.in_(over))


def count_members(connection: Connection, which: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(list_members).where(which, at_epoch(list_members, None))
    return int(connection.execute(query).scalar_one())


def remove_members(connection: Connection, which: ColumnElement[bool], epoch: int) -> None:
    live = which & at_epoch(list_members, None)
    connection.execute(update(list_members).where(live).values(epoch_removed=epoch))
