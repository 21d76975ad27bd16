"""The same for programs: ``/api/v1/cameras``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, File, UploadFile
from starlette.responses import Response

from workers.console.access.roles import Permission
from workers.console.cameras.answers import answered, picture_of, text_of, yaml_of
from workers.console.cameras.pictures import Tried
from workers.console.cameras.service import ConsoleCameras
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.problems import brings

Settings = Annotated[
    dict[str, Any],
    Body(
        description="name, address, transport, substream, rate_limit_hz, region_of_interest, privacy_masks, "
        "clock_offset_s, enabled, purpose: as in a file of cameras",
        examples=[{"name": "gate", "address": "rtsp://USER:PASSWORD@10.0.0.7/main"}],
    ),
]


class CamerasApi:
    """Cameras, for programs. No answer holds credentials.

    Args:
        cameras: Does it.
    """

    def __init__(self, cameras: ConsoleCameras) -> None:
        self._cameras = cameras

    @needs(Permission.READ_CAMERAS)
    def list_cameras(self, caller: Caller) -> list[dict[str, Any]]:
        """Every camera with its settings, and how it is."""
        return [found.as_record() for found in self._cameras.all(caller)]

    @needs(Permission.WRITE_CAMERAS)
    def add_camera(self, caller: Caller, settings: Settings) -> dict[str, Any]:
        """A camera more."""
        added = self._cameras.add(caller, settings)
        return self._cameras.get(caller, added.name).as_record()

    @needs(Permission.READ_CAMERAS)
    def export_cameras(self, caller: Caller) -> Response:
        """All cameras as YAML, without credentials."""
        return yaml_of(self._cameras.export(caller))

    @needs(Permission.WRITE_CAMERAS)
    def import_cameras(self, caller: Caller, file: Annotated[UploadFile, File()]) -> dict[str, list[str]]:
        """All cameras of such a file, or none; what was not touched of an address keeps its credentials."""
        report = self._cameras.import_(caller, text_of(file))
        return {
            "added": list(report.added),
            "changed": list(report.changed),
            "unchanged": list(report.unchanged),
        }

    @needs(Permission.READ_CAMERAS)
    def show_camera(self, caller: Caller, name: str) -> dict[str, Any]:
        """One camera."""
        return answered(lambda: self._cameras.get(caller, name)).as_record()

    @needs(Permission.WRITE_CAMERAS)
    def change_camera(self, caller: Caller, name: str, settings: Settings) -> dict[str, Any]:
        """Change the settings that are given; the others stay."""
        answered(lambda: self._cameras.change(caller, name, settings))
        return answered(lambda: self._cameras.get(caller, name)).as_record()

    @needs(Permission.WRITE_CAMERAS)
    def remove_camera(self, caller: Caller, name: str) -> None:
        """Forget it; its sightings and footage stay."""
        answered(lambda: self._cameras.remove(caller, name))

    @needs(Permission.WRITE_CAMERAS)
    def test_camera(self, caller: Caller, name: str) -> Tried:
        """Connect for two seconds, and say what it sends."""
        return answered(lambda: self._cameras.test(caller, name))

    @needs(Permission.WRITE_CAMERAS)
    def show_picture(self, caller: Caller, name: str) -> Response:
        """A current picture, with its privacy masks."""
        return picture_of(self._cameras, caller, name, masked=True)

    @needs(Permission.WRITE_CAMERAS)
    def show_unmasked_picture(self, caller: Caller, name: str) -> Response:
        """A current picture without them, to draw them on."""
        return picture_of(self._cameras, caller, name, masked=False)

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["cameras"])
        router.get("/cameras")(self.list_cameras)
        router.post("/cameras", status_code=201)(self.add_camera)
        router.get("/cameras.yaml", response_class=Response, responses=brings("application/yaml"))(
            self.export_cameras
        )
        router.post("/cameras.yaml")(self.import_cameras)
        router.get("/cameras/{name}")(self.show_camera)
        router.patch("/cameras/{name}")(self.change_camera)
        router.delete("/cameras/{name}", status_code=204)(self.remove_camera)
        router.post("/cameras/{name}/test")(self.test_camera)
        router.get("/cameras/{name}/picture", response_class=Response, responses=brings("image/jpeg"))(
            self.show_picture
        )
        router.get("/cameras/{name}/unmasked", response_class=Response, responses=brings("image/jpeg"))(
            self.show_unmasked_picture
        )
        return router
