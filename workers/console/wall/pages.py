"""The wall as a page, and a picture of each camera for browsers that run no scripts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException

from audit.search.sightings import SightingFilter
from workers.console.access.principal import Principal
from workers.console.access.roles import Permission
from workers.console.sightings.service import Sightings, SightingsPage
from workers.console.wall.service import Wall
from workers.console.wall.socket import SocketRoute
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages
from workers.live.tiles import WIDTHS

LATEST = 15
NO_PICTURE = "there is no such camera, or none that you may see, or it shows nothing at the moment"

Cameras = Annotated[list[str], Query(max_length=64)]
Width = Annotated[int, Query(description=f"px: {', '.join(map(str, WIDTHS))}")]


class WallPages:
    """The wall.

    Args:
        wall: What is shown.
        sightings: Who was seen before the page was opened.
        pages: Draws.
        socket: What the page listens to.
    """

    def __init__(self, wall: Wall, sightings: Sightings, pages: Pages, socket: SocketRoute) -> None:
        self._wall, self._sightings, self._pages, self._socket = wall, sightings, pages, socket

    @needs(Permission.READ_LIVE)
    def show(self, request: Request, caller: Caller, camera: Cameras = []) -> Response:  # noqa: B006
        """All cameras, or those of the address."""
        after = self._wall.hub.last  # before anything is read: what happens from here on comes as events
        cameras = self._wall.cameras(caller)
        chosen = [one for one in cameras if not camera or one.camera_id in camera]
        return self._pages.page(
            request,
            "wall.html",
            after=after,
            cameras=cameras,
            chosen=chosen,
            wanted=camera,
            found=self._latest(caller),
            needed=Permission,
        )

    def _latest(self, caller: Principal) -> SightingsPage:
        if not caller.may(Permission.READ_SIGHTINGS):
            return SightingsPage((), {}, None)
        return self._sightings.page(caller, SightingFilter(), limit=LATEST)

    @needs(Permission.READ_LIVE)
    async def still(self, caller: Caller, camera_id: str, width: Width = 640) -> Response:
        """The next picture of a camera, as JPEG."""
        return await still_of(self._wall, caller, camera_id, width)

    def router(self) -> APIRouter:
        """Page, pictures and socket."""
        router = guarded_router(tags=["pages: live"], prefix="/live", default_response_class=Response)
        router.get("")(self.show)
        router.get("/cameras/{camera_id}/still")(self.still)
        router.guarded_socket("/socket", self._socket.watch)
        return router


async def still_of(wall: Wall, caller: Principal, camera_id: str, width_px: int) -> Response:
    """A picture, for pages and API alike.

    Raises:
        HTTPException: 422, there is no such width; 404, no such camera or no picture.
    """
    if width_px not in WIDTHS:
        raise HTTPException(422, f"a picture is {', '.join(map(str, WIDTHS))} px wide")
    tile = await wall.still(caller, camera_id, width_px)
    if tile is None:
        raise HTTPException(404, NO_PICTURE)
    return Response(tile.jpeg, media_type="image/jpeg")
