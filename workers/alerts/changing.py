"""Rows of alerts as whoever changes them needs them: the lock, events, and the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from gallery.database import insert_new
from gallery.tables import alert_deliveries, alert_events, alert_outbox, alert_version, alerts
from workers.alerts.records import Happened

# Put together once: that takes longer than to carry them out.
_ALERT = select(alerts).where(alerts.c.alert_id == bindparam("alert"))
_SET_ALERT = update(alerts).where(alerts.c.alert_id == bindparam("alert"))
_ADD_EVENT = insert(alert_events)


def raise_version(connection: Connection) -> int:
    """Begin to change alerts: nobody else does until this transaction ends. Returns the new version."""
    raised = update(alert_version).values(value=alert_version.c.value + 1).returning(alert_version.c.value)
    return int(connection.execute(raised).scalar_one())


def alert_row(connection: Connection, alert_id: str) -> RowMapping | None:
    """The alert of that id."""
    return connection.execute(_ALERT, {"alert": alert_id}).mappings().first()


def set_alert(connection: Connection, alert_id: str, **values: Any) -> None:
    connection.execute(_SET_ALERT, {"alert": alert_id, **values})


def add_event(
    connection: Connection,
    alert_id: str,
    at: str,
    kind: Happened,
    text: str,
    *,
    by: str = "",
    user_id: str | None = None,
    camera_id: str | None = None,
) -> None:
    """Put down what became of an alert."""
    values = {"alert_id": alert_id, "at": at, "kind": kind, "text": text}
    connection.execute(_ADD_EVENT, {**values, "by": by, "user_id": user_id, "camera_id": camera_id})


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is to be told elsewhere: what became of which alert, at which of its turns, and since when."""

    alert_id: str
    turn: int
    event: Happened
    since_ns: int


def put_out(connection: Connection, waiting: Waiting, deliveries: Sequence[str]) -> None:
    """Have it told elsewhere, once for each delivery."""
    if not deliveries:
        return
    query = select(alert_deliveries.c.delivery_id).where(alert_deliveries.c.delivery_id.in_(deliveries))
    for delivery_id in sorted(connection.execute(query).scalars()):
        insert_new(
            connection,
            alert_outbox,
            key=f"{waiting.alert_id}:{waiting.turn}:{delivery_id}",
            delivery_id=delivery_id,
            alert_id=waiting.alert_id,
            event=waiting.event,
            created_ns=waiting.since_ns,
            state="waiting",
            attempts=0,
            error="",
        )
