"""Saved cameras: the table that keeps them, and the counter of their stream epochs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import SourceNotFound, UsageError
from pipeline.redact import redact
from workers.camera_settings import REVEAL, Camera, make_camera

if TYPE_CHECKING:
    from gallery.database import Database

__all__ = ["Camera", "CameraStore", "ImportReport"]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, by the cameras' names."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


class CameraStore:
    """The cameras in the database, and the epochs of all live sources.

    Args:
        database: Where the tables are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def names(self) -> list[str]:
        """All names, sorted."""
        return [camera.name for camera in self.list()]

    def list(self) -> list[Camera]:
        """All cameras, by name."""
        from sqlalchemy import select

        from gallery.tables import cameras

        with self._database.read() as connection:
            rows = connection.execute(
                select(cameras.c.name, cameras.c.settings).order_by(cameras.c.name)
            ).all()
        return [_from_row(name, settings) for name, settings in rows]

    def get(self, name: str) -> Camera:
        """The camera of that name.

        Raises:
            SourceNotFound: there is none.
        """
        for camera in self.list():
            if camera.name == name:
                return camera
        raise SourceNotFound(_no_camera(name, self.names()))

    def add(self, camera: Camera, now_ns: int, *, replace: bool = False) -> None:
        """Save `camera`.

        Raises:
            UsageError: the name is taken and `replace` is not set.
        """
        if not replace and camera.name in self.names():
            raise UsageError(f"there is a camera {camera.name} already; --replace changes it")
        self.add_all([camera], now_ns)

    def add_all(self, wanted: Sequence[Camera], now_ns: int) -> ImportReport:
        """Save all of `wanted` in one transaction; those of the same name are replaced."""
        from sqlalchemy import delete, insert

        from gallery.tables import cameras
        from gallery.times import utc_text_from_ns

        before = {camera.name: camera for camera in self.list()}
        unchanged = [camera for camera in wanted if before.get(camera.name) == camera]
        rows = [
            {"name": camera.name, "settings": _to_text(camera), "created_at": utc_text_from_ns(now_ns)}
            for camera in wanted
            if camera not in unchanged
        ]
        if rows:
            with self._database.write() as connection:
                names = [row["name"] for row in rows]
                connection.execute(delete(cameras).where(cameras.c.name.in_(names)))
                connection.execute(insert(cameras), rows)
        return _report(before, wanted, unchanged)

    def remove(self, name: str) -> None:
        """Forget the camera. Its epochs are kept: a camera of that name must not repeat them.

        Raises:
            SourceNotFound: there is none.
        """
        from sqlalchemy import delete

        from gallery.tables import cameras

        with self._database.write() as connection:
            gone = connection.execute(delete(cameras).where(cameras.c.name == name)).rowcount
        if not gone:
            raise SourceNotFound(_no_camera(name, self.names()))

    def next_epoch(self, camera_id: str) -> int:
        """Raise the stream epoch of `camera_id` and return it: 1, 2, 3 ... over all processes.

        Raises:
            GalleryBusy: another process holds the database for too long.
        """
        from sqlalchemy import update

        from gallery.database import insert_new
        from gallery.tables import stream_epochs

        of_camera = stream_epochs.c.camera_id == camera_id
        raised = update(stream_epochs).where(of_camera).values(epoch=stream_epochs.c.epoch + 1)
        with self._database.write() as connection:
            insert_new(connection, stream_epochs, camera_id=camera_id, epoch=0)
            return int(connection.execute(raised.returning(stream_epochs.c.epoch)).scalar_one())


def _report(before: dict[str, Camera], wanted: Sequence[Camera], unchanged: Sequence[Camera]) -> ImportReport:
    same = {camera.name for camera in unchanged}
    names = [camera.name for camera in wanted]
    return ImportReport(
        added=tuple(name for name in names if name not in before),
        changed=tuple(name for name in names if name in before and name not in same),
        unchanged=tuple(name for name in names if name in same),
    )


def _to_text(camera: Camera) -> str:
    return json.dumps(camera.model_dump(mode="json", context=REVEAL), ensure_ascii=False)


def _from_row(name: str, settings: str) -> Camera:
    return make_camera(json.loads(settings), f"camera {name} in the database")


def _no_camera(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else "`pinwatch cameras list` shows all"
    return f"there is no camera {redact(name)!r}; {hint}"
