"""Health: what is said first, what is measured, and what Prometheus gets."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from gallery.database import Database
from gallery.tables import alert_deliveries
from pipeline.clock import ManualClock
from pipeline.types import Outcome
from tests.audit.recording.footage import record, write_clip
from tests.workers.console.world import START_NS, Browser, World, make_sighting
from workers.alerts.deliveries.receiver import Receiver, Way
from workers.alerts.deliveries.receiver_store import ReceiverStore
from workers.camera_settings import make_camera
from workers.cameras import CameraStore
from workers.canary.alarm import AlarmKind, AlarmStore
from workers.console.access.roles import Permission, Role
from workers.console.health.footage import CameraFootage, FootageBook, lasts_days
from workers.console.health.live_status import LiveStatus
from workers.console.health.slow import Slow
from workers.console.health.status import CameraStatus, DecisionAges, Lag, StepStatus
from workers.console.health.words import size
from workers.live.hub import LiveHub
from workers.live.state import CameraState


@dataclasses.dataclass
class FakePipeline:
    """Says what it is told to say."""

    cameras_: Sequence[CameraStatus] = ()
    steps_: Sequence[StepStatus] = ()
    ages_: DecisionAges | None = None
    lags_: Sequence[Lag] = ()

    def cameras(self) -> Sequence[CameraStatus]:
        return self.cameras_

    def steps(self) -> Sequence[StepStatus]:
        return self.steps_

    def ages(self) -> DecisionAges | None:
        return self.ages_

    def lags(self) -> Sequence[Lag]:
        return self.lags_


@pytest.fixture
def pipeline() -> FakePipeline:
    gate = CameraStatus("gate", CameraState.LIVE, START_NS, "", 24.9, {"stale": 3, "corrupt": 2})
    return FakePipeline([gate], [StepStatus("embed", waiting=4)], DecisionAges(100, 0.1, 0.4, 0.9))


@pytest.fixture
def watched(database: Database, pipeline: FakePipeline) -> World:
    made = World(database, pipeline=pipeline)
    CameraStore(database).add(make_camera({"name": "gate", "address": "rtsp://u:p@h/1"}), START_NS)
    return made


@pytest.fixture
def root(watched: World) -> Browser:
    return watched.logged_in(Role.ADMINISTRATOR, "root")


def verdict(browser: Browser) -> dict[str, Any]:
    answer = browser.get("/api/v1/health")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["verdict"]
    return found


def test_all_is_well_and_the_page_says_so_first(root: Browser) -> None:
    assert verdict(root)["sentence"] == "All is well."
    page = root.get("/health").text
    for shown in (
        "All is well.",
        "✓ live",
        "24.9 fps",
        "stale 3",
        "decode errors 2",
        "0.10 s",
        "99 within 0.90 s",
        "4 messages waiting",
        "detector@1",
        "SQLite",
    ):
        assert shown in page, shown
    assert page.index("All is well.") < page.index("Cameras</h2>")
    facts = root.get("/api/v1/health").json()["facts"]
    assert facts["cameras"][0]["status"]["decode_errors"] == 2
    assert facts["ages"]["p95_s"] == 0.4
    assert facts["machine"]["disk_free_bytes"] > 0
    assert facts["gallery"] == {"epoch": facts["gallery"]["epoch"], "people": 0, "templates": 0}


def test_what_is_not_well_is_said_first_and_the_worst_of_it(
    watched: World, root: Browser, pipeline: FakePipeline
) -> None:
    dead = CameraStatus("gate", CameraState.LOST, START_NS, "it has stopped sending pictures")
    pipeline.cameras_ = [dead]
    assert verdict(root)["sentence"] == (
        "Not all is well: camera gate shows nothing (it has stopped sending pictures)."
    )
    pipeline.steps_ = [StepStatus("match", well=False, detail="no room")]
    pipeline.ages_ = DecisionAges(9, 30.0, 40.0, 50.0)
    pipeline.lags_ = [Lag("embed", "faces.v1", 900, 120.0), Lag("match", "embeddings.v1", 0, None)]
    found = verdict(root)
    assert found["faults"][1:] == [
        "the step match does not work (no room)",
        "decisions are late: half of them by more than 30 s",
        "the worker embed is 120 s behind",
    ]
    assert found["sentence"].endswith("and 3 more.")
    page = root.get("/health").text
    assert "! lost" in page
    assert "! does not work" in page
    assert "900 messages" in page
    pipeline.cameras_ = []
    assert "camera gate is not being watched" in verdict(root)["faults"]


def test_whoever_cannot_be_told_and_what_the_gauge_says_is_not_well(
    watched: World, database: Database, root: Browser
) -> None:
    told = ReceiverStore(database).add(Receiver("", "guards", Way.WEBHOOK, url="https://guards.example/"))
    assert verdict(root)["well"]
    with database.write() as connection:
        failing = {"failures": 3, "last_error": "no answer within 10 s"}
        connection.execute(
            update(alert_deliveries).where(alert_deliveries.c.delivery_id == told.id).values(failing)
        )
    assert verdict(root)["faults"] == [
        "guards cannot be told of alerts (no answer within 10 s); it is tried again"
    ]
    AlarmStore(database).settle({AlarmKind.CLEAN: "accuracy without an attack is 40 %, below 90 %"})
    assert verdict(root)["faults"][1:] == ["robustness: accuracy without an attack is 40 %, below 90 %"]
    facts = root.get("/api/v1/health").json()["facts"]
    assert [one["failures"] for one in facts["receivers"]] == [3]
    assert [one["kind"] for one in facts["alarms"]] == ["clean"]


def test_a_camera_that_is_switched_off_is_no_fault(
    watched: World, root: Browser, pipeline: FakePipeline
) -> None:
    pipeline.cameras_ = []
    root.send("/cameras/gate/enabled", enabled="false")
    assert verdict(root)["well"]
    assert "switched off" in root.get("/health").text


def test_a_console_without_pipeline_says_that_it_watches_nothing(world: World) -> None:
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    CameraStore(world.database).add(make_camera({"name": "gate", "address": "0"}), START_NS)
    assert verdict(root)["sentence"] == "All is well; this console watches no cameras itself."
    assert "not watched by this console" in root.get("/health").text


def test_nobody_hears_of_cameras_that_they_do_not_see(watched: World, pipeline: FakePipeline) -> None:
    group = watched.access.groups.add("south", ["door"])
    operator = watched.logged_in(Role.OPERATOR, "op", [group.id])
    pipeline.cameras_ = [CameraStatus("gate", CameraState.FAILED), CameraStatus("film", CameraState.ENDED)]
    assert "gate" not in operator.get("/health").text
    assert "film" not in operator.get("/api/v1/health").text
    assert verdict(operator)["well"]


def test_footage_is_measured_by_camera(watched: World, tmp_path: Path) -> None:
    data = watched.database.folder
    record(write_clip(tmp_path / "clip.mp4", 20), data)
    root = watched.logged_in(Role.ADMINISTRATOR, "root")
    footage = root.get("/api/v1/health").json()["facts"]["footage"]
    sizes = [
        path.stat().st_size for path in (data / "recordings").rglob("*") if path.suffix in (".mp4", ".index")
    ]
    (kept,) = footage
    assert kept["kept"]["size_bytes"] == sum(sizes)
    assert kept["kept"]["camera_id"] in root.get("/health").text
    (again,) = FootageBook(data / "recordings").look(watched.clock.now_ns())
    assert again.size_bytes == sum(sizes)


def test_how_long_the_disk_lasts() -> None:
    def footage(size_bytes: int, last_day_bytes: int) -> CameraFootage:
        return CameraFootage("gate", 1, size_bytes, 0, last_day_bytes)

    gb = 10**9
    nothing: tuple[None, None] = (None, None)
    assert lasts_days([], [], gb) is None
    assert lasts_days([footage(5 * gb, 0)], [nothing], gb) is None
    assert lasts_days([footage(5 * gb, 2 * gb)], [nothing], 10 * gb) == 5
    assert lasts_days([footage(5 * gb, 2 * gb)], [(30.0, None)], 54 * gb) == 27
    assert lasts_days([footage(5 * gb, 2 * gb)], [(30.0, None)], 56 * gb) is None
    assert lasts_days([footage(5 * gb, 2 * gb)], [(None, 5.0)], 1) is None
    two = [footage(5 * gb, 2 * gb), footage(gb, gb)]
    assert lasts_days(two, [nothing, (None, 1.0)], 10 * gb) == 5
    assert lasts_days([footage(5 * gb, 2 * gb)], [nothing], -1) == 0


def test_prometheus_gets_what_is_measured_with_a_token_only(watched: World) -> None:
    root = watched.user("root", Role.ADMINISTRATOR)
    answer = watched.token(root, Permission.READ_HEALTH).get("/metrics")
    assert answer.status_code == 200
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["pinwatch_camera_up", "gate"] == 1
    assert samples["pinwatch_camera_dropped", "gate", "stale"] == 3
    assert samples["pinwatch_step_waiting", "embed"] == 4
    assert samples["pinwatch_decision_age_seconds", "0.99"] == 0.9
    assert samples["pinwatch_disk_free_bytes",] > 0
    assert watched.token(root, Permission.READ_SIGHTINGS).get("/metrics").status_code == 403
    assert watched.browser().get("/metrics").status_code in (303, 401)


def test_the_hub_and_a_pipeline_tell_how_things_are() -> None:
    clock = ManualClock(START_NS)
    hub = LiveHub(clock.now_ns)
    status = LiveStatus(hub, clock)
    assert (status.cameras(), status.steps(), status.ages(), status.lags()) == ([], [], None, ())
    hub.camera_state("gate", CameraState.LIVE, START_NS)
    hub.trouble("the broker is away")
    (gate,) = status.cameras()
    assert (gate.state, gate.since_ns, gate.rate_hz) == (CameraState.LIVE, START_NS, None)
    assert status.steps() == [StepStatus("pipeline", False, detail="the broker is away")]
    seen_at = ["2023-11-14T22:13:19.000Z", "2023-11-14T22:13:10.000Z", None]
    status.write(
        [make_sighting(str(n), last_seen_at=at, outcome=Outcome.UNKNOWN) for n, at in enumerate(seen_at)]
    )
    assert status.ages() == DecisionAges(2, 1.0, 10.0, 10.0)
    status.follow(Works())
    (gate,) = status.cameras()
    assert (gate.rate_hz, gate.dropped_by_cause) == (12.5, {"stale": 1})
    assert status.steps()[0] == StepStatus("embed", True, 7, 2, "")
    status.follow_lags(lambda: (Lag("embed", "faces.v1", 1, 2.0),))
    assert [lag.messages for lag in status.lags()] == [1]


@dataclasses.dataclass
class View:
    """Of a camera or step."""

    rate_hz: float = 12.5
    name: str = "embed"
    restarts: int = 2
    error: str = ""


class Works:
    """A pipeline in this process."""

    def camera_views(self) -> dict[str, View]:
        return {"gate": View()}

    def camera_drops(self) -> dict[str, dict[str, int]]:
        return {"gate": {"stale": 1}}

    def step_views(self) -> list[View]:
        return [View()]

    def waiting(self) -> int:
        return 7


def test_slow_values_are_found_out_once_until_they_are_old() -> None:
    clock, found = ManualClock(0), []

    def find() -> int:
        found.append(1)
        if len(found) == 3:
            raise OSError("gone")
        return len(found)

    slow = Slow(find, clock, 10.0, "slow-test")
    assert [slow.get(), slow.get()] == [1, 1]
    finished()
    clock.advance(10)
    assert slow.get() in (1, 2)  # the old one, or the new one where that was quick
    finished()
    assert (slow.get(), len(found)) == (2, 2)
    clock.advance(10)
    slow.get()
    finished()
    assert (slow.get(), len(found)) == (None, 3)


def finished() -> None:
    """Whatever is being found out has been."""
    for thread in threading.enumerate():
        if thread.name == "slow-test":
            thread.join()


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (250_000_000, "250 MB"), (3.2e13, "32.0 TB")],
)
def test_sizes_for_people(count: float, shown: str) -> None:
    assert size(count) == shown
