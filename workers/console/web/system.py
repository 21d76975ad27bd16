"""What machines ask: whether the console is well, and what its API looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from pipeline.errors import PinwatchError
from workers.console.access.roles import Permission
from workers.console.web.guard import guarded_router, needs
from workers.console.web.headers import HEALTH


class SystemRoutes:
    """Both are open to anyone, and hold no data.

    Args:
        check: Raises ``PinwatchError`` where the database cannot be read.
    """

    def __init__(self, check: Callable[[], object]) -> None:
        self._check = check

    @needs(Permission.ANYONE)
    def health(self) -> JSONResponse:
        """Whether the console can answer: 200, or 503."""
        try:
            self._check()
        except PinwatchError:
            return JSONResponse({"well": False}, 503)
        return JSONResponse({"well": True})

    @needs(Permission.ANYONE)
    def schema(self, request: Request) -> JSONResponse:
        """Every route, with the permission that it needs as ``x-permission``."""
        schema: dict[str, Any] = request.app.openapi()
        return JSONResponse(schema)

    def router(self) -> APIRouter:
        """Both."""
        router = guarded_router(tags=["system"])
        router.get(HEALTH)(self.health)
        router.get("/openapi.json")(self.schema)
        return router
