"""Who is told elsewhere, in the database, and how well that goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import Connection, case, delete, func, insert, select, update

from gallery.database import Database
from gallery.store import random_id
from gallery.tables import alert_deliveries, alert_outbox, alert_rules, alert_version
from gallery.times import utc_text_from_ns
from pipeline.errors import UsageError
from workers.alerts.deliveries.receiver import Receiver, decode_receiver, encode_receiver
from workers.alerts.rule_store import all_rules
from workers.alerts.rules import encode_rule


@dataclass(frozen=True, slots=True)
class ReceiverState:
    """How telling somebody goes.

    Attributes:
        receiver: Who.
        waiting: How many messages wait.
        oldest_ns: Since when the oldest of them waits, nanoseconds since 1970 UTC; ``None`` for none.
        given_up: How many were given up in the last seven days.
        failures: How many attempts failed since the last that did not.
        last_error: Of the last attempt, if it failed.
        last_sent_at: ISO 8601 UTC; ``None`` for never.
    """

    receiver: Receiver
    waiting: int
    oldest_ns: int | None
    given_up: int
    failures: int
    last_error: str
    last_sent_at: str | None

    @property
    def well(self) -> bool:
        """Whether nothing has to be looked at."""
        return self.failures == 0 and self.given_up == 0


class ReceiverStore:
    """Everybody who is told elsewhere. Every method is one transaction.

    Args:
        database: Where they are kept.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        new_id: Makes ids.
    """

    def __init__(
        self,
        database: Database,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._database, self._now_ns, self._new_id = database, now_ns, new_id

    def all(self) -> list[Receiver]:
        """Everybody, by name."""
        return [state.receiver for state in self.states()]

    def get(self, receiver_id: str) -> Receiver | None:
        """The one of that id."""
        return next((one for one in self.all() if one.id == receiver_id), None)

    def states(self) -> list[ReceiverState]:
        """Everybody, by name, and how it goes."""
        waits = alert_outbox.c.state == "waiting"
        counts = (
            select(
                alert_outbox.c.delivery_id,
                func.sum(case((waits, 1), else_=0)).label("waiting"),
                func.min(case((waits, alert_outbox.c.created_ns))).label("oldest_ns"),
                func.sum(case((alert_outbox.c.state == "given up", 1), else_=0)).label("given_up"),
            )
            .where(alert_outbox.c.state.in_(("waiting", "given up")))
            .group_by(alert_outbox.c.delivery_id)
        ).subquery()
        query = (
            select(alert_deliveries, counts.c.waiting, counts.c.oldest_ns, counts.c.given_up)
            .outerjoin(counts, counts.c.delivery_id == alert_deliveries.c.delivery_id)
            .order_by(func.lower(alert_deliveries.c.name), alert_deliveries.c.name)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            ReceiverState(
                decode_receiver(row["content"]),
                int(row["waiting"] or 0),
                row["oldest_ns"],
                int(row["given_up"] or 0),
                row["failures"],
                row["last_error"],
                row["last_sent_at"],
            )
            for row in rows
        ]

    def add(self, receiver: Receiver) -> Receiver:
        """Somebody more, under a new id. Raises ``UsageError`` where the name is taken."""
        made = replace(receiver, id=self._new_id())
        values = {
            "delivery_id": made.id,
            "name": made.name,
            "content": encode_receiver(made),
            "created_at": utc_text_from_ns(self._now_ns()),
            "failures": 0,
            "retry_ns": 0,
            "claimed_until_ns": 0,
            "last_error": "",
        }
        with self._database.write() as connection:
            _check(connection, made)
            connection.execute(insert(alert_deliveries).values(**values))
        return made

    def change(self, receiver: Receiver) -> Receiver:
        """Put it in the place of the one with its id, and try again at once.

        Raises:
            UsageError: there is none, or the name is taken.
        """
        mine = alert_deliveries.c.delivery_id == receiver.id
        values = {"name": receiver.name, "content": encode_receiver(receiver), "retry_ns": 0}
        with self._database.write() as connection:
            _check(connection, receiver)
            if not connection.execute(update(alert_deliveries).where(mine).values(**values)).rowcount:
                raise UsageError("there is no such delivery")
        return receiver

    def remove(self, receiver_id: str) -> None:
        """Somebody fewer, with all that waits for them; rules tell them no longer. Raises ``UsageError``."""
        mine = alert_deliveries.c.delivery_id == receiver_id
        with self._database.write() as connection:
            connection.execute(update(alert_version).values(rules=alert_version.c.rules + 1))
            for rule in all_rules(connection):
                if receiver_id in rule.deliveries:
                    kept = tuple(one for one in rule.deliveries if one != receiver_id)
                    content = encode_rule(replace(rule, deliveries=kept))
                    same = alert_rules.c.rule_id == rule.id
                    connection.execute(update(alert_rules).where(same).values(content=content))
            if not connection.execute(delete(alert_deliveries).where(mine)).rowcount:
                raise UsageError("there is no such delivery")

    def send_test(self, receiver_id: str) -> None:
        """Have a test sent, before anything else is tried again. Raises ``UsageError``."""
        mine = alert_deliveries.c.delivery_id == receiver_id
        now_ns = self._now_ns()
        with self._database.write() as connection:
            if not connection.execute(update(alert_deliveries).where(mine).values(retry_ns=0)).rowcount:
                raise UsageError("there is no such delivery")
            values = {
                "key": f"test:{self._new_id()}:{receiver_id}",
                "delivery_id": receiver_id,
                "event": "test",
                "created_ns": now_ns,
                "state": "waiting",
                "attempts": 0,
                "error": "",
            }
            connection.execute(insert(alert_outbox).values(**values))


def _check(connection: Connection, receiver: Receiver) -> None:
    same = func.lower(alert_deliveries.c.name) == func.lower(receiver.name)
    holder = connection.execute(select(alert_deliveries.c.delivery_id).where(same)).scalar()
    if holder not in (None, receiver.id):
        raise UsageError(f"there is a delivery called {receiver.name!r} already")
