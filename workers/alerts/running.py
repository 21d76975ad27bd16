"""Everything about alerts that runs in one process: raises, announces and delivers them."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import tzinfo

from gallery.database import Database
from pipeline.seams import Clock
from workers.alerts.cameras import CameraAlerts, CameraReport, CameraWatch
from workers.alerts.deliveries.courier import Courier
from workers.alerts.deliveries.letters import Letters
from workers.alerts.deliveries.mail import Mail
from workers.alerts.deliveries.mqtt import Mqtt
from workers.alerts.deliveries.outbox import Outbox
from workers.alerts.deliveries.receiver import Way
from workers.alerts.deliveries.webhook import Webhook
from workers.alerts.engine import AlertEngine
from workers.alerts.follow import AlertFollower, Announce
from workers.alerts.forget import Forgetting
from workers.alerts.reading import AlertStore
from workers.config import AlertSettings

Reports = Callable[[], Sequence[CameraReport]]


class Alerting:
    """Works from :meth:`start` to :meth:`close`.

    Args:
        database: Where alerts are kept.
        settings: Servers for mail and MQTT, and how long alerts are kept.
        clock: Time.
        zone: Of the clocks that schedules go by.
        public: Address of the console, for links.
        announce: Told of every alert that is new or was changed, by any process.
        reports: How cameras are; ``None``: nobody here knows.

    Attributes:
        engine: Takes decisions: a :class:`workers.steps.SightingSink`.
    """

    def __init__(
        self,
        database: Database,
        settings: AlertSettings,
        clock: Clock,
        *,
        zone: tzinfo,
        public: str,
        announce: Announce,
        reports: Reports | None = None,
    ) -> None:
        store = AlertStore(database)
        self._follower = AlertFollower(store, announce)
        self._courier = courier_of(database, settings, clock, public)
        self.engine = AlertEngine(
            database,
            zone,
            now_ns=clock.now_ns,
            on_change=self.changed,
            untimed_start_ns=clock.now_ns() if settings.footage else None,
        )
        self._cameras: CameraWatch | None = None
        if reports is not None:
            alerts = CameraAlerts(database, zone, clock.now_ns, self.changed)
            self._cameras = CameraWatch(reports, alerts)
        self._running = ExitStack()

    def changed(self, alert_ids: frozenset[str]) -> None:
        """This process changed alerts: who is to know of it need not wait."""
        self._follower.wake(alert_ids)
        self._courier.wake(alert_ids)

    def start(self) -> None:
        """Begin to announce and to deliver; once."""
        parts: list[AlertFollower | Courier | CameraWatch] = [self._follower, self._courier]
        if self._cameras is not None:
            parts.append(self._cameras)
        for part in parts:
            self._running.callback(part.close)
            part.start()

    def close(self) -> None:
        """End it; safe twice, and before it began."""
        self._running.close()


def courier_of(database: Database, settings: AlertSettings, clock: Clock, public: str) -> Courier:
    """Sends by every way that there is."""
    me = f"{socket.gethostname()[:30]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return Courier(
        Outbox(database, clock.now_ns, me),
        Letters(database, AlertStore(database), public),
        {Way.WEBHOOK: Webhook(clock.now_ns), Way.MQTT: Mqtt(settings.mqtt), Way.MAIL: Mail(settings.mail)},
        tidy=lambda: _forget(database, settings, clock),
        monotonic_s=clock.monotonic_s,
    )


def _forget(database: Database, settings: AlertSettings, clock: Clock) -> None:
    Forgetting(database, clock.now_ns, settings.keep_days).forget()
