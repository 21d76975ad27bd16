"""What people do with groups of unknowns: look, name, join, take apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, RowMapping, insert

from audit.search.conditions import check_limit
from audit.unknowns.changes import become_one, check_part, move, pin, said_of_both, seen, set_on
from audit.unknowns.linkage import Linkage
from audit.unknowns.place import load_pool
from audit.unknowns.reading import list_groups, live_group, members_of
from audit.unknowns.records import Group, GroupState, Member, Merged
from audit.unknowns.rows import apart_from, hold_apart, lock_version, raise_version
from gallery.database import Database
from gallery.store import random_id
from gallery.subjects import get_subject
from gallery.tables import unknown_groups
from gallery.times import utc_text_from_ns
from pipeline.errors import UsageError
from pipeline.types import TemplateKey

_LABEL_LENGTH = 200


class GroupStore:
    """Groups of unknown people.

    Every method is one transaction; what it returned from is durable. What a person says pins the members
    that the group has then: grouping anew leaves them where they are. An id that was merged away goes on
    meaning the group that it is part of.

    Args:
        database: Where they are kept.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        new_id: Makes ids of groups that are split off.
    """

    def __init__(
        self,
        database: Database,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._database, self._now_ns, self._new_id = database, now_ns, new_id

    def groups(
        self, states: Collection[GroupState] = (GroupState.OPEN,), *, limit: int = 100, offset: int = 0
    ) -> list[Group]:
        """Groups in these states (none named: in any), the one that was seen last first."""
        check_limit(limit)
        with self._database.read() as connection:
            return list_groups(connection, states=states, limit=limit, offset=offset)

    def group(self, group_id: str) -> Group:
        """Raises ``UsageError`` if there is none of that id."""
        with self._database.read() as connection:
            return seen(connection, group_id)

    def members(self, group_id: str) -> list[Member]:
        """Its tracks, the newest first. Raises ``UsageError`` if there is no such group."""
        with self._database.read() as connection:
            return members_of(connection, live_group(connection, group_id)["id"])

    def alike(
        self, group_id: str, key: TemplateKey, linkage: Linkage, *, limit: int = 10
    ) -> list[tuple[Group, float]]:
        """Groups that may be the same person, the most similar first: for a person to look at and merge.

        Left out are those that a person took apart from this one.

        Args:
            group_id: The group.
            key: Compare faces that this made.
            linkage: From which similarity on; lower than what tracks are grouped with, to find any.
            limit: At most so many.

        Raises:
            UsageError: there is no such group, or the limit is below 1.
        """
        check_limit(limit)
        with self._database.read() as connection:
            own = live_group(connection, group_id)["id"]
            apart = apart_from(connection, own)
            ranked = [pair for pair in load_pool(connection, key).alike(own, linkage) if pair[0] not in apart]
            links = dict(ranked[:limit])
            found = {group.id: group for group in list_groups(connection, ids=links)} if links else {}
            return [(found[other], link) for other, link in links.items()]

    def label(self, group_id: str, label: str | None) -> Group:
        """Call it something, or nothing any more.

        Raises:
            UsageError: there is no such group, or the label is longer than 200 characters.
        """
        text = (label or "").strip() or None
        if text is not None and len(text) > _LABEL_LENGTH:
            raise UsageError(f"a label has {_LABEL_LENGTH} characters at most, not {len(text)}")
        return self._set(group_id, label=text)

    def assign(self, group_id: str, name_or_id: str) -> list[str]:
        """Say which subject it is; :meth:`reopen` takes it back.

        Nobody is enrolled by that: whoever wants it takes the members' pictures.

        Returns:
            The decisions of its members, the best picture first.

        Raises:
            UsageError: there is no such group.
            SubjectNotFound: nobody is enrolled so.
        """
        with self._change(group_id) as (connection, group):
            subject = get_subject(connection, name_or_id)
            set_on(connection, group["id"], state=GroupState.ASSIGNED, subject_id=subject.id)
            members = members_of(connection, group["id"])
        ranked = sorted(members, key=lambda member: (-member.quality, member.decision_id))
        return [member.decision_id for member in ranked]

    def ignore(self, group_id: str) -> Group:
        """Ask nobody about it any more; :meth:`reopen` takes it back. Raises ``UsageError``."""
        return self._set(group_id, state=GroupState.IGNORED, subject_id=None)

    def reopen(self, group_id: str) -> Group:
        """Take back that it is ignored or assigned. Raises ``UsageError``."""
        return self._set(group_id, state=GroupState.OPEN, subject_id=None)

    def merge(self, one_id: str, other_id: str) -> Merged:
        """Say that two groups are one person; :meth:`split` with what was moved takes it back.

        The older group stays. It keeps its label, and takes the other's if it has none; the same for being
        ignored or assigned, where assigned goes first.

        Raises:
            UsageError: there is no such group, it is twice the same, or each is another subject.
        """
        with self._change(one_id) as (connection, one):
            other = live_group(connection, other_id)
            if one["id"] == other["id"]:
                raise UsageError(f"{one_id} and {other_id} are one group already")
            kept, gone = sorted((one, other), key=lambda row: (row["created_at"], row["id"]))
            said = said_of_both(kept, gone)
            moved = [member.decision_id for member in members_of(connection, gone["id"])]
            become_one(connection, kept["id"], gone["id"], self._now())
            set_on(connection, kept["id"], **said)
            return Merged(kept["id"], tuple(sorted(moved)))

    def split(self, group_id: str, decision_ids: Collection[str]) -> Group:
        """Say that some of its tracks are somebody else; :meth:`merge` takes it back.

        Returns:
            The group that they are now, open.

        Raises:
            UsageError: there is no such group, or these are none, all, or not of its tracks.
        """
        wanted = sorted(set(decision_ids))
        with self._change(group_id, pins=False) as (connection, group):
            members = {member.decision_id: member for member in members_of(connection, group["id"])}
            check_part(group_id, wanted, members)
            new_id, now = self._new_id(), self._now()
            fresh = insert(unknown_groups).values(id=new_id, created_at=now, state=GroupState.OPEN)
            connection.execute(fresh)
            # What was said of the group was said of those that were in it then.
            spoken_of = any(members[decision_id].pinned for decision_id in wanted)
            others = apart_from(connection, group["id"]) if spoken_of else set()
            move(connection, wanted, new_id)
            pin(connection, group["id"])
            pin(connection, new_id)
            hold_apart(connection, new_id, {group["id"], *others}, now)
            return seen(connection, new_id)

    def _set(self, group_id: str, **values: Any) -> Group:
        with self._change(group_id) as (connection, group):
            set_on(connection, group["id"], **values)
            return seen(connection, group["id"])

    @contextmanager
    def _change(self, group_id: str, *, pins: bool = True) -> Iterator[tuple[Connection, RowMapping]]:
        """A transaction in which nobody else changes groups, and the row of this one."""
        with self._database.write() as connection:
            lock_version(connection)
            group = live_group(connection, group_id)
            if pins:
                pin(connection, group["id"])
            yield connection, group
            raise_version(connection)

    def _now(self) -> str:
        return utc_text_from_ns(self._now_ns())
