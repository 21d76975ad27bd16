"""Groups of unknown people as far as a user sees them: only their tracks of cameras that the user sees."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from audit.unknowns.records import GroupState
from gallery.database import Database
from gallery.rows import key_of
from gallery.tables import sighting_faces, unknown_groups
from pipeline.types import TemplateKey
from workers.console.access.principal import Principal

_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class SeenMember:
    """A track of a group, of a camera that the user sees.

    Attributes:
        decision_id: Of the decision that ended it.
        camera_id: By which camera.
        last_seen_at: ISO 8601 UTC, ``None`` where wall time is not known.
        quality: Of its best picture, 0..1.
        link: How alike it was to the group when it joined, -1..1; ``None`` for who came first, and after a
            person put it there.
    """

    decision_id: str
    camera_id: str
    last_seen_at: str | None
    quality: float
    link: float | None


@dataclass(frozen=True, slots=True)
class SeenGroup:
    """A group with what its tracks that the user sees add up to.

    Attributes:
        id: Opaque.
        label: What a person called it.
        state: What a person decided.
        subject_id: Who it is, if it is assigned.
        size: How many tracks the user sees of it.
        cameras: By which cameras.
        first_seen_at: ISO 8601 UTC, ``None`` where no track has wall time.
        last_seen_at: Likewise.
        cover: The decision with the best picture.
    """

    id: str
    label: str | None
    state: GroupState
    subject_id: str | None
    size: int
    cameras: tuple[str, ...]
    first_seen_at: str | None
    last_seen_at: str | None
    cover: str


class VisibleGroups:
    """Finds groups.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        principal: Principal,
        states: Collection[GroupState] = (),
        cameras: Collection[str] = (),
        start: int = 0,
        limit: int = 50,
    ) -> list[SeenGroup]:
        """Groups that the user sees a track of, the one seen last first; empty `states`, `cameras`: any."""
        wanted = [unknown_groups.c.state.in_(sorted(states))] if states else []
        chosen = sorted(camera for camera in set(cameras) if principal.sees(camera))
        if cameras:
            wanted.append(sighting_faces.c.camera_id.in_(chosen))
        with self._database.read() as connection:
            query = _sums([*wanted, *_seen_by(principal)]).limit(limit).offset(start)
            return _filled(connection, principal, connection.execute(query).all())

    def get(self, principal: Principal, group_id: str) -> SeenGroup | None:
        """One group, also by the id of one that was merged into it."""
        with self._database.read() as connection:
            led = select(unknown_groups.c.merged_into).where(unknown_groups.c.id == group_id)
            live = connection.execute(led).scalar() or group_id
            query = _sums([unknown_groups.c.id == live, *_seen_by(principal)])
            found = _filled(connection, principal, connection.execute(query).all())
        return found[0] if found else None

    def members(self, principal: Principal, group_id: str) -> list[SeenMember]:
        """Tracks of a group, the newest first."""
        faces = sighting_faces.c
        columns = (faces.decision_id, faces.camera_id, faces.last_seen_at, faces.quality, faces.link)
        query = select(*columns).where(faces.group_id == group_id, *_seen_by(principal))
        order = (func.coalesce(faces.last_seen_at, "").desc(), faces.decision_id)
        with self._database.read() as connection:
            return [SeenMember(*row) for row in connection.execute(query.order_by(*order))]

    def key_of(self, decision_id: str) -> TemplateKey | None:
        """What made the face of a track."""
        query = select(sighting_faces).where(sighting_faces.c.decision_id == decision_id)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else key_of(row)

    def of_decision(self, principal: Principal, decision_id: str) -> SeenGroup | None:
        """The group that the track of a decision is in; it is in one by the decision that ended it."""
        query = select(sighting_faces.c.group_id).where(sighting_faces.c.decision_id == decision_id)
        with self._database.read() as connection:
            group_id = connection.execute(query).scalar()
        return None if group_id is None else self.get(principal, group_id)


def _seen_by(principal: Principal) -> list[ColumnElement[bool]]:
    if principal.cameras is None:
        return []
    return [sighting_faces.c.camera_id.in_(sorted(principal.cameras))]


def _sums(wanted: Collection[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    """A group a row, whose tracks fit."""
    seen = sighting_faces.c.last_seen_at
    own = (unknown_groups.c.id, unknown_groups.c.label, unknown_groups.c.state, unknown_groups.c.subject_id)
    sums = (func.count().label("size"), func.min(seen).label("first"), func.max(seen).label("last"))
    joined = unknown_groups.join(sighting_faces, sighting_faces.c.group_id == unknown_groups.c.id)
    query = select(*own, *sums).select_from(joined).where(*wanted).group_by(*own)
    return query.order_by(func.coalesce(func.max(seen), "").desc(), unknown_groups.c.id)


def _filled(connection: Connection, principal: Principal, rows: Collection[Any]) -> list[SeenGroup]:
    """With cameras and the best picture, asked for these groups alone."""
    covers, cameras = _tracks(connection, principal, [row.id for row in rows])
    return [
        SeenGroup(
            id=row.id,
            label=row.label,
            state=GroupState(row.state),
            subject_id=row.subject_id,
            size=row.size,
            cameras=tuple(sorted(cameras[row.id])),
            first_seen_at=row.first,
            last_seen_at=row.last,
            cover=covers[row.id],
        )
        for row in rows
    ]


def _tracks(
    connection: Connection, principal: Principal, group_ids: list[str]
) -> tuple[dict[str, str], dict[str, set[str]]]:
    """The decision with the best picture, and the cameras, of each group."""
    faces = sighting_faces.c
    covers: dict[str, str] = {}
    cameras: dict[str, set[str]] = {}
    for start in range(0, len(group_ids), _IDS_AT_ONCE):
        own = faces.group_id.in_(group_ids[start : start + _IDS_AT_ONCE])
        query = select(faces.group_id, faces.camera_id, faces.decision_id).where(own, *_seen_by(principal))
        for row in connection.execute(query.order_by(faces.quality.desc(), faces.decision_id)):
            covers.setdefault(row.group_id, row.decision_id)
            cameras.setdefault(row.group_id, set()).add(row.camera_id)
    return covers, cameras
