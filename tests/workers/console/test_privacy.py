"""What is kept of whom, on pages and for the door."""

from __future__ import annotations

from gallery.database import Database
from tests.workers.console.world import START_NS, World
from workers.camera_settings import Camera, make_camera
from workers.cameras import CameraStore
from workers.config import AuditSettings, KeepSettings, PrivacySettings, RecordingSettings
from workers.console.access.roles import Role
from workers.console.privacy.retention import Retention


def camera(name: str, **settings: object) -> Camera:
    return make_camera({"name": name, "address": "rtsp://u:p@h/1", **settings})


def retention(**recording: object) -> Retention:
    settings = RecordingSettings(**recording)  # type: ignore[arg-type]
    cameras = [camera("gate", purpose="Theft in the hall"), camera("yard")]
    return Retention(PrivacySettings(purpose="Safety"), AuditSettings(), settings, lambda: cameras)


def test_limits_in_words() -> None:
    assert retention().footage("gate") == "Footage that is recorded is kept without a limit"
    limited = retention(max_age_days=30, max_gb=500, cameras={"gate": KeepSettings(max_age_days=0.5)})
    assert limited.footage("yard").startswith("Footage is kept for up to 30 days and 500 GB,")
    assert limited.footage("gate").startswith("Footage is kept for up to 12 hours and 500 GB,")
    assert retention(max_age_days=1).footage("yard").startswith("Footage is kept for up to one day,")
    assert limited.unknown().endswith("unreadable after 30 days")
    never = Retention(PrivacySettings(), AuditSettings(keep_unknown_days=0), RecordingSettings(), list)
    assert never.unknown().endswith("without a limit")


def test_a_camera_has_its_own_purpose_or_that_of_all() -> None:
    said = retention()
    assert (said.purpose("gate"), said.purpose("yard"), said.purpose("film")) == (
        "Theft in the hall",
        "Safety",
        "Safety",
    )


def test_the_notice_speaks_in_the_words_of_the_settings_and_of_seen_cameras_only(database: Database) -> None:
    privacy = PrivacySettings(blur_unknown=True, purpose="Safety <b>", notice="ACME, 1 High Street")
    world = World(database, privacy=privacy)
    store = CameraStore(database)
    store.add(camera("gate", purpose="Theft in the hall"), START_NS)
    store.add(camera("vault", purpose="Gold"), START_NS)
    group = world.access.groups.add("north", ["gate"])
    viewer = world.logged_in(Role.VIEWER, "ada", [group.id])
    page = viewer.get("/privacy").text
    for shown in ("Safety &lt;b&gt;", "Theft in the hall", "are blurred", "becomes unreadable after 30 days"):
        assert shown in page, shown
    notice = viewer.get("/privacy/notice").text
    for shown in ("ACME, 1 High Street", "Theft in the hall", "Your rights", "kept without a limit"):
        assert shown in notice, shown
    assert "Gold" not in page + notice
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    both = root.get("/privacy/notice").text
    assert "gate: Theft in the hall" in both
    assert "vault: Gold" in both
    assert "Gold" not in root.get("/privacy/notice?camera=gate").text
    assert world.browser().get("/privacy").headers["location"].startswith("/login")


def test_without_a_purpose_whoever_is_to_state_it_is_told(world: World) -> None:
    root = world.logged_in(Role.ADMINISTRATOR, "root")
    assert "set <code>privacy.purpose</code>" in root.get("/privacy").text
    assert "write name and address here" in root.get("/privacy/notice").text
