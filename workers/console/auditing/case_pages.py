"""Choosing decisions for a case, and the case itself."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from audit.search.sightings import SightingFilter
from pipeline.errors import SubjectNotFound
from pipeline.types import Outcome
from workers.console.access.roles import Permission
from workers.console.auditing.answers import case_answer, readable
from workers.console.auditing.cases import MAX_DECISIONS
from workers.console.auditing.service import Auditing
from workers.console.sightings.service import Sightings
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages

Outcomes = Annotated[list[Outcome], Query()]


class CasePages:
    """Cases for somebody outside.

    Args:
        auditing: Makes them.
        sightings: Finds decisions.
        pages: Draws.
    """

    def __init__(self, auditing: Auditing, sightings: Sightings, pages: Pages) -> None:
        self._auditing, self._sightings, self._pages = auditing, sightings, pages

    @needs(Permission.READ_AUDIT)
    def choose(
        self,
        request: Request,
        caller: Caller,
        *,
        since: str = "",
        until: str = "",
        who: str = "",
        camera: str = "",
        outcome: Outcomes = [],  # noqa: B006 - FastAPI copies it
        after: str = "",
    ) -> Response:
        """Sightings by filter, to be ticked."""
        zone, unknown, found = self._pages.zone, None, None
        typed = {"since": since, "until": until, "who": who, "camera": camera, "outcome": outcome}
        kept = [(name, value) for name, value in typed.items() if value]
        try:
            people = self._sightings.meant(who)
            cameras = (camera,) if camera else ()
            between = zone.typed(since), zone.typed(until)
            wanted = SightingFilter(*between, cameras, tuple(outcome), candidate_ids=people)
            found = self._sightings.page(caller, wanted, after or None, MAX_DECISIONS)
        except SubjectNotFound as error:
            unknown = str(error)
        more = found is not None and found.next
        return self._pages.page(
            request,
            "audit_cases.html",
            typed=typed,
            found=found,
            unknown=unknown,
            cameras=self._sightings.cameras(caller),
            outcomes=list(Outcome),
            next_query=urlencode([*kept, ("after", more)], doseq=True) if more else None,
        )

    @needs(Permission.READ_AUDIT)
    def export(
        self,
        caller: Caller,
        case: Annotated[str, Form()],
        decisions: Annotated[list[str], Form()] = [],  # noqa: B006
        footage: Annotated[bool, Form()] = False,
    ) -> Response:
        """The case, as a file."""
        return case_answer(readable(lambda: self._auditing.export(caller, case, decisions, footage=footage)))

    def router(self) -> APIRouter:
        """Both."""
        router = guarded_router(tags=["pages: audit"], prefix="/audit/cases", default_response_class=Response)
        router.get("")(self.choose)
        router.post("")(self.export)
        return router
