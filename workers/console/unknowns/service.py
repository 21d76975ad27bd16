"""What can be done with groups of unknown people, for pages and API alike; each look is recorded first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException

from audit.unknowns.groups import GroupStore
from audit.unknowns.linkage import Linkage
from audit.unknowns.records import GroupState
from gallery.store import GalleryStore
from pipeline.errors import UsageError
from pipeline.types import Sighting, Thresholds
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.people.desk import Enrolled
from workers.console.sightings.enrolling import PHOTOS, EnrollFromSighting
from workers.console.sightings.notes import clean_label
from workers.console.sightings.visible import VisibleSightings
from workers.console.unknowns.visible import SeenGroup, SeenMember, VisibleGroups

PAGE = 50
MAX_PAGE = 200
MOST_AT_ONCE = 100
_ALIKE = 10
_LOOSER = 0.1
"""Groups that are this much less alike than one person's tracks are worth a look by a person."""


@dataclass(frozen=True, slots=True)
class GroupsPage:
    """Some groups, the one seen last first, and what their subjects are called."""

    groups: list[SeenGroup]
    names: Mapping[str, str]
    next: int | None


@dataclass(frozen=True, slots=True)
class AlikeGroup:
    """Another group that may be the same person, and how alike it is, -1..1."""

    group: SeenGroup
    similarity: float


@dataclass(frozen=True, slots=True)
class GroupShown:
    """A group with its tracks, the newest first.

    Attributes:
        group: It.
        name: Of its subject, if it is assigned.
        members: Those of cameras that the user sees.
        sightings: Their decisions, by id, as far as they are kept.
        hidden: How many tracks the user does not see.
    """

    group: SeenGroup
    name: str | None
    members: list[SeenMember]
    sightings: Mapping[str, Sighting]
    hidden: int


@dataclass(frozen=True, slots=True)
class Assigned:
    """What became of assigning groups.

    Attributes:
        subject_id: Whose they are; ``None`` where nobody could be enrolled.
        results: What became of each picture.
        groups: Those that were assigned.
    """

    subject_id: str | None
    results: list[Enrolled]
    groups: list[str]


