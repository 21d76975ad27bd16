"""The timeline, and searching it by a face."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Request, UploadFile
from starlette.responses import Response

from pipeline.errors import SubjectNotFound
from pipeline.types import Outcome
from workers.console.access.principal import Principal
from workers.console.access.roles import Permission
from workers.console.people.uploads import UploadLimits
from workers.console.sightings.forms import (
    Cameras,
    FormCameras,
    FormOutcomes,
    Outcomes,
    Text,
    Typed,
)
from workers.console.sightings.matches import FaceMatches
from workers.console.sightings.service import SightingsPage
from workers.console.sightings.services import SightingServices
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages


class SightingPages:
    """The timeline.

    Args:
        services: Finds sightings.
        limits: Of uploads.
        pages: Draws.
    """

    def __init__(self, services: SightingServices, limits: UploadLimits, pages: Pages) -> None:
        self._do, self._limits, self._pages = services, limits, pages

    @needs(Permission.READ_SIGHTINGS)
    def timeline(
        self,
        request: Request,
        caller: Caller,
        *,
        since: str = "",
        until: str = "",
        who: str = "",
        camera: Cameras = [],  # noqa: B006 - FastAPI copies it
        outcome: Outcomes = [],  # noqa: B006
        like: str = "",
        after: str = "",
    ) -> Response:
        """What was seen, the newest first; or, of faces like one, the most alike first."""
        typed = Typed.of(camera, outcome, since=since, until=until, who=who, like=like)
        try:
            if like:
                which = typed.for_faces(self._pages.zone, self._do.sightings.meant)
                return self._matches(request, caller, typed, self._do.faces.like(caller, like, which))
            wanted = typed.for_sightings(self._pages.zone, self._do.sightings.meant)
            found = self._do.sightings.page(caller, wanted, after or None)
        except SubjectNotFound as error:
            return self._page(request, caller, typed, SightingsPage((), {}, None), unknown=str(error))
        return self._page(request, caller, typed, found, after=after)

    @needs(Permission.READ_PEOPLE)
    def by_photo(
        self,
        request: Request,
        caller: Caller,
        *,
        photo: Annotated[UploadFile, File()],
        since: Text = "",
        until: Text = "",
        who: Text = "",
        camera: FormCameras = [],  # noqa: B006
        outcome: FormOutcomes = [],  # noqa: B006
    ) -> Response:
        """Whom a photograph shows, wherever they were seen. It is not kept."""
        typed = Typed.of(camera, outcome, since=since, until=until, who=who)
        (upload,) = self._limits.take([photo])
        which = typed.for_faces(self._pages.zone, self._do.sightings.meant)
        return self._matches(request, caller, typed, self._do.faces.photo(caller, upload, which))

    def _matches(self, request: Request, caller: Principal, typed: Typed, found: FaceMatches) -> Response:
        sightings = [match.sighting for match in found.matches]
        alike = {match.sighting.decision_id: match.similarity for match in found.matches}
        page = SightingsPage(sightings, found.names, None)
        return self._page(request, caller, typed, page, alike=alike, matches=found)

    def _page(
        self,
        request: Request,
        caller: Principal,
        typed: Typed,
        found: SightingsPage,
        **values: Any,
    ) -> Response:
        shown: dict[str, Any] = {"unknown": None, "after": "", "alike": None, "matches": None, **values}
        return self._pages.page(
            request,
            "sightings.html",
            **typed.as_values(),
            **shown,
            found=found,
            pictures=self._do.pictures.states(found.sightings),
            cameras=self._do.sightings.cameras(caller),
            outcomes=list(Outcome),
            first_query=typed.query(),
            next_query=typed.query(after=found.next) if found.next else None,
            limits=self._limits,
        )

    def router(self) -> APIRouter:
        """Both."""
        router = guarded_router(
            tags=["pages: sightings"], prefix="/sightings", default_response_class=Response
        )
        router.get("")(self.timeline)
        router.post("/by-photo", max_body_size=self._limits.body_bytes)(self.by_photo)
        return router
