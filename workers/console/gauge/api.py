"""The same for programs: ``/api/v1/gauge``."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, UploadFile
from starlette.responses import Response

from workers.canary.door import Given
from workers.canary.history import Step
from workers.canary.records import Canary
from workers.console.access.roles import Permission
from workers.console.gauge.service import MAX_DAYS, Gauge, GaugeHistory, GaugeNow
from workers.console.people.uploads import UploadLimits
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.problems import brings

Days = Annotated[int, Query(ge=1, le=MAX_DAYS)]


class GaugeApi:
    """The gauge, for programs.

    Args:
        gauge: Does it.
        limits: Of uploads.
    """

    def __init__(self, gauge: Gauge, limits: UploadLimits) -> None:
        self._gauge, self._limits = gauge, limits

    @needs(Permission.READ_HEALTH)
    def show_gauge(self) -> GaugeNow:
        """What the defence is worth now: each number with its interval and its threat model."""
        return self._gauge.now()

    @needs(Permission.READ_HEALTH)
    def show_gauge_history(self, days: Days = 30, step: Step = Step.DAY) -> GaugeHistory:
        """How it went, a point a day or a run; marks say where models, thresholds or gallery changed."""
        return self._gauge.history(days, step)

    @needs(Permission.ADMIN)
    def measure(self, caller: Caller) -> None:
        """Measure soon; the answer does not wait for it."""
        self._gauge.ask(caller)

    @needs(Permission.ADMIN)
    def list_canaries(self, caller: Caller) -> list[Canary]:
        """Who lets their face be attacked."""
        return self._gauge.canaries(caller)

    @needs(Permission.ADMIN)
    def add_canary(
        self,
        caller: Caller,
        *,
        name: Annotated[str, Form()],
        consent: Annotated[str, Form()],
        until: Annotated[dt.date, Form()],
        photos: Annotated[list[UploadFile], File()],
    ) -> Canary:
        """Take somebody in: of each photograph only the face is kept, until the day `until`, UTC."""
        given = [Given(upload.name, upload.data) for upload in self._limits.take(photos)]
        return self._gauge.add(caller, name, consent, until, given)

    @needs(Permission.ADMIN)
    def show_canary(self, caller: Caller, canary_id: str) -> Canary:
        """One of them."""
        return self._gauge.canary(caller, canary_id)

    @needs(Permission.ADMIN)
    def show_canary_photo(self, caller: Caller, canary_id: str, photo_id: str) -> Response:
        """A kept face, PNG of 112x112."""
        return Response(self._gauge.photo(caller, canary_id, photo_id), media_type="image/png")

    @needs(Permission.ADMIN)
    def remove_canary(self, caller: Caller, canary_id: str) -> None:
        """Delete somebody and all their faces."""
        self._gauge.remove(caller, canary_id)

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["robustness"], prefix="/gauge")
        router.get("")(self.show_gauge)
        router.get("/history")(self.show_gauge_history)
        router.post("/run", status_code=202)(self.measure)
        router.get("/canaries")(self.list_canaries)
        router.post("/canaries", max_body_size=self._limits.body_bytes)(self.add_canary)
        router.get("/canaries/{canary_id}")(self.show_canary)
        router.delete("/canaries/{canary_id}", status_code=204)(self.remove_canary)
        router.get(
            "/canaries/{canary_id}/photos/{photo_id}", response_class=Response, responses=brings("image/png")
        )(self.show_canary_photo)
        return router
