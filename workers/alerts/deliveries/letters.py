"""Makes a message of what is in the outbox, as things are when it is sent."""

from __future__ import annotations

from sqlalchemy import select

from gallery.database import Database
from gallery.tables import subjects
from gallery.times import utc_text_from_ns
from workers.alerts.deliveries.message import Message
from workers.alerts.deliveries.outbox import Item
from workers.alerts.deliveries.receiver import Receiver
from workers.alerts.reading import AlertStore


class Letters:
    """Makes messages.

    Args:
        database: Where people are.
        alerts: What is told of.
        public: Address of the console, for links.
    """

    def __init__(self, database: Database, alerts: AlertStore, public: str) -> None:
        self._database, self._alerts, self._public = database, alerts, public

    def write(self, item: Item, receiver: Receiver) -> Message | str:
        """The message, or why there is none to be sent any more."""
        at = utc_text_from_ns(item.created_ns)
        if item.alert_id is None:
            return Message(item.key, item.event, at, None, None, self._public, receiver.names)
        alert = self._alerts.get(item.alert_id, None)
        if alert is None:
            return "the alert is gone"
        name = None
        if alert.subject_id is not None:
            name = self._name(alert.subject_id)
            if name is None:
                return "the person was removed or erased meanwhile"
        told = name if receiver.names else None
        return Message(item.key, item.event, at, alert, told, self._public, receiver.names)

    def _name(self, subject_id: str) -> str | None:
        """Of somebody who is enrolled now."""
        mine = (subjects.c.id == subject_id) & subjects.c.epoch_removed.is_(None)
        with self._database.read() as connection:
            return connection.execute(select(subjects.c.name).where(mine)).scalar()
