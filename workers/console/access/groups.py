"""Groups of cameras: which cameras a user sees."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from gallery.database import Database
from gallery.names import MAX_LENGTH, clean_name
from gallery.store import random_id
from gallery.tables import cameras, console_group_cameras, console_groups, console_user_groups, sightings
from pipeline.errors import UsageError


@dataclass(frozen=True, slots=True)
class CameraGroup:
    """Cameras that are seen together, by name."""

    id: str
    name: str
    cameras: tuple[str, ...]


class CameraGroups:
    """All groups. Every method is one transaction.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[CameraGroup]:
        """Every group, by name."""
        query = select(console_groups).order_by(console_groups.c.name)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
            return [
                CameraGroup(row["group_id"], row["name"], _cameras(connection, row["group_id"]))
                for row in rows
            ]

    def visible(self, user_id: str) -> frozenset[str]:
        """The cameras of all groups of a user."""
        mine = console_user_groups.c.user_id == user_id
        query = select(console_group_cameras.c.camera_id).join(
            console_user_groups, console_user_groups.c.group_id == console_group_cameras.c.group_id
        )
        with self._database.read() as connection:
            return frozenset(connection.execute(query.where(mine)).scalars())

    def known_cameras(self) -> list[str]:
        """Every camera that is set up, or that anybody was ever seen by."""
        both = select(cameras.c.name).union(select(sightings.c.camera_id))
        with self._database.read() as connection:
            return sorted(connection.execute(both).scalars())

    def add(self, name: str, of_cameras: Collection[str]) -> CameraGroup:
        """Raises ``UsageError`` where the name cannot be one or is taken."""
        with self._database.write() as connection:
            name = _free_name(connection, name, None)
            group_id = random_id()
            connection.execute(insert(console_groups).values(group_id=group_id, name=name))
            return CameraGroup(group_id, name, _set_cameras(connection, group_id, of_cameras))

    def change(self, group_id: str, name: str, of_cameras: Collection[str]) -> CameraGroup:
        """Raises ``UsageError`` as :meth:`add`, and where there is no such group."""
        with self._database.write() as connection:
            name = _free_name(connection, name, group_id)
            mine = console_groups.c.group_id == group_id
            if not connection.execute(update(console_groups).where(mine).values(name=name)).rowcount:
                raise UsageError("there is no such group of cameras")
            return CameraGroup(group_id, name, _set_cameras(connection, group_id, of_cameras))

    def remove(self, group_id: str) -> None:
        """Nobody sees its cameras by it any more. Raises ``UsageError`` where there is no such group."""
        with self._database.write() as connection:
            for table in (console_user_groups, console_group_cameras):
                connection.execute(delete(table).where(table.c.group_id == group_id))
            if not connection.execute(
                delete(console_groups).where(console_groups.c.group_id == group_id)
            ).rowcount:
                raise UsageError("there is no such group of cameras")


def _free_name(connection: Connection, name: str, group_id: str | None) -> str:
    name = clean_name(name, "group of cameras")
    same = func.lower(console_groups.c.name) == func.lower(name)
    holder = connection.execute(select(console_groups.c.group_id).where(same)).scalar()
    if holder not in (None, group_id):
        raise UsageError(f"there is a group of cameras called {name!r} already")
    return name


def _set_cameras(connection: Connection, group_id: str, of_cameras: Collection[str]) -> tuple[str, ...]:
    chosen = tuple(sorted(set(of_cameras)))
    if any(not 0 < len(camera) <= MAX_LENGTH for camera in chosen):
        raise UsageError(f"a camera's name has 1 to {MAX_LENGTH} characters")
    mine = console_group_cameras.c.group_id == group_id
    connection.execute(delete(console_group_cameras).where(mine))
    for camera_id in chosen:
        connection.execute(insert(console_group_cameras).values(group_id=group_id, camera_id=camera_id))
    return chosen


def _cameras(connection: Connection, group_id: str) -> tuple[str, ...]:
    mine = console_group_cameras.c.group_id == group_id
    query = select(console_group_cameras.c.camera_id).where(mine)
    return tuple(sorted(connection.execute(query).scalars()))
