"""How groups of unknowns change in the database, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, RowMapping, update

from audit.unknowns.reading import list_groups, live_group
from audit.unknowns.records import Group, GroupState
from audit.unknowns.rows import apart_from, hold_apart, join_again
from gallery.tables import sighting_faces, unknown_groups
from pipeline.errors import UsageError

_IDS_AT_ONCE = 500  # a statement takes a bounded number of parameters


def seen(connection: Connection, group_id: str) -> Group:
    (group,) = list_groups(connection, ids=[live_group(connection, group_id)["id"]])
    return group


def set_on(connection: Connection, group_id: str, **values: Any) -> None:
    connection.execute(update(unknown_groups).where(unknown_groups.c.id == group_id).values(**values))


def pin(connection: Connection, group_id: str) -> None:
    own = sighting_faces.c.group_id == group_id
    connection.execute(update(sighting_faces).where(own).values(pinned=True))


def move(connection: Connection, decision_ids: list[str], to: str) -> None:
    """Put tracks into another group. They keep their looks, so that a merge brings together what was one."""
    for start in range(0, len(decision_ids), _IDS_AT_ONCE):
        some = sighting_faces.c.decision_id.in_(decision_ids[start : start + _IDS_AT_ONCE])
        connection.execute(update(sighting_faces).where(some).values(group_id=to, link=None))


def become_one(connection: Connection, kept: str, gone: str, now: str) -> None:
    """Everything of one group becomes the other's."""
    others = apart_from(connection, gone) - {kept}
    join_again(connection, gone)
    hold_apart(connection, kept, others, now)
    own = sighting_faces.c.group_id == gone
    connection.execute(update(sighting_faces).where(own).values(group_id=kept, link=None))
    pin(connection, kept)
    led_there = (unknown_groups.c.id == gone) | (unknown_groups.c.merged_into == gone)
    connection.execute(update(unknown_groups).where(led_there).values(merged_into=kept, subject_id=None))


def said_of_both(kept: RowMapping, gone: RowMapping) -> dict[str, Any]:
    """Label, state and subject of two groups that become one."""
    subjects = {row["subject_id"] for row in (kept, gone)} - {None}
    if len(subjects) > 1:
        raise UsageError(
            f"the groups {kept['id']} and {gone['id']} are assigned to different subjects: reopen one of them"
        )
    states = {kept["state"], gone["state"]}
    ranked = (GroupState.ASSIGNED, GroupState.IGNORED, GroupState.OPEN)
    return {
        "label": kept["label"] or gone["label"],
        "state": next(state for state in ranked if state in states),
        "subject_id": next(iter(subjects), None),
    }


def check_part(group_id: str, wanted: list[str], members: Collection[str]) -> None:
    strange = [decision_id for decision_id in wanted if decision_id not in members]
    if strange:
        raise UsageError(f"{strange[0]} is not in the group {group_id}: split off what is in it")
    if not wanted or len(wanted) == len(members):
        raise UsageError(f"{len(wanted)} of {len(members)} tracks cannot be split off: name some and not all")
