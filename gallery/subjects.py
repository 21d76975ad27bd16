"""Subjects in the database."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, Row, Select, exists, func, insert, or_, select, update

from gallery.epochs import at_epoch
from gallery.records import Subject
from gallery.tables import list_members, subjects, templates
from pipeline.errors import SubjectExists, SubjectNotFound

_IDS_AT_ONCE = 500  # a statement takes a bounded number of parameters


def all_subjects(connection: Connection, epoch: int | None = None) -> list[Subject]:
    """Everybody enrolled at `epoch`, by name."""
    query = _with_counts(epoch).order_by(subjects.c.name, subjects.c.id)
    return [_subject(row) for row in connection.execute(query)]


def id_of_name(connection: Connection, name: str) -> str | None:
    """Who is enrolled under exactly that name now."""
    query = select(subjects.c.id).where(subjects.c.name == name, at_epoch(subjects, None))
    found = connection.execute(query).scalar()
    return None if found is None else str(found)


def get_subject(connection: Connection, name_or_id: str) -> Subject:
    """Who is enrolled under that name now, else under that id.

    Raises:
        SubjectNotFound: nobody is.
    """
    wanted = or_(subjects.c.name == name_or_id, subjects.c.id == name_or_id)
    people = [_subject(row) for row in connection.execute(_with_counts(None).where(wanted))]
    found = min(people, key=lambda subject: subject.name != name_or_id, default=None)
    if found is None:
        raise SubjectNotFound(f"nobody is enrolled as {name_or_id!r}: `pinwatch gallery list` shows who is")
    return found


def ensure_subject(connection: Connection, subject_id: str, name: str, created_at: str, epoch: int) -> None:
    """Insert the subject unless the id is there."""
    if connection.execute(select(exists().where(subjects.c.id == subject_id))).scalar_one():
        return
    connection.execute(
        insert(subjects).values(id=subject_id, name=name, created_at=created_at, epoch_added=epoch)
    )


def remove_subject(connection: Connection, subject_id: str, epoch: int) -> None:
    """Mark the subject, its templates and its memberships as removed in `epoch`."""
    for table, column in (
        (subjects, subjects.c.id),
        (templates, templates.c.subject_id),
        (list_members, list_members.c.subject_id),
    ):
        live = (column == subject_id) & table.c.epoch_removed.is_(None)
        connection.execute(update(table).where(live).values(epoch_removed=epoch))


def rename_subject(connection: Connection, subject_id: str, name: str) -> None:
    """Raises ``SubjectExists`` where somebody else has the name."""
    if id_of_name(connection, name) not in (None, subject_id):
        raise SubjectExists(f"somebody else is enrolled as {name!r}: choose another name")
    connection.execute(update(subjects).where(subjects.c.id == subject_id).values(name=name))


def names_by_id(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Names to show for ids, of removed subjects too; of erased ones there is none."""
    wanted = sorted(set(ids))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _IDS_AT_ONCE):
        some = subjects.c.id.in_(wanted[start : start + _IDS_AT_ONCE])
        rows = connection.execute(select(subjects.c.id, subjects.c.name).where(some, subjects.c.name != ""))
        found.update((row.id, row.name) for row in rows)
    return found


def _with_counts(epoch: int | None) -> Select[str, str, str, int]:
    own = (templates.c.subject_id == subjects.c.id) & at_epoch(templates, epoch)
    columns = (subjects.c.id, subjects.c.name, subjects.c.created_at, func.count(templates.c.id))
    joined = subjects.outerjoin(templates, own)
    return select(*columns).select_from(joined).where(at_epoch(subjects, epoch)).group_by(*columns[:3])


def _subject(row: Row[str, str, str, int]) -> Subject:
    subject_id, name, created_at, count = row
    return Subject(subject_id, name, created_at, count)
