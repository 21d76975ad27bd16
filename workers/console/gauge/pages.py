"""Pages of the gauge."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import Response

from workers.canary.door import Given
from workers.canary.history import Step
from workers.canary.records import MIN_PHOTOS
from workers.console.access.roles import Permission
from workers.console.gauge.chart import chart_of
from workers.console.gauge.service import Gauge
from workers.console.people.uploads import UploadLimits
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to

DAYS = {Step.RUN: 1, Step.DAY: 90}
_HOME = "/robustness"


class GaugePages:
    """The numbers with their history, and the canaries.

    Args:
        gauge: Does it.
        limits: Of uploads.
        pages: Draws.
    """

    def __init__(self, gauge: Gauge, limits: UploadLimits, pages: Pages) -> None:
        self._gauge, self._limits, self._pages = gauge, limits, pages

    @needs(Permission.READ_HEALTH)
    def show(self, request: Request, step: Step = Step.DAY, asked: bool = False) -> Response:
        """What the defence is worth now, and how that went."""
        history = self._gauge.history(DAYS[step], step)
        return self._pages.page(
            request,
            "gauge.html",
            now=self._gauge.now(),
            history=history,
            chart=chart_of(history.points, history.marks),
            step=step,
            days=DAYS[step],
            asked=asked,
            can_ask=self._gauge.can_ask,
            admin=Permission.ADMIN,
        )

    @needs(Permission.ADMIN)
    def ask(self, caller: Caller) -> Response:
        """Measure soon."""
        self._gauge.ask(caller)
        return go_to(f"{_HOME}?asked=true")

    @needs(Permission.ADMIN)
    def canaries(self, request: Request, caller: Caller) -> Response:
        """Who lets their face be attacked, and the form that takes somebody in."""
        return self._pages.page(
            request,
            "gauge_canaries.html",
            canaries=self._gauge.canaries(caller),
            limits=self._limits,
            min_photos=MIN_PHOTOS,
        )

    @needs(Permission.ADMIN)
    def add(
        self,
        caller: Caller,
        *,
        name: Annotated[str, Form()],
        consent: Annotated[str, Form()],
        until: Annotated[dt.date, Form()],
        photos: Annotated[list[UploadFile], File()],
    ) -> Response:
        """Take somebody in."""
        given = [Given(upload.name, upload.data) for upload in self._limits.take(photos)]
        added = self._gauge.add(caller, name, consent, until, given)
        return go_to(f"{_HOME}/canaries/{added.id}")

    @needs(Permission.ADMIN)
    def canary(self, request: Request, caller: Caller, canary_id: str) -> Response:
        """One of them, with consent and faces."""
        found = self._gauge.canary(caller, canary_id)
        return self._pages.page(request, "gauge_canary.html", canary=found)

    @needs(Permission.ADMIN)
    def photo(self, caller: Caller, canary_id: str, photo_id: str) -> Response:
        """A kept face."""
        return Response(self._gauge.photo(caller, canary_id, photo_id), media_type="image/png")

    @needs(Permission.ADMIN)
    def remove(self, caller: Caller, canary_id: str) -> Response:
        """Delete somebody."""
        self._gauge.remove(caller, canary_id)
        return go_to(f"{_HOME}/canaries")

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["pages: robustness"], prefix=_HOME, default_response_class=Response)
        router.get("")(self.show)
        router.post("/run")(self.ask)
        router.get("/canaries")(self.canaries)
        router.post("/canaries", max_body_size=self._limits.body_bytes)(self.add)
        router.get("/canaries/{canary_id}")(self.canary)
        router.get("/canaries/{canary_id}/photos/{photo_id}")(self.photo)
        router.post("/canaries/{canary_id}/remove")(self.remove)
        return router
