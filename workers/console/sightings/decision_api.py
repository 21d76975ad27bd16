"""One decision for programs: its pictures, verdicts, and enrolling from it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from audit.verdicts import GivenVerdict, Opinion
from workers.console.access.roles import Permission
from workers.console.sightings.enrolling import MAX_PHOTOS, PHOTOS, FromSighting
from workers.console.sightings.judging import VerdictShown
from workers.console.sightings.pictures import CropsShown
from workers.console.sightings.services import SightingServices
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.problems import brings

PNG = "image/png"
Sequence = Annotated[int, Path(ge=0, lt=2**32)]


class NewVerdict(BaseModel):
    """What somebody says of a decision; `was`: who it was, by name or id, which goes before `opinion`."""

    model_config = ConfigDict(extra="forbid")

    opinion: Opinion = Opinion.NOT_THIS_PERSON
    note: str = ""
    was: str = ""


class EnrollFrom(BaseModel):
    """Whom to enroll from a sighting, and how."""

    model_config = ConfigDict(extra="forbid")

    name: str
    photos: int = Field(default=PHOTOS, ge=1, le=MAX_PHOTOS)
    allow_lookalike: bool = False
    whole_group: bool = False


class DecisionApi:
    """What belongs to one decision.

    Args:
        services: Does it.
    """

    def __init__(self, services: SightingServices) -> None:
        self._do = services

    @needs(Permission.READ_SIGHTINGS)
    def list_crops(self, caller: Caller, decision_id: str) -> CropsShown:
        """The kept pictures of the track; `state` says why there are none."""
        return self._do.pictures.listed(caller, self._do.visible.get(caller, decision_id))

    @needs(Permission.READ_SIGHTINGS)
    def show_crop(self, caller: Caller, decision_id: str, sequence: Sequence) -> Response:
        """One of them, as a PNG."""
        return Response(self._do.pictures.one(caller, decision_id, sequence), media_type=PNG)

    @needs(Permission.READ_SIGHTINGS)
    def show_face(self, caller: Caller, decision_id: str) -> Response:
        """The best of them, as a PNG."""
        return Response(self._do.pictures.best(caller, decision_id), media_type=PNG)

    @needs(Permission.READ_SIGHTINGS)
    def list_verdicts(self, caller: Caller, decision_id: str) -> list[VerdictShown]:
        """What was said of the decision, in order."""
        return self._do.judging.said(caller, decision_id)

    @needs(Permission.WRITE_VERDICTS)
    def judge(self, caller: Caller, decision_id: str, verdict: NewVerdict) -> GivenVerdict:
        """Say whether it was right."""
        return self._do.judging.judge(caller, decision_id, verdict.opinion, verdict.note, verdict.was)

    @needs(Permission.WRITE_PEOPLE)
    def enroll(self, caller: Caller, decision_id: str, wanted: EnrollFrom) -> FromSighting:
        """Enroll whoever the decision shows, from the best pictures of the track."""
        return self._do.enrolling.enroll(
            caller,
            decision_id,
            wanted.name,
            photos=wanted.photos,
            allow_lookalike=wanted.allow_lookalike,
            whole_group=wanted.whole_group,
        )

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["sightings"], prefix="/sightings/{decision_id}")
        router.get("/crops")(self.list_crops)
        router.get("/crops/{sequence}", response_class=Response, responses=brings("image/png"))(
            self.show_crop
        )
        router.get("/face", response_class=Response, responses=brings("image/png"))(self.show_face)
        router.get("/verdicts")(self.list_verdicts)
        router.post("/verdicts", status_code=201)(self.judge)
        router.post("/enroll")(self.enroll)
        return router
