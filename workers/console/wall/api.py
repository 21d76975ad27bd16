"""The same for programs: ``/api/v1/cameras/live``, and a picture of a camera."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from workers.console.access.roles import Permission
from workers.console.wall.pages import Width, still_of
from workers.console.wall.service import Wall
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.problems import brings


@dataclass(frozen=True, slots=True)
class LiveCamera:
    """How a camera is, since when (nanoseconds since 1970 UTC), and why."""

    camera: str
    state: str
    since_ns: int
    detail: str


@dataclass(frozen=True, slots=True)
class LiveCameras:
    """The cameras that the caller sees."""

    cameras: list[LiveCamera]


class WallApi:
    """Live cameras, for programs; pictures as they come and events are on the socket ``/live/socket``.

    Args:
        wall: What is shown.
    """

    def __init__(self, wall: Wall) -> None:
        self._wall = wall

    @needs(Permission.READ_LIVE)
    def cameras(self, caller: Caller) -> LiveCameras:
        """How the cameras are."""
        found = self._wall.cameras(caller)
        return LiveCameras(
            [LiveCamera(one.camera_id, one.state.value, one.since_ns, one.detail) for one in found]
        )

    @needs(Permission.READ_LIVE)
    async def still(self, caller: Caller, camera_id: str, width: Width = 640) -> Response:
        """The next picture of a camera, as JPEG."""
        return await still_of(self._wall, caller, camera_id, width)

    def router(self) -> APIRouter:
        """Both."""
        router = guarded_router(tags=["live"], prefix="/cameras")
        router.get("/live")(self.cameras)
        router.get("/{camera_id}/still", response_class=Response, responses=brings("image/jpeg"))(self.still)
        return router
