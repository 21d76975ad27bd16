"""What is kept of whom, for users, and for the door."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from workers.console.access.groups import CameraGroups
from workers.console.access.principal import Principal
from workers.console.access.roles import Permission
from workers.console.privacy.retention import Retention
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages


class PrivacyPages:
    """Both pages; of the cameras that the user sees.

    Args:
        retention: What the settings say.
        groups: Know the cameras.
        pages: Draws.
    """

    def __init__(self, retention: Retention, groups: CameraGroups, pages: Pages) -> None:
        self._retention, self._groups, self._pages = retention, groups, pages

    @needs(Permission.SIGNED_IN)
    def show(self, request: Request, caller: Caller) -> Response:
        """What is kept of whom, for how long, and how it is erased."""
        return self._pages.page(request, "privacy.html", **self._values(caller))

    @needs(Permission.SIGNED_IN)
    def notice(self, request: Request, caller: Caller, camera: str = "") -> Response:
        """To be printed: for one camera, or for all."""
        values = self._values(caller)
        chosen = [one for one in values["notices"] if not camera or one.camera_id == camera]
        return self._pages.page(request, "privacy_notice.html", **{**values, "notices": chosen})

    def _values(self, caller: Principal) -> dict[str, Any]:
        cameras = [name for name in self._groups.known_cameras() if caller.sees(name)]
        return {
            "notices": self._retention.notices(cameras),
            "privacy": self._retention.privacy,
            "audit": self._retention.audit,
        }

    def router(self) -> APIRouter:
        """Both."""
        router = guarded_router(tags=["pages: privacy"], default_response_class=Response)
        router.get("/privacy")(self.show)
        router.get("/privacy/notice")(self.notice)
        return router