class Unknowns:
    """Groups of unknown people.

    Args:
        groups: All of them.
        seen: Those that a user sees.
        sightings: Decisions that a user sees.
        gallery: Names people.
        enrolling: Enrolls from tracks.
        thresholds: Those in force.
        record: Told who did what.
    """

    def __init__(
        self,
        *,
        groups: GroupStore,
        seen: VisibleGroups,
        sightings: VisibleSightings,
        gallery: GalleryStore,
        enrolling: EnrollFromSighting,
        thresholds: Callable[[], Thresholds],
        record: RecordAccess,
    ) -> None:
        self._groups, self._seen, self._sightings = groups, seen, sightings
        self._gallery, self._enrolling, self._thresholds = gallery, enrolling, thresholds
        self._record = record

    def page(
        self,
        principal: Principal,
        states: Collection[GroupState] = (GroupState.OPEN,),
        cameras: Collection[str] = (),
        start: int = 0,
        limit: int = PAGE,
    ) -> GroupsPage:
        """Groups in these states that the user sees something of."""
        found = self._seen.page(principal, states, cameras, start, limit + 1)
        shown = found[:limit]
        subjects = {group.subject_id for group in shown if group.subject_id is not None}
        self._record(principal.who, "unknown people listed", subjects)
        more = start + limit if len(found) > limit else None
        return GroupsPage(shown, self._gallery.names(subjects), more)

    def show(self, principal: Principal, group_id: str) -> GroupShown:
        """One group. Raises ``HTTPException`` 404."""
        group = self._get(principal, group_id)
        self._note(principal, "shown", group)
        members = self._seen.members(principal, group.id)
        sightings = self._sightings.some(principal, [member.decision_id for member in members])
        names = self._gallery.names([group.subject_id] if group.subject_id else [])
        hidden = self._groups.group(group.id).size - group.size
        return GroupShown(group, names.get(group.subject_id or ""), members, sightings, hidden)

    def alike(self, principal: Principal, group_id: str) -> list[AlikeGroup]:
        """Groups that may be the same person, the most alike first. Raises ``HTTPException`` 404."""
        group = self._get(principal, group_id)
        self._note(principal, "compared with others", group)
        key = self._seen.key_of(group.cover)
        if key is None:
            return []
        linkage = Linkage(max(-1.0, self._thresholds().match - _LOOSER))
        ranked = self._groups.alike(group.id, key, linkage, limit=_ALIKE)
        found = ((self._seen.get(principal, other.id), similarity) for other, similarity in ranked)
        return [AlikeGroup(other, similarity) for other, similarity in found if other is not None]

    def assign(
        self,
        principal: Principal,
        group_ids: Sequence[str],
        name: str,
        *,
        photos: int = PHOTOS,
        allow_lookalike: bool = False,
    ) -> Assigned:
        """Say that groups are one person, and enroll them from the best pictures.

        Args:
            principal: Who says it.
            group_ids: Which groups.
            name: A new name, or that of somebody who is enrolled.
            photos: From so many pictures; 0 for who is enrolled already.
            allow_lookalike: Enroll even if somebody else looks alike.

        Raises:
            HTTPException: 404, there is no such group.
            UsageError: the name cannot be one, or there is no picture to enroll from.
            SubjectNotFound: nobody is enrolled so, and no picture is to be taken.
        """
        groups = self._all(principal, group_ids)
        for group in groups:
            self._note(principal, "is to be assigned", group)
        results: list[Enrolled] = []
        if photos:
            tracks = [track for group in groups for track in self._tracks(principal, group)]
            results = self._enrolling.from_tracks(principal, tracks, name, photos, allow_lookalike)
            if all(result.status == "refused" for result in results):
                return Assigned(None, results, [])
        subject = self._gallery.subject(name.strip())
        for group in groups:
            self._record(principal.who, f"group of unknown people {group.id} assigned", [subject.id])
            self._groups.assign(group.id, subject.id)
        return Assigned(subject.id, results, [group.id for group in groups])

    def merge(self, principal: Principal, group_ids: Sequence[str]) -> str:
        """Say that groups are one person; the id of what they are now.

        Raises:
            HTTPException: 404, there is no such group.
            UsageError: there are fewer than two, or each is another person.
        """
        first, *others = self._all(principal, group_ids)
        if not others:
            raise UsageError("mark at least two groups to merge")
        kept = first.id
        for other in others:
            self._note(principal, f"merged with {kept}", other)
            kept = self._groups.merge(kept, other.id).group_id
        return kept

    def split(self, principal: Principal, group_id: str, decision_ids: Collection[str]) -> str:
        """Say that some tracks of a group are somebody else; the id of the group that they are now.

        Raises:
            HTTPException: 404, there is no such group.
            UsageError: these are none, all, or not of its tracks.
        """
        group = self._get(principal, group_id)
        own = {member.decision_id for member in self._seen.members(principal, group.id)}
        strange = sorted(set(decision_ids) - own)
        if strange:
            raise UsageError(f"{strange[0]} is not in the group {group.id}: split off what is in it")
        self._note(principal, "split", group)
        return self._groups.split(group.id, decision_ids).id

    def ignore(self, principal: Principal, group_ids: Sequence[str]) -> None:
        """Ask nobody about them any more. Raises ``HTTPException`` 404."""
        for group in self._all(principal, group_ids):
            self._note(principal, "ignored", group)
            self._groups.ignore(group.id)

    def reopen(self, principal: Principal, group_ids: Sequence[str]) -> None:
        """Take back that they are ignored or assigned. Raises ``HTTPException`` 404."""
        for group in self._all(principal, group_ids):
            self._note(principal, "reopened", group)
            self._groups.reopen(group.id)

    def label(self, principal: Principal, group_id: str, label: str) -> None:
        """Call a group something; nothing for nothing. Raises ``HTTPException`` 404, ``UsageError``."""
        group = self._get(principal, group_id)
        self._note(principal, "labelled", group)
        self._groups.label(group.id, clean_label(label))

    def _tracks(self, principal: Principal, group: SeenGroup) -> list[Sighting]:
        members = self._seen.members(principal, group.id)
        best = sorted(members, key=lambda member: (-member.quality, member.decision_id))[:MOST_AT_ONCE]
        found = self._sightings.some(principal, [member.decision_id for member in best])
        return list(found.values())

    def _all(self, principal: Principal, group_ids: Sequence[str]) -> list[SeenGroup]:
        if not 0 < len(group_ids) <= MOST_AT_ONCE:
            raise UsageError(f"mark 1 to {MOST_AT_ONCE} groups first, not {len(group_ids)}")
        found = {group.id: group for group in (self._get(principal, one) for one in group_ids)}
        return list(found.values())

    def _get(self, principal: Principal, group_id: str) -> SeenGroup:
        group = self._seen.get(principal, group_id)
        if group is None:
            raise HTTPException(404, "there is no such group of unknown people, or none that you may see")
        return group

    def _note(self, principal: Principal, what: str, group: SeenGroup) -> None:
        subjects = [] if group.subject_id is None else [group.subject_id]
        self._record(principal.who, f"group of unknown people {group.id} {what}", subjects)
