"""Watch lists: why somebody is looked for, how urgently, until when, by whom and how strictly."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from gallery import list_rows as rows
from gallery.changes import Changed, nobody_told
from gallery.database import Database
from gallery.epochs import lock_epoch, raise_epoch
from gallery.names import clean_name
from gallery.store import random_id
from gallery.subjects import get_subject
from gallery.times import utc_text, utc_text_from_ns
from pipeline.errors import UsageError


@dataclass(frozen=True, slots=True)
class WatchList:
    """A list as it is at one epoch.

    Attributes:
        id: Opaque.
        name: For people.
        purpose: Why these people are looked for.
        priority: The higher, the more urgent; decides between lists that set thresholds.
        owner: Who answers for it.
        threshold: Match threshold for its members, cosine similarity -1..1; ``None``: the usual one.
        expires_at: ISO 8601 UTC; ``None``: never.
        members: How many.
    """

    id: str
    name: str
    purpose: str
    priority: int
    owner: str
    threshold: float | None
    expires_at: str | None
    members: int


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody on a list; `expires_at` is their own, besides the list's, `note` says why they are on it."""

    subject_id: str
    name: str
    expires_at: str | None
    note: str = ""


class WatchLists:
    """All watch lists. Every change is one transaction in a new gallery epoch.

    Decisions depend on the epoch alone, never on the clock: an expiry takes effect when
    :meth:`expire` is called, in an epoch of its own.

    Args:
        database: Where they are kept.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        new_id: Makes list ids.
        on_change: See :class:`gallery.store.GalleryStore`.
    """

    def __init__(
        self,
        database: Database,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        new_id: Callable[[], str] = random_id,
        on_change: Changed = nobody_told,
    ) -> None:
        self._database = database
        self._now_ns = now_ns
        self._new_id = new_id
        self._on_change = on_change

    def add(
        self,
        name: str,
        *,
        purpose: str = "",
        priority: int = 0,
        owner: str = "",
        threshold: float | None = None,
        expires_at: datetime | None = None,
    ) -> WatchList:
        """Make a list, or change the one of that name; members stay.

        Raises:
            UsageError: the name cannot be one, or the threshold is no similarity.
        """
        name = clean_name(name, "watch list")
        if threshold is not None and not -1.0 < threshold < 1.0:
            raise UsageError(f"a threshold is a similarity between -1 and 1, not {threshold}")
        values: dict[str, Any] = {
            "name": name,
            "purpose": purpose,
            "priority": priority,
            "owner": owner,
            "threshold": threshold,
            "expires_at": None if expires_at is None else utc_text(expires_at),
            "created_at": utc_text_from_ns(self._now_ns()),
        }
        with self._database.write() as connection:
            lock_epoch(connection)
            values["list_id"] = self._id_of(connection, name)
            epoch = raise_epoch(connection)
            rows.insert_list(connection, values, epoch)
            made = next(found for found in _lists(connection, None) if found.name == name)
        self._on_change("change-list", [], epoch)
        return made

    def lists(self, epoch: int | None = None) -> list[WatchList]:
        """All lists at `epoch` (``None``: now), the highest priority first."""
        with self._database.read() as connection:
            return _lists(connection, epoch)

    def show(self, name: str) -> tuple[WatchList, list[Member]]:
        """A list and who is on it, by name. Raises ``UsageError`` where there is none."""
        with self._database.read() as connection:
            row = rows.list_by_name(connection, name)
            members = rows.members_of(connection, row["list_id"], None)
            found = [Member(**{**one, "note": one["note"] or ""}) for one in members]
            return _watch_list(row, len(members)), found

    def lists_of(self, subject_id: str) -> list[str]:
        """The names of the lists that a subject is on now."""
        with self._database.read() as connection:
            return rows.lists_of(connection, subject_id)

    def rename(self, name: str, new_name: str) -> None:
        """Call a list something else; its members stay.

        Raises:
            UsageError: there is no such list, or another one has the new name, or it cannot be one.
        """
        new_name = clean_name(new_name, "watch list")
        with self._database.write() as connection:
            lock_epoch(connection)
            row = rows.list_by_name(connection, name)
            epoch = raise_epoch(connection)
            rows.rename_list(connection, row, new_name, epoch)
        self._on_change("rename-list", [], epoch)

    def remove(self, name: str) -> None:
        """End a list; who was on it stays enrolled. Raises ``UsageError`` where there is none."""
        with self._database.write() as connection:
            lock_epoch(connection)
            row = rows.list_by_name(connection, name)
            members = [found["subject_id"] for found in rows.members_of(connection, row["list_id"], None)]
            epoch = raise_epoch(connection)
            rows.remove_list(connection, row["list_id"], epoch)
        self._on_change("remove-list", members, epoch)

    def put(
        self, list_name: str, name_or_id: str, expires_at: datetime | None = None, note: str | None = None
    ) -> int:
        """Put a subject on a list, or change when they come off it. Returns the new epoch.

        Args:
            list_name: The list.
            name_or_id: Whom.
            expires_at: Until when; ``None``: for ever.
            note: Why; ``None`` leaves what was said before.

        Raises:
            UsageError: there is no such list, or it has expired.
            SubjectNotFound: nobody is enrolled so.
        """
        with self._database.write() as connection:
            lock_epoch(connection)
            row = rows.list_by_name(connection, list_name)
            now = utc_text_from_ns(self._now_ns())
            if row["expires_at"] is not None and row["expires_at"] <= now:
                raise UsageError(
                    f"the watch list {list_name!r} expired on {row['expires_at']}: give it a new "
                    "time with `pinwatch gallery lists add`"
                )
            subject = get_subject(connection, name_or_id)
            epoch = raise_epoch(connection)
            until = None if expires_at is None else utc_text(expires_at)
            rows.set_member(connection, row["list_id"], subject.id, until, epoch, note=note)
        self._on_change("put-on-list", [subject.id], epoch)
        return epoch

    def take_off(self, list_name: str, name_or_id: str) -> int:
        """Take a subject off a list. Returns the new epoch.

        Raises:
            UsageError: there is no such list, or the subject is not on it.
            SubjectNotFound: nobody is enrolled so.
        """
        with self._database.write() as connection:
            lock_epoch(connection)
            row = rows.list_by_name(connection, list_name)
            subject = get_subject(connection, name_or_id)
            member = rows.is_member(row["list_id"], subject.id)
            if not rows.count_members(connection, member):
                raise UsageError(f"{subject.name} is not on the watch list {list_name!r}")
            epoch = raise_epoch(connection)
            rows.remove_members(connection, member, epoch)
        self._on_change("take-off-list", [subject.id], epoch)
        return epoch

    def expire(self, now: datetime) -> int:
        """End the memberships whose time, or whose list's time, has come. Returns how many.

        A new epoch begins only if there are any.
        """
        over = rows.has_expired(utc_text(now))
        with self._database.write() as connection:
            lock_epoch(connection)
            count = rows.count_members(connection, over)
            if not count:
                return 0
            epoch = raise_epoch(connection)
            rows.remove_members(connection, over, epoch)
        self._on_change("expire-lists", [], epoch)
        return count

    def _id_of(self, connection: Connection, name: str) -> str:
        known = (found.id for found in _lists(connection, None) if found.name == name)
        return next(known, None) or self._new_id()


def _lists(connection: Connection, epoch: int | None) -> list[WatchList]:
    return [_watch_list(row, members) for row, members in rows.all_lists(connection, epoch)]


def _watch_list(row: RowMapping, members: int) -> WatchList:
    return WatchList(
        id=row["list_id"],
        name=row["name"],
        purpose=row["purpose"],
        priority=row["priority"],
        owner=row["owner"],
        threshold=row["threshold"],
        expires_at=row["expires_at"],
        members=members,
    )
