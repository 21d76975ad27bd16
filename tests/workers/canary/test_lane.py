"""The shadow lane: when it measures, what becomes of a run, who is deleted, and who is told of alarms."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gallery.database import Database
from pipeline.clock import ManualClock
from tests.workers.canary.faces import consent, photos
from tests.workers.canary.test_numbers import many
from tests.workers.canary.test_runs import CLEAN, DODGE, OF
from workers.canary.alarm import AlarmKind, AlarmLimits, AlarmStore
from workers.canary.lane import LaneParts, ShadowLane
from workers.canary.metrics import GaugeCollector
from workers.canary.records import Measured, Result, RunState
from workers.canary.runs import RunStore
from workers.canary.store import CanaryStore
from workers.canary.watchdog import Watchdog
from workers.config import CanarySettings

SETTINGS = CanarySettings(every_minutes=60)


class Shadow:
    """Finishes runs with what it is given, or does what a process does that comes to nothing."""

    def __init__(self, runs: RunStore) -> None:
        self._runs = runs
        self.results: list[Result] | None = [*many(CLEAN, 40, 40), *many(DODGE, 30, 40)]
        self.stopped = threading.Event()
        self.ran: list[str] = []

    def run(self, run_id: str, limit_s: float) -> str | None:
        self.ran.append(run_id)
        if self.results is None:
            return "its process was ended by SIGKILL"
        self._runs.finish(run_id, Measured(OF, self.results, []))
        return None

    def stop(self) -> None:
        self.stopped.set()


class Scene:
    """A lane and all around it."""

    def __init__(self, database: Database, clock: ManualClock, settings: CanarySettings = SETTINGS) -> None:
        self.clock = clock
        self.canaries, self.runs = CanaryStore(database, clock.now_ns), RunStore(database, clock.now_ns)
        self.alarms = AlarmStore(database, clock.now_ns)
        self.shadow = Shadow(self.runs)
        self.deleted: list[str] = []
        self.told: list[tuple[str, str | None, Mapping[str, Any]]] = []
        self.watchdog = Watchdog(self.runs, self.alarms, AlarmLimits(0.5, 0.6), 24.0, clock.now_ns)
        parts = LaneParts(self.canaries, self.runs, self.watchdog, self.shadow, clock)
        self.lane = ShadowLane(
            parts,
            settings,
            self.deleted.extend,
            lambda kind, camera_id, body: self.told.append((kind, camera_id, body)),
            poll_s=0.01,
        )

    def hour(self) -> None:
        self.clock.advance(3601)
        self.lane.turn()


@pytest.fixture
def scene(database: Database, clock: ManualClock) -> Scene:
    made = Scene(database, clock)
    made.canaries.add("Ada", consent(), photos(1))
    return made


def test_it_measures_at_an_interval(scene: Scene) -> None:
    for _ in range(3):
        scene.lane.turn()
    assert len(scene.shadow.ran) == 1
    scene.hour()
    assert scene.runs.counts()[RunState.DONE] == 2


def test_it_measures_when_it_is_asked(scene: Scene) -> None:
    scene.lane.turn()
    scene.lane.ask("root")
    scene.lane.turn()
    scene.lane.turn()
    assert [scene.runs.get(run_id).asked_by for run_id in scene.shadow.ran] == ["by itself", "root"]


def test_nobody_is_attacked_where_nobody_agreed_or_the_settings_say_no(
    database: Database, clock: ManualClock
) -> None:
    empty = Scene(database, clock)
    empty.lane.turn()
    off = Scene(database, clock, replace_settings(enabled=False))
    off.canaries.add("Ada", consent(), photos(1))
    off.lane.turn()
    assert empty.shadow.ran == off.shadow.ran == []
    off.lane.ask("root")
    off.lane.turn()
    assert len(off.shadow.ran) == 1


def replace_settings(**changed: Any) -> CanarySettings:
    return SETTINGS.model_copy(update=changed)


def test_one_that_is_cut_off_says_why_and_nothing_of_it_counts(scene: Scene) -> None:
    scene.shadow.results = None
    scene.lane.turn()
    last = scene.runs.last()
    assert last is not None
    assert (last.state, last.reason) == (RunState.FAILED, "its process was ended by SIGKILL")
    assert scene.runs.done_since("2020") == []
    assert scene.watchdog.now().numbers is None


def test_whose_consent_is_over_is_deleted_and_attacked_no_more(scene: Scene) -> None:
    ada = scene.canaries.get("Ada")
    scene.clock.advance(400 * 24 * 3600)
    scene.lane.turn()
    assert (scene.deleted, scene.shadow.ran) == ([ada.id], [])


def test_alarms_are_told_when_they_begin_and_end(scene: Scene) -> None:
    scene.lane.turn()
    assert scene.told == []
    scene.shadow.results = [*many(CLEAN, 40, 40), *many(DODGE, 2, 40)]
    scene.hour()
    scene.lane.turn()
    scene.hour()
    ((kind, camera_id, begun),) = scene.told
    assert (kind, camera_id, begun["alarm"], begun["state"]) == ("gauge", None, "attacked", "on")
    (given,) = scene.alarms.given()
    assert (given.kind, given.since) == (AlarmKind.ATTACKED, begun["since"])
    scene.shadow.results = [*many(CLEAN, 40, 40), *many(DODGE, 39, 40)]
    scene.hour()
    assert scene.told[-1][2]["state"] == "off"
    (ended,) = scene.alarms.history(5)
    assert ended.until is not None


def test_accuracy_that_falls_is_an_alarm_whatever_changed(scene: Scene) -> None:
    scene.lane.turn()
    scene.clock.advance(25 * 3600)
    scene.shadow.results = many(CLEAN, 26, 40)
    scene.hour()
    assert [alarm.kind for alarm in scene.alarms.given()] == [AlarmKind.FALLING]


def test_its_thread_ends_and_gives_up_what_runs(scene: Scene) -> None:
    scene.lane.start()
    scene.lane.close()
    assert scene.shadow.stopped.is_set()
    scene.lane.close()


def test_prometheus_is_told(scene: Scene, database: Database) -> None:
    registry = CollectorRegistry()
    registry.register(GaugeCollector(scene.runs, scene.alarms, scene.watchdog, scene.clock))
    labels = {
        "attack": "pgd-10x1",
        "threat_model": "T2a",
        "eps_255": "8",
        "goal": "dodge",
        "purified": "true",
    }
    assert registry.get_sample_value("pinwatch_canary_accuracy", labels) is None
    assert registry.get_sample_value("pinwatch_canary_age_seconds") is None
    scene.lane.turn()
    scene.clock.advance(90)
    assert registry.get_sample_value("pinwatch_canary_accuracy", labels) == 0.75
    assert registry.get_sample_value("pinwatch_canary_runs_total", {"state": "done"}) == 1
    assert registry.get_sample_value("pinwatch_canary_age_seconds") == pytest.approx(90, abs=0.01)
    assert registry.get_sample_value("pinwatch_canary_alarm", {"kind": "attacked"}) == 0
    scene.shadow.results = [replace(one, correct=False) for one in many(DODGE, 0, 40)]
    scene.hour()
    assert registry.get_sample_value("pinwatch_canary_accuracy", labels) == 0
    assert registry.get_sample_value("pinwatch_canary_alarm", {"kind": "attacked"}) == 1
