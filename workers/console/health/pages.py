"""The page about health."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from workers.console.access.roles import Permission
from workers.console.health.service import Health
from workers.console.health.verdict import verdict
from workers.console.health.words import tables
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages


class HealthPages:
    """One page.

    Args:
        health: Looks.
        pages: Draws.
    """

    def __init__(self, health: Health, pages: Pages) -> None:
        self._health, self._pages = health, pages

    @needs(Permission.READ_HEALTH)
    def show(self, request: Request, caller: Caller) -> Response:
        """Whether all is well, and everything that says so."""
        report = self._health.look(caller)
        return self._pages.page(
            request,
            "health.html",
            at=report.at,
            verdict=verdict(report),
            tables=tables(report, self._pages.zone.show),
        )

    def router(self) -> APIRouter:
        """Its only route."""
        router = guarded_router(tags=["pages: health"], default_response_class=Response)
        router.get("/health")(self.show)
        return router
