"""Reads alerts: only as far as somebody sees the cameras."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, case, exists, false, func, or_, select

from gallery.database import Database
from gallery.tables import alert_events, alert_hits, alert_version, alerts
from gallery.times import utc_text
from workers.alerts.records import Alert, Event, Happened, Hit, State
from workers.alerts.rules import Kind, Severity

Cameras = Collection[str] | None
"""Those that somebody sees; ``None``: all."""

_HIT = ("camera_id", "first_at", "last_at", "live", "decision_id", "outcome", "similarity")
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts are wanted; what is empty lets all through.

    Attributes:
        states: How they stand.
        severities: How urgent they are.
        rule_id: Raised by this rule.
        camera_id: On evidence of this camera.
        subject_id: About this person.
        assigned_to: Id of the user who is in charge.
        since: Last seen then or later.
        until: Last seen before.
    """

    states: tuple[State, ...] = ()
    severities: tuple[Severity, ...] = ()
    rule_id: str | None = None
    camera_id: str | None = None
    subject_id: str | None = None
    assigned_to: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AlertStore:
    """Alerts to be read. Every method is one view of the database.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, wanted: AlertFilter, cameras: Cameras, start: int, limit: int) -> list[Alert]:
        """Open ones first, the most urgent first, then the newest first.

        Args:
            wanted: Which.
            cameras: Those that the user sees.
            start: How many to pass over.
            limit: At most so many.
        """
        query = select(alerts).where(*_conditions(wanted, cameras)).order_by(*_order())
        with self._database.read() as connection:
            rows = connection.execute(query.offset(start).limit(limit)).mappings().all()
            return _with_hits(connection, rows, cameras)

    def get(self, alert_id: str, cameras: Cameras) -> Alert | None:
        """The alert of that id; ``None`` where there is none, or no camera of it is seen."""
        with self._database.read() as connection:
            rows = connection.execute(select(alerts).where(alerts.c.alert_id == alert_id)).mappings().all()
            return next(iter(_with_hits(connection, rows, cameras)), None)

    def events(self, alert_id: str, cameras: Cameras) -> list[Event]:
        """What became of an alert, in order; of cameras that are not seen nothing."""
        query = select(alert_events).where(alert_events.c.alert_id == alert_id).order_by(alert_events.c.id)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        seen = [row for row in rows if _sees(cameras, row["camera_id"])]
        return [
            Event(row["at"], Happened(row["kind"]), row["by"], row["camera_id"], row["text"]) for row in seen
        ]

    def open_count(self, cameras: Cameras) -> int:
        """How many alerts wait for somebody."""
        conditions = _conditions(AlertFilter(states=(State.OPEN,)), cameras)
        query = select(func.count()).select_from(alerts).where(*conditions)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def version(self) -> int:
        """Of the newest change."""
        with self._database.read() as connection:
            return int(connection.execute(select(alert_version.c.value)).scalar_one())

    def changed_since(self, version: int, limit: int = 1000) -> list[Alert]:
        """Alerts that were changed after `version`, in order of their last change."""
        query = select(alerts).where(alerts.c.version > version).order_by(alerts.c.version).limit(limit)
        with self._database.read() as connection:
            return _with_hits(connection, connection.execute(query).mappings().all(), None)


def _sees(cameras: Cameras, camera_id: str | None) -> bool:
    return cameras is None or camera_id is None or camera_id in cameras


def _conditions(wanted: AlertFilter, cameras: Cameras) -> list[ColumnElement[bool]]:
    columns = {
        alerts.c.rule_id: wanted.rule_id,
        alerts.c.subject_id: wanted.subject_id,
        alerts.c.assigned_to: wanted.assigned_to,
    }
    found = [column == value for column, value in columns.items() if value is not None]
    if wanted.states:
        found.append(or_(*(_in_state(state) for state in wanted.states)))
    if wanted.severities:
        found.append(alerts.c.severity.in_(wanted.severities))
    if wanted.since is not None:
        found.append(alerts.c.last_at >= utc_text(wanted.since))
    if wanted.until is not None:
        found.append(alerts.c.last_at < utc_text(wanted.until))
    if cameras is not None:
        found.append(_seen_by(cameras))
    if wanted.camera_id is not None:
        found.append(_seen_by([wanted.camera_id]) if _sees(cameras, wanted.camera_id) else false())
    return found


def _seen_by(cameras: Collection[str]) -> ColumnElement[bool]:
    mine = alert_hits.c.alert_id == func.coalesce(alerts.c.merged_into, alerts.c.alert_id)
    return exists().where(mine, alert_hits.c.camera_id.in_(sorted(cameras)))


def _in_state(state: State) -> ColumnElement[bool]:
    whole, stands = alerts.c.merged_into.is_(None), alerts.c.standing.is_(True)
    match state:
        case State.MERGED:
            return alerts.c.merged_into.is_not(None)
        case State.WITHDRAWN:
            return and_(whole, alerts.c.standing.is_(False))
        case _:
            return and_(whole, stands, alerts.c.state == state)


def _order() -> tuple[ColumnElement[Any], ...]:
    waits = _in_state(State.OPEN)
    urgency = case((waits, alerts.c.urgency), else_=-1)
    return urgency.desc(), alerts.c.last_at.desc(), alerts.c.alert_id


def _with_hits(connection: Connection, rows: Sequence[RowMapping], cameras: Cameras) -> list[Alert]:
    roots = [row["merged_into"] or row["alert_id"] for row in rows]
    found: dict[str, list[Hit]] = {}
    for start in range(0, len(roots), _AT_ONCE):
        query = (
            select(alert_hits)
            .where(alert_hits.c.alert_id.in_(roots[start : start + _AT_ONCE]))
            .order_by(alert_hits.c.first_at, alert_hits.c.hit_id)
        )
        for hit in connection.execute(query).mappings():
            if _sees(cameras, hit["camera_id"]):
                found.setdefault(hit["alert_id"], []).append(Hit(**{name: hit[name] for name in _HIT}))
    pairs = zip(rows, roots, strict=True)
    return [_alert(row, found[root]) for row, root in pairs if found.get(root)]


def _alert(row: RowMapping, hits: Sequence[Hit]) -> Alert:
    return Alert(
        id=row["alert_id"],
        rule_id=row["rule_id"],
        rule=row["rule_name"],
        kind=Kind(row["kind"]),
        severity=Severity(row["severity"]),
        sound=row["sound"],
        state=_state(row),
        reason=row["reason"],
        merged_into=row["merged_into"],
        subject_id=row["subject_id"],
        suspected=row["suspected"],
        first_at=min(hit.first_at for hit in hits),
        last_at=max(hit.last_at for hit in hits),
        sightings=sum(hit.live for hit in hits),
        cameras=tuple(dict.fromkeys(hit.camera_id for hit in hits)),
        hits=tuple(hits),
        assigned_to=row["assigned_to"],
        version=row["version"],
        turn=row["turn"],
    )


def _state(row: RowMapping) -> State:
    if row["merged_into"] is not None:
        return State.MERGED
    return State(row["state"]) if row["standing"] else State.WITHDRAWN
