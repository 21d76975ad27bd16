"""What can be done with watch lists, for pages and API alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from starlette.exceptions import HTTPException

from gallery.lists import Member, WatchList, WatchLists
from gallery.names import clean_name
from gallery.store import GalleryStore
from pipeline.errors import SubjectNotFound, UsageError
from workers.console.access.principal import Principal
from workers.console.access.record import Changes, RecordAccess
from workers.console.sightings.notes import clean_label, clean_note


@dataclass(frozen=True, slots=True)
class ListShown:
    """A list and who is on it, by name."""

    watch_list: WatchList
    members: list[Member]


@dataclass(frozen=True, slots=True)
class Membership:
    """A list that somebody is on, until when and why."""

    list_id: str
    name: str
    expires_at: str | None
    note: str


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What a list is like; see :class:`gallery.lists.WatchList`.

    Raises:
        UsageError: the threshold is no similarity.
    """

    purpose: str = ""
    priority: int = 0
    owner: str = ""
    threshold: float | None = None
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None and not -1.0 < self.threshold < 1.0:
            raise UsageError(f"a threshold is a similarity between -1 and 1, not {self.threshold}")


class Lists:
    """Watch lists behind the console, named by their ids.

    Args:
        lists: Keeps them.
        gallery: Knows who is enrolled.
        record: Told who did what to whom.
        changes: Told by `lists` what was changed.
    """

    def __init__(
        self, lists: WatchLists, gallery: GalleryStore, record: RecordAccess, changes: Changes
    ) -> None:
        self._lists, self._gallery, self._record, self._changes = lists, gallery, record, changes

    def all(self) -> list[WatchList]:
        """Every list, the highest priority first; they name nobody."""
        return self._lists.lists()

    def show(self, principal: Principal, list_id: str) -> ListShown:
        """One list. Raises ``HTTPException`` 404."""
        shown, members = self._lists.show(self._get(list_id).name)
        self._record(principal.who, f"watch list {list_id} shown", [one.subject_id for one in members])
        return ListShown(shown, members)

    def of_person(self, subject_id: str) -> list[Membership]:
        """The lists that somebody is on, for a page about them: that they are looked at is recorded there."""
        shown = [self._lists.show(name) for name in self._lists.lists_of(subject_id)]
        return [
            Membership(on.id, on.name, one.expires_at, one.note)
            for on, members in shown
            for one in members
            if one.subject_id == subject_id
        ]

    def make(self, principal: Principal, name: str, options: ListOptions) -> WatchList:
        """Make a list. Raises ``UsageError`` where the name is taken, or cannot be one."""
        name = clean_name(name, "watch list")
        if any(one.name == name for one in self.all()):
            raise UsageError(f"there is a watch list {name!r} already: choose another name")
        with self._changing(principal, f"watch list {name} made"):
            return self._add(name, options)

    def change(self, principal: Principal, list_id: str, name: str, options: ListOptions) -> WatchList:
        """Rename a list and set all its options; members stay.

        Raises:
            HTTPException: 404, there is no such list.
            UsageError: another list has the name, or it cannot be one.
        """
        found = self._get(list_id)
        name = clean_name(name, "watch list")
        with self._changing(principal, f"watch list {list_id} changed"):
            if name != found.name:
                self._lists.rename(found.name, name)
            return self._add(name, options)

    def remove(self, principal: Principal, list_id: str) -> None:
        """End a list. Raises ``HTTPException`` 404."""
        found = self._get(list_id)
        with self._changing(principal, f"watch list {list_id} removed"):
            self._lists.remove(found.name)

    def put(
        self,
        principal: Principal,
        list_id: str,
        name_or_id: str,
        until: datetime | None = None,
        note: str = "",
    ) -> None:
        """Put somebody on a list, or say anew until when and why.

        Raises:
            HTTPException: 404, there is no such list.
            SubjectNotFound: nobody is enrolled so.
            UsageError: the list has expired.
        """
        found = self._get(list_id)
        subject = self._gallery.subject(name_or_id.strip())
        with self._changing(principal, f"put on watch list {list_id}", subject.id):
            self._lists.put(found.name, subject.id, until, clean_note(note))

    def take_off(self, principal: Principal, list_id: str, subject_id: str) -> None:
        """Take somebody off. Raises ``HTTPException`` 404, ``SubjectNotFound``, ``UsageError``."""
        found = self._get(list_id)
        subject = self._gallery.subject(subject_id)
        if subject.id != subject_id:  # somebody could be called like another one's id
            raise SubjectNotFound(f"nobody has the id {subject_id!r}")
        with self._changing(principal, f"taken off watch list {list_id}", subject.id):
            self._lists.take_off(found.name, subject.id)

    def _add(self, name: str, options: ListOptions) -> WatchList:
        return self._lists.add(
            name,
            purpose=clean_note(options.purpose),
            priority=options.priority,
            owner=clean_label(options.owner)[:200],
            threshold=options.threshold,
            expires_at=options.expires_at,
        )

    def _get(self, list_id: str) -> WatchList:
        found = next((one for one in self.all() if one.id == list_id), None)
        if found is None:
            raise HTTPException(404, "there is no such watch list, or none any more")
        return found

    @contextmanager
    def _changing(self, principal: Principal, what: str, *subject_ids: str) -> Iterator[None]:
        self._record(principal.who, what, subject_ids)
        with self._changes.by(principal.who):
            yield
