"""Pages about cameras."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import Response

from pipeline.sources.options import Transport
from workers.cameras import ImportReport
from workers.console.access.principal import Principal
from workers.console.access.roles import Permission
from workers.console.cameras.answers import answered, picture_of, text_of, yaml_of
from workers.console.cameras.areas import areas_of, as_text, one_area
from workers.console.cameras.forms import Sent
from workers.console.cameras.pictures import Tried
from workers.console.cameras.secrets import shown_address
from workers.console.cameras.service import ConsoleCameras
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to


class CameraPages:
    """The list, one camera, and what nobody may see of it.

    Args:
        cameras: Does it.
        pages: Draws.
    """

    def __init__(self, cameras: ConsoleCameras, pages: Pages) -> None:
        self._cameras, self._pages = cameras, pages

    @needs(Permission.READ_CAMERAS)
    def show_all(self, request: Request, caller: Caller) -> Response:
        """Every camera, and how it is."""
        return self._list(request, caller)

    def _list(self, request: Request, caller: Principal, report: ImportReport | None = None) -> Response:
        found = self._cameras.all(caller)
        return self._pages.page(request, "cameras.html", found=found, report=report, transports=Transport)

    @needs(Permission.READ_CAMERAS)
    def show(self, request: Request, caller: Caller, name: str) -> Response:
        """One camera and its settings."""
        return self._one(request, caller, name)

    def _one(self, request: Request, caller: Principal, name: str, tried: Tried | None = None) -> Response:
        found = answered(lambda: self._cameras.get(caller, name))
        camera = found.camera
        return self._pages.page(
            request,
            "camera.html",
            found=found,
            camera=camera,
            address=shown_address(camera.address),
            substream="" if camera.substream is None else shown_address(camera.substream),
            tried=tried,
            transports=Transport,
        )

    @needs(Permission.WRITE_CAMERAS)
    def add(self, caller: Caller, name: Annotated[str, Form()], sent: Sent) -> Response:
        """A camera more."""
        added = self._cameras.add(caller, {"name": name.strip(), **sent.settings()})
        return go_to(f"/cameras/{added.name}")

    @needs(Permission.WRITE_CAMERAS)
    def change(self, caller: Caller, name: str, sent: Sent) -> Response:
        """Other settings."""
        answered(lambda: self._cameras.change(caller, name, sent.settings()))
        return go_to(f"/cameras/{name}")

    @needs(Permission.WRITE_CAMERAS)
    def test(self, request: Request, caller: Caller, name: str) -> Response:
        """Connect, and show what it sends."""
        return self._one(request, caller, name, answered(lambda: self._cameras.test(caller, name)))

    @needs(Permission.WRITE_CAMERAS)
    def switch(self, caller: Caller, name: str, enabled: Annotated[bool, Form()]) -> Response:
        """Watch it, or do not."""
        answered(lambda: self._cameras.change(caller, name, {"enabled": enabled}))
        return go_to(f"/cameras/{name}")

    @needs(Permission.WRITE_CAMERAS)
    def remove(self, caller: Caller, name: str) -> Response:
        """A camera fewer."""
        answered(lambda: self._cameras.remove(caller, name))
        return go_to("/cameras")

    @needs(Permission.WRITE_CAMERAS)
    def edit_masks(self, request: Request, caller: Caller, name: str) -> Response:
        """A picture to draw on."""
        camera = answered(lambda: self._cameras.get(caller, name)).camera
        region = [] if camera.region_of_interest is None else [camera.region_of_interest]
        return self._pages.page(
            request,
            "masks.html",
            camera=camera,
            masks=as_text(camera.privacy_masks),
            region=as_text(region),
        )

    @needs(Permission.WRITE_CAMERAS)
    def save_masks(
        self,
        caller: Caller,
        name: str,
        masks: Annotated[str, Form()] = "",
        region: Annotated[str, Form()] = "",
    ) -> Response:
        """What was drawn, in force from now on."""
        settings = {"privacy_masks": areas_of(masks), "region_of_interest": one_area(region)}
        answered(lambda: self._cameras.change(caller, name, settings))
        return go_to(f"/cameras/{name}")

    @needs(Permission.WRITE_CAMERAS)
    def picture(self, caller: Caller, name: str) -> Response:
        """As everybody sees it."""
        return picture_of(self._cameras, caller, name, masked=True)

    @needs(Permission.WRITE_CAMERAS)
    def unmasked(self, caller: Caller, name: str) -> Response:
        """To draw masks on."""
        return picture_of(self._cameras, caller, name, masked=False)

    @needs(Permission.READ_CAMERAS)
    def export(self, caller: Caller) -> Response:
        """All cameras as a file, without credentials."""
        return yaml_of(self._cameras.export(caller))

    @needs(Permission.WRITE_CAMERAS)
    def import_(self, request: Request, caller: Caller, file: Annotated[UploadFile, File()]) -> Response:
        """The cameras of such a file."""
        report = self._cameras.import_(caller, text_of(file))
        return self._list(request, caller, report)

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["pages: cameras"], default_response_class=Response)
        router.get("/cameras")(self.show_all)
        router.post("/cameras")(self.add)
        router.get("/cameras.yaml")(self.export)
        router.post("/cameras.yaml")(self.import_)
        router.get("/cameras/{name}")(self.show)
        router.post("/cameras/{name}")(self.change)
        router.post("/cameras/{name}/test")(self.test)
        router.post("/cameras/{name}/enabled")(self.switch)
        router.post("/cameras/{name}/remove")(self.remove)
        router.get("/cameras/{name}/masks")(self.edit_masks)
        router.post("/cameras/{name}/masks")(self.save_masks)
        router.get("/cameras/{name}/picture")(self.picture)
        router.get("/cameras/{name}/unmasked")(self.unmasked)
        return router
