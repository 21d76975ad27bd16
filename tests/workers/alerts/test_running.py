"""All of it in one process: from a decision to whoever watches, and to whoever is told elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC

from gallery.database import Database
from gallery.tables import subjects
from pipeline.clock import SystemClock
from tests.workers.alerts.servers import Hook
from tests.workers.alerts.world import Desk, Track
from workers.alerts.announcing import to_viewers
from workers.alerts.deliveries.receiver import Receiver, Way
from workers.alerts.deliveries.receiver_store import ReceiverStore
from workers.alerts.outages import Outages
from workers.alerts.rules import Kind, When
from workers.alerts.running import Alerting
from workers.config import AlertSettings
from workers.live.hub import LiveHub

ADA = "a" * 16


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_from_a_decision_to_everybody_who_is_to_know(database: Database) -> None:
    clock = SystemClock()
    hub, desk = LiveHub(clock.now_ns), Desk(database)
    with database.write() as connection:
        values = {"id": ADA, "name": "Ada", "created_at": "2025", "epoch_added": 0}
        connection.execute(subjects.insert().values(**values))
    with Hook().serving() as hook:
        told = ReceiverStore(database).add(Receiver("", "hook", Way.WEBHOOK, url=hook.url, secret="x"))
        desk.rule(deliveries=(told.id,), sound=True)
        desk.rule("dead", When(Kind.CAMERA, after_s=0), deliveries=(told.id,))
        alerting = Alerting(
            database,
            AlertSettings(),
            clock,
            zone=UTC,
            public="http://127.0.0.1:8080",
            announce=to_viewers(hub.announce),
            reports=Outages(hub.cameras),
        )
        alerting.close()  # before it began, as after an error
        alerting.start()
        time.sleep(0.3)  # the follower has to know where to begin
        before = hub.last
        alerting.engine.write([Track().says(0, ADA)])
        until(lambda: hub.last > before and len(hook.requests) == 1)
        hub.camera_state("yard", "lost", clock.now_ns() - 10**9, "no route")
        until(lambda: len(hook.requests) == 2)
        began = time.monotonic()
        alerting.close()
        alerting.close()
        assert time.monotonic() - began < 3
    events = [event for event in hub.events(before, 100).events if event.kind == "alert"]
    assert [(event.camera_id, event.body["sound"]) for event in events] == [("gate", True), ("yard", False)]
    assert [json.loads(body)["kind"] for _, body in hook.requests] == ["known", "camera"]
