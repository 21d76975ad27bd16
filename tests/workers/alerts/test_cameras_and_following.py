"""Cameras that show nothing, and telling whoever watches of what changed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC

from gallery.database import Database
from tests.workers.alerts.world import Desk, Track
from workers.alerts.announcing import to_viewers
from workers.alerts.cameras import CameraAlerts, CameraReport
from workers.alerts.follow import AlertFollower
from workers.alerts.handling import By, Handling
from workers.alerts.outages import Outages
from workers.alerts.records import Alert, Happened, State
from workers.alerts.rules import Kind, When
from workers.live.state import CameraState, CameraStatus

NS = 1_000_000_000
START_NS = 1_738_310_400 * NS
ADA = "a" * 16


@dataclass
class Site:
    """One camera, reported every second."""

    database: Database
    now_ns: int = START_NS
    status: CameraStatus = field(default_factory=lambda: CameraStatus("gate", CameraState.LIVE, START_NS))

    def __post_init__(self) -> None:
        self.desk = Desk(self.database)
        self.begin_anew()

    def begin_anew(self) -> None:
        """As when the console is started again."""
        self.alerts = CameraAlerts(self.database, UTC, lambda: self.now_ns, lambda changed: None)
        self.outages = Outages(lambda: [self.status])

    def is_now(self, state: CameraState, detail: str = "") -> None:
        self.status = CameraStatus("gate", state, self.now_ns, detail)

    def go_on(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now_ns += NS
            self.alerts.report(self.outages())


def test_a_camera_raises_an_alert_when_it_was_dead_for_long_enough(database: Database) -> None:
    site = Site(database)
    site.desk.rule("dead", When(Kind.CAMERA, after_s=10))
    site.is_now(CameraState.LOST, "rtsp://user:secret@gate/ does not answer")
    site.go_on(9)
    assert site.desk.alerts() == []
    site.go_on(30)
    alert = site.desk.only()
    assert (alert.kind, alert.camera, alert.state) == (Kind.CAMERA, "gate", State.OPEN)
    (raised,) = site.desk.store.events(alert.id, None)
    assert "does not answer" in raised.text
    assert "secret" not in raised.text


def test_it_is_one_outage_however_often_the_camera_is_tried(database: Database) -> None:
    site = Site(database)
    site.desk.rule("dead", When(Kind.CAMERA, after_s=10))
    for _ in range(5):
        site.is_now(CameraState.FAILED, "no route")
        site.go_on(4)
        site.is_now(CameraState.STARTING)
        site.go_on(2)
    assert site.desk.only().sightings == 1
    site.begin_anew()
    site.is_now(CameraState.FAILED)
    site.go_on(20)
    assert site.desk.only().sightings == 1


def test_a_camera_that_is_back_says_so_and_waits_for_somebody(database: Database) -> None:
    site = Site(database)
    site.desk.rule("dead", When(Kind.CAMERA, after_s=0))
    site.is_now(CameraState.LOST)
    site.go_on(5)
    site.is_now(CameraState.LIVE)
    site.go_on(5)
    alert = site.desk.only()
    assert alert.state is State.OPEN
    assert site.desk.history(alert) == [Happened.RAISED, Happened.CAMERA_BACK]
    assert alert.last_at > alert.first_at
    site.is_now(CameraState.LOST)
    site.go_on(3)
    assert site.desk.only().sightings == 2  # within the visit's gap
    site.is_now(CameraState.LIVE)
    site.go_on(1)
    site.now_ns += 600 * NS
    site.is_now(CameraState.LOST)
    site.go_on(3)
    assert len(site.desk.alerts(State.OPEN)) == 2


def test_whoever_learns_late_that_a_camera_is_back_raises_no_second_alert(database: Database) -> None:
    site = Site(database)
    site.desk.rule("dead", When(Kind.CAMERA, after_s=0))
    site.is_now(CameraState.LOST)
    site.go_on(5)
    late = CameraReport("gate", True, site.now_ns - 2 * NS)  # by another console, which dates it itself
    site.is_now(CameraState.LIVE)
    site.go_on(1)
    site.alerts.report([late])
    alert = site.desk.only()
    assert alert.sightings == 1
    assert site.desk.history(alert) == [Happened.RAISED, Happened.CAMERA_BACK]


def test_cameras_of_other_rules_and_those_that_others_read_raise_nothing(database: Database) -> None:
    site = Site(database)
    site.desk.rule("yard", When(Kind.CAMERA, after_s=0), cameras=("yard",))
    site.desk.rule("people")
    for state in (CameraState.LOST, CameraState.ELSEWHERE, CameraState.ENDED, CameraState.STARTING):
        site.is_now(state)
        site.go_on(3)
    assert site.desk.alerts() == []
    assert CameraReport("gate", False, 1) == CameraReport("gate", False, 1, "")


@dataclass
class Told:
    """What whoever watches was told."""

    alerts: list[tuple[Alert, bool]] = field(default_factory=list)

    def __call__(self, alert: Alert, fresh: bool) -> None:
        self.alerts.append((alert, fresh))

    def take(self) -> list[tuple[State, bool]]:
        told = [(alert.state, fresh) for alert, fresh in self.alerts]
        self.alerts.clear()
        return told


def test_every_change_is_announced_and_only_a_raised_alert_may_sound(desk: Desk) -> None:
    told = Told()
    desk.rule(sound=True)
    desk.take(Track(number=1).says(0, ADA))
    follower = AlertFollower(desk.store, told)
    follower.look()
    assert told.take() == []  # what was there before is on the page already
    desk.take(Track(number=2, start_s=5000).says(0, ADA))
    follower.look()
    assert told.take() == [(State.OPEN, True)]
    desk.take(Track(number=2, start_s=5000).says(1, ADA))
    follower.look()
    assert told.take() == [(State.OPEN, False)]
    newest = max(desk.alerts(), key=lambda alert: alert.last_at)
    Handling(desk.database, lambda: START_NS, desk.changed.append).acknowledge(newest.id, By("u", "op"))
    follower.look()
    assert told.take() == [(State.ACKNOWLEDGED, False)]
    desk.take(Track(number=2, start_s=5000).says(2, None))
    follower.look()
    follower.look()
    assert told.take() == [(State.WITHDRAWN, False)]


def test_the_thread_is_told_by_this_process_and_by_others(desk: Desk) -> None:
    told = Told()
    desk.rule()
    follower = AlertFollower(desk.store, told, every_s=0.05)
    follower.start()
    time.sleep(0.2)
    desk.another().write([Track().says(0, ADA)])
    deadline = time.monotonic() + 10
    while not told.alerts:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    began = time.monotonic()
    follower.close()
    assert time.monotonic() - began < 2
    assert told.take() == [(State.OPEN, True)]


def test_whoever_watches_is_told_ids_and_never_names(desk: Desk) -> None:
    bodies: list[tuple[str, str | None, dict[str, object]]] = []

    def tell(kind: str, camera_id: str | None, body: object) -> int:
        assert isinstance(body, dict)
        bodies.append((kind, camera_id, body))
        return len(bodies)

    desk.rule(sound=True)
    desk.take(Track().says(0, ADA))
    to_viewers(tell)(desk.only(), True)
    ((kind, camera_id, body),) = bodies
    assert (kind, camera_id) == ("alert", "gate")
    assert (body["state"], body["subject"], body["sound"]) == ("open", ADA, True)
    assert "name" not in body
