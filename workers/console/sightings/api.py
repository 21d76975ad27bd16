"""The same for programs: ``/api/v1/sightings``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, UploadFile
from starlette.exceptions import HTTPException

from audit.search.by_face import FaceFilter
from audit.search.sightings import SightingFilter
from workers.console.access.roles import Permission
from workers.console.people.uploads import UploadLimits
from workers.console.sightings.explain import Fact
from workers.console.sightings.forms import Cameras, FormCameras, FormOutcomes, Outcomes
from workers.console.sightings.matches import FaceMatches
from workers.console.sightings.service import MAX_PAGE, PAGE
from workers.console.sightings.services import SightingServices
from workers.console.web.guard import Caller, guarded_router, needs
from workers.sighting import as_record

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


@dataclass(frozen=True, slots=True)
class SightingsFound:
    """Sightings as in ``sightings.jsonl``; `next` is the `after` of the next page."""

    sightings: list[dict[str, Any]]
    next: str | None


@dataclass(frozen=True, slots=True)
class DecisionFound:
    """A decision, what it was made of, and all decisions about the track."""

    sighting: dict[str, Any]
    why: list[Fact]
    history: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class AlikeFound:
    """A sighting, how alike its face is, -1..1, and its group of unknown people."""

    sighting: dict[str, Any]
    similarity: float
    group_id: str | None


@dataclass(frozen=True, slots=True)
class FacesFound:
    """What a search by a face found, the most similar first; how many could be compared, and how many not."""

    matches: list[AlikeFound]
    compared: int
    left_out: int


class SightingsApi:
    """Sightings, for programs.

    Args:
        services: Finds them.
        limits: Of uploads.
    """

    def __init__(self, services: SightingServices, limits: UploadLimits) -> None:
        self._do, self._limits = services, limits

    @needs(Permission.READ_SIGHTINGS)
    def list_sightings(
        self,
        caller: Caller,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        camera: Cameras = [],  # noqa: B006 - FastAPI copies it
        outcome: Outcomes = [],  # noqa: B006
        who: str = "",
        run_id: str | None = None,
        after: str | None = None,
        limit: Limit = PAGE,
    ) -> SightingsFound:
        """The last word on every track, the newest first; times need a zone, `who` is a name or an id."""
        people = self._do.sightings.meant(who)
        wanted = SightingFilter(
            since, until, tuple(camera), tuple(outcome), candidate_ids=people, run_id=run_id
        )
        found = self._do.sightings.page(caller, wanted, after, limit)
        records = [as_record(sighting, found.names) for sighting in found.sightings]
        return SightingsFound(records, found.next)

    @needs(Permission.READ_SIGHTINGS)
    def show_decision(self, caller: Caller, decision_id: str) -> DecisionFound:
        """One decision, and why."""
        found = self._do.sightings.show(caller, decision_id)
        if found is None:
            raise HTTPException(404, "there is no such decision, or none that you may see")
        history = [as_record(sighting, found.names) for sighting in found.history]
        return DecisionFound(as_record(found.sighting, found.names), found.why, history)

    @needs(Permission.READ_SIGHTINGS)
    def alike(
        self,
        caller: Caller,
        decision_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        camera: Cameras = [],  # noqa: B006
        outcome: Outcomes = [],  # noqa: B006
        who: str = "",
        limit: Limit = PAGE,
    ) -> FacesFound:
        """Tracks whose face is like that of a decision; `who` is whom they were named as."""
        people = self._do.sightings.meant(who)
        which = FaceFilter(since, until, tuple(camera), tuple(outcome), people)
        return _faces(self._do.faces.like(caller, decision_id, which, limit))

    @needs(Permission.READ_PEOPLE)
    def by_photo(
        self,
        caller: Caller,
        photo: Annotated[UploadFile, File()],
        *,
        since: Annotated[datetime | None, Form()] = None,
        until: Annotated[datetime | None, Form()] = None,
        camera: FormCameras = [],  # noqa: B006
        outcome: FormOutcomes = [],  # noqa: B006
        limit: Annotated[int, Form(ge=1, le=MAX_PAGE)] = PAGE,
    ) -> FacesFound:
        """Tracks whose face is like the most prominent one of a photograph, which is not kept."""
        (upload,) = self._limits.take([photo])
        which = FaceFilter(since, until, tuple(camera), tuple(outcome))
        return _faces(self._do.faces.photo(caller, upload, which, limit))

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["sightings"], prefix="/sightings")
        router.get("")(self.list_sightings)
        router.post("/by-photo", max_body_size=self._limits.body_bytes)(self.by_photo)
        router.get("/{decision_id}")(self.show_decision)
        router.get("/{decision_id}/alike")(self.alike)
        return router


def _faces(found: FaceMatches) -> FacesFound:
    matches = [
        AlikeFound(as_record(match.sighting, found.names), match.similarity, match.group_id)
        for match in found.matches
    ]
    return FacesFound(matches, found.compared, found.left_out)
