"""Pages about sightings."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from audit.search.sightings import SightingFilter
from pipeline.errors import SubjectNotFound
from pipeline.types import Outcome
from workers.console.access.roles import Permission
from workers.console.sightings.explain import meaning_of
from workers.console.sightings.service import Sightings, SightingsPage
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages

Cameras = Annotated[list[str], Query()]
Outcomes = Annotated[list[Outcome], Query()]


class SightingPages:
    """The timeline, and a page a decision.

    Args:
        sightings: Finds them.
        pages: Draws.
    """

    def __init__(self, sightings: Sightings, pages: Pages) -> None:
        self._sightings, self._pages = sightings, pages

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
        after: str = "",
    ) -> Response:
        """What was seen, the newest first."""
        zone = self._pages.zone
        camera = [name for name in camera if name]  # "all cameras" is an empty one
        typed = {"since": since, "until": until, "who": who, "camera": camera, "outcome": outcome}
        unknown = None
        try:
            people = self._sightings.meant(who)
            between = zone.typed(since), zone.typed(until)
            wanted = SightingFilter(*between, tuple(camera), tuple(outcome), candidate_ids=people)
            found = self._sightings.page(caller, wanted, after or None)
        except SubjectNotFound as error:
            found, unknown = SightingsPage((), {}, None), str(error)
        return self._pages.page(
            request,
            "sightings.html",
            found=found,
            unknown=unknown,
            after=after,
            **self._form(caller, typed, found),
        )

    def _form(self, caller: Caller, typed: dict[str, Any], found: SightingsPage) -> dict[str, Any]:
        kept = [(name, value) for name, value in typed.items() if value]
        query = urlencode(kept, doseq=True)
        more = urlencode([*kept, ("after", found.next)], doseq=True) if found.next else None
        return {
            **typed,
            "cameras": self._sightings.cameras(caller),
            "outcomes": list(Outcome),
            "first_query": query,
            "next_query": more,
        }

    @needs(Permission.READ_SIGHTINGS)
    def decision(self, request: Request, caller: Caller, decision_id: str) -> Response:
        """Why it was decided."""
        found = self._sightings.show(caller, decision_id)
        if found is None:
            raise HTTPException(404, "there is no such decision, or none that you may see")
        meaning = meaning_of(found.sighting.outcome)
        return self._pages.page(
            request, "decision.html", decision=found, meaning=meaning, read_people=Permission.READ_PEOPLE
        )

    def router(self) -> APIRouter:
        """Both."""
        router = guarded_router(
            tags=["pages: sightings"], prefix="/sightings", default_response_class=Response
        )
        router.get("")(self.timeline)
        router.get("/{decision_id}")(self.decision)
        return router
