"""Where a face was seen before: tracks by how alike their faces are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from audit.search.by_face import FaceAnswer, FaceFilter, FaceSearch
from audit.search.faces import FaceStore
from gallery.database import Database
from gallery.store import GalleryStore
from pipeline.errors import UsageError
from pipeline.types import Embedding, Sighting
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.people.desk import EnrollDesk
from workers.console.people.uploads import Upload
from workers.console.sightings.visible import VisibleSightings
from workers.names import subject_ids

LIMIT = 50


@dataclass(frozen=True, slots=True)
class FaceMatch:
    """A track and how alike its face is to the one that was searched by, -1..1."""

    sighting: Sighting
    similarity: float
    group_id: str | None


@dataclass(frozen=True, slots=True)
class FaceMatches:
    """What a search by a face found.

    Attributes:
        matches: The most similar first.
        names: Of their subjects, by id.
        compared: How many faces fitted and could be compared.
        left_out: How many fitted and were made by other models.
    """

    matches: list[FaceMatch]
    names: Mapping[str, str]
    compared: int
    left_out: int


class SearchByFace:
    """Compares a face with those of all kept tracks that the user may see.

    Args:
        database: Where they are kept.
        sightings: Decisions that the user may see.
        gallery: Names people.
        desk: Finds the face of a photograph.
        record: Told who looked at whom.
    """

    def __init__(
        self,
        database: Database,
        sightings: VisibleSightings,
        gallery: GalleryStore,
        desk: EnrollDesk,
        record: RecordAccess,
    ) -> None:
        self._faces, self._search = FaceStore(database), FaceSearch(database)
        self._sightings, self._gallery, self._desk, self._record = sightings, gallery, desk, record

    def like(
        self, principal: Principal, decision_id: str, which: FaceFilter, limit: int = LIMIT
    ) -> FaceMatches:
        """Tracks whose face is like that of a decision.

        Raises:
            HTTPException: 404, there is no such decision.
            UsageError: no face of it is kept.
        """
        sighting = self._sightings.last_word(self._sightings.get(principal, decision_id))
        self._record(principal.who, f"search by the face of decision {decision_id}", subject_ids([sighting]))
        found = self._faces.get([sighting.decision_id])
        if not found:
            raise UsageError(
                "no face of this track is kept to search by: it was never seen well enough, is kept no "
                "longer, or audit.faces is off"
            )
        return self._answer(principal, found[0].embedding, which, limit)

    def photo(
        self, principal: Principal, upload: Upload, which: FaceFilter, limit: int = LIMIT
    ) -> FaceMatches:
        """Tracks whose face is like the most prominent one of a photograph. The photograph is not kept.

        Raises:
            ImageError: there is no face in it.
        """
        self._record(principal.who, "search by the face of a photograph", ())
        return self._answer(principal, self._desk.probe(upload), which, limit)

    def _answer(self, principal: Principal, probe: Embedding, which: FaceFilter, limit: int) -> FaceMatches:
        answer = self._visible(principal, probe, which, limit)
        sightings = self._sightings.some(principal, [hit.decision_id for hit in answer.hits])
        matches = [
            FaceMatch(sightings[hit.decision_id], hit.similarity, hit.group_id)
            for hit in answer.hits
            if hit.decision_id in sightings
        ]
        mentioned = subject_ids(match.sighting for match in matches)
        self._record(principal.who, "sightings found by a face", mentioned)
        names = self._gallery.names(mentioned)
        return FaceMatches(matches, names, answer.compared, sum(answer.left_out.values()))

    def _visible(self, principal: Principal, probe: Embedding, which: FaceFilter, limit: int) -> FaceAnswer:
        """Only of cameras that the user sees: asking for none of them would mean all."""
        cameras = which.camera_ids
        if principal.cameras is not None:
            cameras = tuple(sorted(principal.cameras.intersection(cameras or principal.cameras)))
            if not cameras:
                return FaceAnswer((), 0, {})
        return self._search.search(probe, replace(which, camera_ids=cameras), limit=limit)
