"""Deletes alerts that are too old, and those about people who were erased."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, or_, select

from gallery.database import Database
from gallery.tables import alert_events, alert_hits, alert_outbox, alerts, erasures
from gallery.times import utc_text


class Forgetting:
    """Deletes alerts.

    Args:
        database: Where they are.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        keep_days: How long they are kept since somebody was last seen.
    """

    def __init__(self, database: Database, now_ns: Callable[[], int], keep_days: float) -> None:
        self._database, self._now_ns, self._keep_days = database, now_ns, keep_days

    def forget(self) -> int:
        """Delete what is over, with its evidence, its notes and what waits to be sent; how many alerts."""
        now = datetime.fromtimestamp(self._now_ns() / 1e9, UTC)
        old = alerts.c.last_at < utc_text(now - timedelta(days=self._keep_days))
        erased = alerts.c.subject_id.in_(select(erasures.c.subject_id))
        over = select(alerts.c.alert_id).where(or_(old, erased))
        with self._database.write() as connection:
            for table in (alert_outbox, alert_events, alert_hits):
                connection.execute(delete(table).where(table.c.alert_id.in_(over)))
            return connection.execute(delete(alerts).where(or_(old, erased))).rowcount
