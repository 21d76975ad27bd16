"""What administrators do with cameras, for pages and API alike: recorded, and before it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from pipeline.errors import SourceNotFound, UsageError
from pipeline.redact import redact
from workers.camera_file import cameras_in
from workers.camera_settings import Camera, make_camera
from workers.cameras import CameraStore, ImportReport
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.cameras.changes import changes, in_words
from workers.console.cameras.pictures import CameraPictures, Tried
from workers.console.cameras.secrets import with_secrets
from workers.console.health.status import CameraStatus, PipelineStatus


@dataclass(frozen=True, slots=True)
class CameraFound:
    """A camera, and how it is; ``None`` where nothing is known of that.

    Attributes:
        camera: Its settings; these hold credentials, which :meth:`Camera.shown` hides.
        status: Whether it is being watched.
    """

    camera: Camera
    status: CameraStatus | None

    def as_record(self) -> dict[str, Any]:
        """For programs, without credentials."""
        return {**self.camera.shown(), "status": None if self.status is None else self.status.as_record()}


class ConsoleCameras:
    """The cameras that a user sees.

    Args:
        store: Keeps them.
        pictures: Tries them.
        pipeline: Knows how they are.
        record: Told of every change, and of every picture.
        now_ns: Wall-clock time.
    """

    def __init__(
        self,
        store: CameraStore,
        pictures: CameraPictures,
        pipeline: PipelineStatus,
        record: RecordAccess,
        now_ns: Callable[[], int],
    ) -> None:
        self._store, self._pictures, self._pipeline = store, pictures, pipeline
        self._record, self._now_ns = record, now_ns

    def all(self, principal: Principal) -> list[CameraFound]:
        """By name."""
        status = {one.camera_id: one for one in self._pipeline.cameras()}
        seen = [camera for camera in self._store.list() if principal.sees(camera.name)]
        return [CameraFound(camera, status.get(camera.name)) for camera in seen]

    def get(self, principal: Principal, name: str) -> CameraFound:
        """One of them.

        Raises:
            SourceNotFound: there is none of that name, or none that the user sees.
        """
        for found in self.all(principal):
            if found.camera.name == name:
                return found
        raise SourceNotFound("there is no such camera, or none that you may see")

    def add(self, principal: Principal, settings: Mapping[str, Any]) -> Camera:
        """Save a new one.

        Raises:
            UsageError: the name is taken.
            ConfigError: a setting does not fit.
        """
        camera = make_camera(with_secrets(settings, None))
        if camera.name in self._store.names():
            raise UsageError(f"there is a camera {camera.name} already: choose another name")
        self._record(principal.who, f"camera {camera.name} to be added: {in_words(camera)}", ())
        self._store.add(camera, self._now_ns())
        return camera

    def change(self, principal: Principal, name: str, settings: Mapping[str, Any]) -> Camera:
        """Change the settings that are given; the others stay.

        Raises:
            SourceNotFound: see :meth:`get`.
            UsageError: the name was to be changed: sightings and footage carry it.
            ConfigError: a setting does not fit.
        """
        before = self.get(principal, name).camera
        if settings.get("name", name) != name:
            raise UsageError("a camera keeps its name, which its sightings and footage carry")
        after = make_camera({**dict(before), **with_secrets(settings, before)})
        told = changes(before, after)
        if told:
            self._record(principal.who, f"camera {name} to be changed: {'; '.join(told)}", ())
            self._store.add(after, self._now_ns(), replace=True)
        return after

    def remove(self, principal: Principal, name: str) -> None:
        """Forget one; its sightings and footage stay. Raises ``SourceNotFound``."""
        before = self.get(principal, name).camera
        self._record(principal.who, f"camera {name} to be removed: {in_words(before)}", ())
        self._store.remove(name)

    def test(self, principal: Principal, name: str) -> Tried:
        """Connect, and say what it sends. Raises ``SourceNotFound``."""
        camera = self.get(principal, name).camera
        self._record(principal.who, f"camera {name} tested", ())
        return self._pictures.test(camera)

    def picture(self, principal: Principal, name: str, *, masked: bool) -> bytes:
        """A current picture, as JPEG.

        Raises:
            SourceNotFound: see :meth:`get`; SourceError: the camera gives no picture.
        """
        camera = self.get(principal, name).camera
        how = "" if masked else " without its privacy masks"
        self._record(principal.who, f"picture of camera {name} shown{how}", ())
        return self._pictures.picture(camera, masked=masked)

    def export(self, principal: Principal) -> str:
        """YAML of all cameras that the user sees, without credentials."""
        cameras = [found.camera.shown() for found in self.all(principal)]
        self._record(principal.who, f"{len(cameras)} cameras exported, without credentials", ())
        return yaml.safe_dump({"cameras": cameras}, allow_unicode=True, sort_keys=False)

    def import_(self, principal: Principal, text: str) -> ImportReport:
        """Save all cameras of such a YAML, or none; addresses that were not touched keep their credentials.

        Raises:
            ConfigError: anything in it is wrong.
        """
        before = {camera.name: camera for camera in self._store.list()}
        cameras = cameras_in(text, lambda settings: _completed(settings, before))
        told = [line for camera in cameras for line in _told(before.get(camera.name), camera)]
        if told:
            self._record(principal.who, f"cameras to be imported: {' | '.join(told)}", ())
        return self._store.add_all(cameras, self._now_ns())


def _completed(settings: object, before: Mapping[str, Camera]) -> object:
    if not isinstance(settings, Mapping):
        return settings
    name = settings.get("name")
    return with_secrets(settings, before.get(name) if isinstance(name, str) else None)


def _told(before: Camera | None, after: Camera) -> Sequence[str]:
    if before is None:
        return [f"{after.name} added: {in_words(after)}"]
    told = changes(before, after)
    return [f"{redact(after.name)} changed: {'; '.join(told)}"] if told else []
