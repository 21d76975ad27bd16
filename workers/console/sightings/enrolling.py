"""Enrolls somebody from what was seen of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audit.enrollable import best_of, photo_of
from audit.unknowns.groups import GroupStore
from audit.unknowns.records import GroupState
from gallery.enroll import EnrollOptions
from pipeline.errors import UsageError
from pipeline.types import FaceCrop, Sighting
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.people.desk import Enrolled
from workers.console.people.service import People
from workers.console.people.uploads import Upload, plain_name
from workers.console.sightings.pictures import Pictures
from workers.console.sightings.visible import VisibleSightings
from workers.console.unknowns.visible import VisibleGroups
from workers.names import subject_ids

PHOTOS = 3
MAX_PHOTOS = 20


@dataclass(frozen=True, slots=True)
class FromSighting:
    """What became of enrolling somebody from a sighting.

    Attributes:
        subject_id: Who it is now; ``None`` where no picture was taken.
        results: What became of each picture.
        group_id: The group of unknown people that they were in and that is assigned to them now.
    """

    subject_id: str | None
    results: list[Enrolled]
    group_id: str | None


class EnrollFromSighting:
    """Enrolls from the kept crops of tracks.

    Args:
        sightings: Decisions that the user may see.
        pictures: Their crops.
        people: Enrolls.
        seen: Groups of unknown people that the user sees.
        groups: All of them.
        record: Told who did what.
    """

    def __init__(
        self,
        *,
        sightings: VisibleSightings,
        pictures: Pictures,
        people: People,
        seen: VisibleGroups,
        groups: GroupStore,
        record: RecordAccess,
    ) -> None:
        self._sightings, self._pictures, self._people = sightings, pictures, people
        self._seen, self._groups, self._record = seen, groups, record

    def enroll(
        self,
        principal: Principal,
        decision_id: str,
        name: str,
        *,
        photos: int = PHOTOS,
        allow_lookalike: bool = False,
        whole_group: bool = False,
    ) -> FromSighting:
        """Enroll whoever a decision shows, under a new name or somebody's who is enrolled.

        A track that is alone in its group of unknown people brings the group along; of a larger one that has
        to be said.

        Raises:
            HTTPException: 404, there is no such decision.
            UsageError: the name cannot be one, or nothing was kept to enroll from.
            Erased: what was kept was erased.
        """
        sighting = self._sightings.get(principal, decision_id)
        last = self._sightings.last_word(sighting)
        what = f"enrollment from decision {decision_id}"
        self._record(principal.who, what, subject_ids([sighting, last]))
        results = self.from_tracks(principal, [sighting], name, photos, allow_lookalike)
        subject_id = next((one.subject_id for one in results if one.subject_id is not None), None)
        if subject_id is None:
            return FromSighting(None, results, None)
        return FromSighting(subject_id, results, self._assign(principal, last, subject_id, whole_group))

    def from_tracks(
        self,
        principal: Principal,
        sightings: Sequence[Sighting],
        name: str,
        photos: int = PHOTOS,
        allow_lookalike: bool = False,
    ) -> list[Enrolled]:
        """Enroll one person from the best crops of some tracks; one result a crop.

        Raises:
            UsageError: the name cannot be one, or nothing was kept to enroll from.
            Erased: what was kept was erased.
        """
        crops = [crop for sighting in sightings for crop in self._pictures.crops_of(sighting)]
        if not crops:
            raise UsageError("no picture was kept of this face to enroll from: enroll a photograph instead")
        options = EnrollOptions(allow_lookalike=allow_lookalike)
        uploads = [_upload(crop) for crop in best_of(crops, photos)]
        return self._people.enroll(principal, name, uploads, options)

    def _assign(self, principal: Principal, last: Sighting, subject_id: str, whole: bool) -> str | None:
        group = self._seen.of_decision(principal, last.decision_id)
        if group is None or group.state is GroupState.ASSIGNED:
            return None
        if not whole and self._groups.group(group.id).size > 1:
            return None
        self._record(principal.who, f"group of unknown people {group.id} assigned", [subject_id])
        self._groups.assign(group.id, subject_id)
        return group.id


def _upload(crop: FaceCrop) -> Upload:
    """Called after where it comes from: the gallery keeps the name with the photograph."""
    return Upload(f"{plain_name(str(crop.key))} {crop.sequence}.png", photo_of(crop))
