"""Sightings for pages and API alike: only of the cameras that the user sees, and each look recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from audit.search.sightings import Cursor, Page, SightingFilter, SightingSearch
from audit.sightings import SightingStore
from gallery.database import Database
from gallery.store import GalleryStore
from pipeline.errors import SubjectNotFound
from pipeline.types import Sighting
from workers.console.access.groups import CameraGroups
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.sightings.explain import Fact, explain
from workers.console.sightings.tracks import decisions_of_track
from workers.names import subject_ids

PAGE = 50
MAX_PAGE = 500


@dataclass(frozen=True, slots=True)
class SightingsPage:
    """Some sightings, the newest first.

    Attributes:
        sightings: They.
        names: Of their subjects, by id.
        next: Where the next page begins; ``None``: this is the last one.
    """

    sightings: Sequence[Sighting]
    names: Mapping[str, str]
    next: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision.

    Attributes:
        sighting: It.
        names: Of its subjects, by id.
        why: What it was made of.
        history: All that was decided about the track, in order.
    """

    sighting: Sighting
    names: Mapping[str, str]
    why: list[Fact]
    history: list[Sighting]


class Sightings:
    """What was decided.

    Args:
        database: Where sightings are.
        gallery: Names people.
        groups: Knows the cameras.
        record: Told who looked at whom.
    """

    def __init__(
        self, database: Database, gallery: GalleryStore, groups: CameraGroups, record: RecordAccess
    ) -> None:
        self._database, self._gallery, self._groups, self._record = database, gallery, groups, record
        self._search, self._store = SightingSearch(database), SightingStore(database)

    def page(
        self, principal: Principal, wanted: SightingFilter, after: str | None = None, limit: int = PAGE
    ) -> SightingsPage:
        """The last word on every track. Raises ``UsageError`` where `after` is no place in the list."""
        found = self._visible(principal, wanted, Cursor.parse(after) if after else None, limit)
        mentioned = subject_ids(found.sightings)
        self._record(principal.who, "sightings listed", mentioned)
        more = None if found.next is None else found.next.text()
        return SightingsPage(found.sightings, self._gallery.names(mentioned), more)

    def _visible(
        self, principal: Principal, wanted: SightingFilter, after: Cursor | None, limit: int
    ) -> Page:
        """Only of cameras that the user sees: asking for none of them would mean all."""
        cameras = wanted.camera_ids
        if principal.cameras is not None:
            cameras = tuple(sorted(principal.cameras.intersection(cameras or principal.cameras)))
            if not cameras:
                return Page((), None)
        return self._search.page(replace(wanted, camera_ids=cameras, final=True), after=after, limit=limit)

    def show(self, principal: Principal, decision_id: str) -> Decision | None:
        """One decision; ``None`` where there is none, or none that the user may see."""
        sighting = self._store.get(decision_id)
        if sighting is None or not principal.sees(sighting.camera_id):
            return None
        history = decisions_of_track(self._database, sighting)
        mentioned = subject_ids([sighting, *history])
        self._record(principal.who, f"decision {decision_id} shown", mentioned)
        names = self._gallery.names(mentioned)
        return Decision(sighting, names, explain(sighting, names), history)

    def cameras(self, principal: Principal) -> list[str]:
        """Those that the user sees."""
        return [camera for camera in self._groups.known_cameras() if principal.sees(camera)]

    def meant(self, typed: str) -> tuple[str, ...]:
        """The id of who is meant by a name or an id; empty for nothing typed.

        Raises:
            SubjectNotFound: nobody is, or was, called so.
        """
        text = typed.strip()
        if not text:
            return ()
        if self._gallery.names([text]):  # somebody removed has an id, and can be asked for
            return (text,)
        try:
            return (self._gallery.subject(text).id,)
        except SubjectNotFound:
            raise SubjectNotFound(f"nobody is enrolled as {text!r}") from None
