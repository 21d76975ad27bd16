"""Footage for pages and programs: one clip an address, in as many pieces as a player likes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from starlette.responses import FileResponse, Response

from workers.console.access.roles import Permission
from workers.console.footage.service import FootageClips
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.problems import brings

Epoch = Annotated[int, PathParameter(ge=0, lt=2**63)]
From = Annotated[float, Query(alias="from", ge=0, le=1e9, allow_inf_nan=False)]
To = Annotated[float, Query(alias="to", ge=0, le=1e9, allow_inf_nan=False)]


class FootageRoutes:
    """Clips.

    Args:
        clips: Makes them.
    """

    def __init__(self, clips: FootageClips) -> None:
        self._clips = clips

    @needs(Permission.READ_FOOTAGE)
    def clip(self, caller: Caller, camera: str, epoch: Epoch, first_s: From, last_s: To) -> Response:
        """An MP4 of what a camera filmed, from one time of its epoch to another, in seconds."""
        path = self._clips.clip(caller, camera, epoch, first_s, last_s)
        return FileResponse(path, media_type="video/mp4", headers={"cache-control": "private, no-store"})

    def pages(self) -> APIRouter:
        """For pages."""
        return self._router("pages: footage")

    def api(self) -> APIRouter:
        """For programs."""
        return self._router("footage")

    def _router(self, tag: str) -> APIRouter:
        router = guarded_router(tags=[tag], prefix="/footage")
        router.get("/{camera:path}/{epoch}", response_class=Response, responses=brings("video/mp4"))(
            self.clip
        )
        return router
