"""What is to be sent: in order, by one process at a time for each receiver, and kept until it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, or_, select, update

from gallery.database import Database
from gallery.tables import alert_deliveries, alert_outbox
from gallery.times import utc_text_from_ns
from workers.alerts.deliveries.receiver import Receiver, decode_receiver

LEASE_S = 120.0
"""Longer than any attempt may take: whoever dies while sending holds a receiver up for so long."""

GIVE_UP_S = 86_400.0
_KEEP_S = 7 * 86_400.0
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Item:
    """One message.

    Attributes:
        id: Its place in the order.
        key: The same for every attempt, and for nothing else.
        delivery_id: To whom.
        alert_id: About which alert; ``None`` for a test.
        event: What became of it.
        created_ns: Since when it waits, nanoseconds since 1970 UTC.
        attempts: How many failed.
    """

    id: int
    key: str
    delivery_id: str
    alert_id: str | None
    event: str
    created_ns: int
    attempts: int


class Outbox:
    """Every method is one transaction.

    Args:
        database: Where it is.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        me: Names this process among those that share the database.
    """

    def __init__(self, database: Database, now_ns: Callable[[], int], me: str) -> None:
        self._database, self._now_ns, self._me = database, now_ns, me

    def claim(self) -> tuple[Receiver, int] | None:
        """Somebody for whom something waits and who can be tried now, with how often that failed in a row."""
        now_ns = self._now_ns()
        waits = exists().where(
            alert_outbox.c.delivery_id == alert_deliveries.c.delivery_id, alert_outbox.c.state == "waiting"
        )
        free = or_(alert_deliveries.c.claimed_until_ns <= now_ns, alert_deliveries.c.claimed_by == self._me)
        query = (
            select(alert_deliveries)
            .where(waits, free, alert_deliveries.c.retry_ns <= now_ns)
            .order_by(alert_deliveries.c.retry_ns, alert_deliveries.c.delivery_id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        if not any(decode_receiver(row["content"]).enabled for row in rows):
            return None
        with self._database.write() as connection:
            for row in connection.execute(query.with_for_update(skip_locked=True)).mappings().all():
                receiver = decode_receiver(row["content"])
                if receiver.enabled:
                    mine = alert_deliveries.c.delivery_id == receiver.id
                    until = now_ns + int(LEASE_S * _NS)
                    values = {"claimed_by": self._me, "claimed_until_ns": until}
                    connection.execute(update(alert_deliveries).where(mine).values(**values))
                    return receiver, int(row["failures"])
        return None

    def next(self, receiver: Receiver) -> Item | None:
        """The first that waits for a receiver who was claimed; the claim is renewed."""
        query = (
            select(alert_outbox)
            .where(alert_outbox.c.delivery_id == receiver.id, alert_outbox.c.state == "waiting")
            .order_by(alert_outbox.c.id)
            .limit(1)
        )
        mine = alert_deliveries.c.delivery_id == receiver.id
        renewed = update(alert_deliveries).where(mine, alert_deliveries.c.claimed_by == self._me)
        with self._database.write() as connection:
            until = self._now_ns() + int(LEASE_S * _NS)
            if not connection.execute(renewed.values(claimed_until_ns=until)).rowcount:
                return None
            row = connection.execute(query).mappings().first()
        names = ("id", "key", "delivery_id", "alert_id", "event", "created_ns", "attempts")
        return None if row is None else Item(**{name: row[name] for name in names})

    def sent(self, item: Item) -> None:
        """It was taken."""
        now = utc_text_from_ns(self._now_ns())
        self._settle(item, "sent", "", {"failures": 0, "last_error": "", "last_sent_at": now})

    def dropped(self, item: Item, why: str) -> None:
        """It is not to be sent any more."""
        self._settle(item, "dropped", why, {})

    def refused(self, item: Item, error: str) -> None:
        """It will never be taken; what waits behind it is not held up."""
        self._settle(item, "given up", error, {"last_error": error})

    def failed(self, item: Item, error: str, failures: int, pause_s: float) -> None:
        """It was not taken; it, and what waits behind it, is tried again after a pause, for a day."""
        now_ns = self._now_ns()
        late = now_ns - item.created_ns > GIVE_UP_S * _NS
        retry_ns = now_ns + int(pause_s * _NS)
        values = {"failures": failures, "last_error": error, "retry_ns": retry_ns}
        self._settle(item, "given up" if late else "waiting", error, values)

    def release(self, receiver: Receiver) -> None:
        """Let others have a turn."""
        mine = (alert_deliveries.c.delivery_id == receiver.id) & (alert_deliveries.c.claimed_by == self._me)
        with self._database.write() as connection:
            values = {"claimed_by": None, "claimed_until_ns": 0}
            connection.execute(update(alert_deliveries).where(mine).values(**values))

    def sweep(self) -> None:
        """Forget what was done a week ago, and give up what a receiver at rest let wait for a day."""
        now_ns = self._now_ns()
        old, late = now_ns - int(_KEEP_S * _NS), now_ns - int(2 * GIVE_UP_S * _NS)
        done = (alert_outbox.c.state != "waiting") & (alert_outbox.c.created_ns < old)
        stuck = (alert_outbox.c.state == "waiting") & (alert_outbox.c.created_ns < late)
        with self._database.write() as connection:
            connection.execute(delete(alert_outbox).where(done))
            values = {"state": "given up", "error": "nothing was sent for two days"}
            connection.execute(update(alert_outbox).where(stuck).values(**values))

    def _settle(self, item: Item, state: str, error: str, values: dict[str, Any]) -> None:
        settled = {"state": state, "error": error, "attempts": item.attempts + 1}
        mine = alert_deliveries.c.delivery_id == item.delivery_id
        with self._database.write() as connection:
            if values:
                connection.execute(update(alert_deliveries).where(mine).values(**values))
            connection.execute(update(alert_outbox).where(alert_outbox.c.id == item.id).values(**settled))
