"""One decision: why, its pictures, what people say of it, and enrolling from it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from audit.verdicts import Opinion
from pipeline.types import Outcome
from workers.console.access.principal import Principal
from workers.console.access.roles import Permission
from workers.console.sightings.enrolling import FromSighting
from workers.console.sightings.explain import meaning_of
from workers.console.sightings.scales import scales_of
from workers.console.sightings.service import Decision
from workers.console.sightings.services import SightingServices
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to

PNG = "image/png"


class DecisionPages:
    """A page a decision.

    Args:
        services: Finds, judges and enrolls.
        pages: Draws.
    """

    def __init__(self, services: SightingServices, pages: Pages) -> None:
        self._do, self._pages = services, pages

    @needs(Permission.READ_SIGHTINGS)
    def decision(
        self, request: Request, caller: Caller, decision_id: str, enrolled: str = "", judged: bool = False
    ) -> Response:
        """Why it was decided."""
        return self._page(request, caller, decision_id, enrolled=enrolled, judged=judged)

    @needs(Permission.READ_SIGHTINGS)
    def face(self, caller: Caller, decision_id: str) -> Response:
        """The best picture of the track."""
        return Response(self._do.pictures.best(caller, decision_id), media_type=PNG)

    @needs(Permission.READ_SIGHTINGS)
    def crop(
        self, caller: Caller, decision_id: str, sequence: Annotated[int, Path(ge=0, lt=2**32)]
    ) -> Response:
        """One picture of the track."""
        return Response(self._do.pictures.one(caller, decision_id, sequence), media_type=PNG)

    @needs(Permission.WRITE_VERDICTS)
    def judge(
        self,
        caller: Caller,
        decision_id: str,
        opinion: Annotated[Opinion, Form()] = Opinion.NOT_THIS_PERSON,
        note: Annotated[str, Form()] = "",
        was: Annotated[str, Form()] = "",
    ) -> Response:
        """Say whether it was right."""
        self._do.judging.judge(caller, decision_id, opinion, note, was)
        return go_to(f"/sightings/{decision_id}?judged=true")

    @needs(Permission.WRITE_PEOPLE)
    def enroll(
        self,
        request: Request,
        caller: Caller,
        decision_id: str,
        *,
        name: Annotated[str, Form()],
        allow_lookalike: Annotated[bool, Form()] = False,
        whole_group: Annotated[bool, Form()] = False,
    ) -> Response:
        """Enroll whoever it shows."""
        done = self._do.enrolling.enroll(
            caller, decision_id, name, allow_lookalike=allow_lookalike, whole_group=whole_group
        )
        if done.subject_id is not None:
            return go_to(f"/sightings/{decision_id}?enrolled={done.subject_id}")
        return self._page(request, caller, decision_id, typed=name, done=done)

    def _page(
        self,
        request: Request,
        caller: Principal,
        decision_id: str,
        *,
        enrolled: str = "",
        judged: bool = False,
        typed: str = "",
        done: FromSighting | None = None,
    ) -> Response:
        found = self._do.sightings.show(caller, decision_id)
        if found is None:
            raise HTTPException(404, "there is no such decision, or none that you may see")
        if caller.may(Permission.WRITE_PEOPLE) and found.sighting.outcome is not Outcome.KNOWN:
            self._do.people.warm()
        return self._pages.page(
            request,
            "decision.html",
            decision=found,
            meaning=meaning_of(found.sighting.outcome),
            judged=judged,
            typed=typed,
            done=done,
            enrolled=self._do.people.name_of(caller, enrolled) if enrolled else None,
            enrolled_id=enrolled,
            **self._beside(caller, found),
        )

    def _beside(self, caller: Principal, found: Decision) -> dict[str, Any]:
        """What there is of the track elsewhere, as far as the user may look at it."""
        sighting = found.sighting
        reads_people = caller.may(Permission.READ_PEOPLE)
        last = self._do.visible.last_word(sighting)
        return {
            "crops": self._do.pictures.listed(caller, sighting),
            "scales": scales_of(sighting, self._do.thresholds_now()),
            "verdicts": self._do.judging.said(caller, sighting.decision_id),
            "photo": self._do.people.best_photo(sighting.candidate_id) if reads_people else None,
            "group": self._do.groups.of_decision(caller, last.decision_id) if reads_people else None,
            "footage": self._do.footage.around(last) if caller.may(Permission.READ_FOOTAGE) else None,
        }

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(
            tags=["pages: sightings"], prefix="/sightings", default_response_class=Response
        )
        router.get("/{decision_id}")(self.decision)
        router.get("/{decision_id}/face")(self.face)
        router.get("/{decision_id}/crops/{sequence}")(self.crop)
        router.post("/{decision_id}/verdict")(self.judge)
        router.post("/{decision_id}/enroll")(self.enroll)
        return router
