"""What people do with alerts: acknowledge, hand over, remark. Who did and when stays with the alert."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from gallery.database import Database
from gallery.tables import alert_events, console_users
from gallery.times import utc_text_from_ns
from pipeline.errors import UsageError
from workers.alerts.changing import add_event, alert_row, raise_version, set_alert
from workers.alerts.engine import Changed
from workers.alerts.records import Happened, State

NOTE_LENGTH = 4000


class AlertConflict(UsageError):
    """Somebody else was faster, or the alert changed meanwhile."""


@dataclass(frozen=True, slots=True)
class By:
    """Who does something: the user's id and name."""

    user_id: str
    name: str


class Handling:
    """What people do with alerts. Every method is one transaction.

    Args:
        database: Where alerts are kept.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        on_change: Told of every change when it is durable.
    """

    def __init__(self, database: Database, now_ns: Callable[[], int], on_change: Changed) -> None:
        self._database, self._now_ns, self._on_change = database, now_ns, on_change

    def acknowledge(self, alert_id: str, by: By, note: str = "") -> None:
        """Say that somebody saw to it.

        Raises:
            AlertConflict: it is not open; somebody else was first, or it was withdrawn.
        """
        with self._changing(alert_id, note) as change:
            if change.row["merged_into"] is not None or not change.row["standing"]:
                raise AlertConflict("the alert was withdrawn meanwhile: there is nothing to acknowledge")
            if change.row["state"] != State.OPEN:
                raise AlertConflict(change.who_was_first())
            change.make(Happened.ACKNOWLEDGED, by, note, state=State.ACKNOWLEDGED)

    def reopen(self, alert_id: str, by: By, note: str = "") -> None:
        """Take an acknowledgement back. Raises ``AlertConflict`` where there is none."""
        with self._changing(alert_id, note) as change:
            if change.row["state"] != State.ACKNOWLEDGED or change.row["merged_into"] is not None:
                raise AlertConflict("the alert is open already, or a part of another one")
            change.make(Happened.REOPENED, by, note, state=State.OPEN)

    def assign(self, alert_id: str, by: By, user_id: str | None) -> None:
        """Put a user in charge, or nobody. Raises ``UsageError`` where there is no such user."""
        with self._changing(alert_id) as change:
            name = "nobody" if user_id is None else change.name_of(user_id)
            if change.row["assigned_to"] != user_id:
                change.make(Happened.ASSIGNED, by, f"to {name}", assigned_to=user_id)

    def note(self, alert_id: str, by: By, text: str) -> None:
        """Put down a remark. Raises ``UsageError`` where it is empty or too long."""
        if not text.strip():
            raise UsageError("the note is empty")
        with self._changing(alert_id, text) as change:
            change.make(Happened.NOTE, by, text)

    @contextmanager
    def _changing(self, alert_id: str, text: str = "") -> Iterator[_Change]:
        if len(text) > NOTE_LENGTH:
            raise UsageError(f"a note has {NOTE_LENGTH} characters at most, not {len(text)}")
        with self._database.write() as connection:
            version = raise_version(connection)
            row = alert_row(connection, alert_id)
            if row is None:
                raise UsageError("there is no such alert")
            yield _Change(connection, row, version, utc_text_from_ns(self._now_ns()))
        self._on_change(frozenset({alert_id}))


@dataclass(frozen=True, slots=True)
class _Change:
    connection: Connection
    row: RowMapping
    version: int
    now: str

    def make(self, kind: Happened, by: By, text: str, **values: Any) -> None:
        alert_id = self.row["alert_id"]
        set_alert(self.connection, alert_id, **values, version=self.version)
        add_event(self.connection, alert_id, self.now, kind, text.strip(), by=by.name, user_id=by.user_id)

    def who_was_first(self) -> str:
        mine = alert_events.c.alert_id == self.row["alert_id"]
        query = (
            select(alert_events)
            .where(mine, alert_events.c.kind == Happened.ACKNOWLEDGED)
            .order_by(alert_events.c.id.desc())
        )
        first = self.connection.execute(query).mappings().first()
        name = "somebody" if first is None else first["by"]
        return f"{name} was faster, and has acknowledged this alert already"

    def name_of(self, user_id: str) -> str:
        able = (console_users.c.user_id == user_id) & console_users.c.disabled_at.is_(None)
        name = self.connection.execute(select(console_users.c.name).where(able)).scalar()
        if name is None:
            raise UsageError("there is no such user, or they are disabled")
        return str(name)
