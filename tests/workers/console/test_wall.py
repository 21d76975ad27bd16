"""The wall as a page and for programs; pictures for browsers that run no scripts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import StorageError
from pipeline.types import Outcome
from tests.workers.console.world import World, make_sighting
from workers.console.access.roles import Permission, Role
from workers.live.tiles import Tile


@contextmanager
def filmed(world: World, camera_id: str = "gate") -> Iterator[None]:
    """A camera that shows whoever watches it one picture after the other."""
    world.console.hub.camera_state(camera_id, "live", 1)
    ended = threading.Event()

    def film() -> None:
        while not ended.wait(0.01):
            for width in world.console.hub.wanted(camera_id):
                world.console.hub.publish_tile(
                    Tile(camera_id, 1, 0, None, width, 180, b"\xff\xd8%d" % width, ())
                )

    filming = threading.Thread(target=film)
    filming.start()
    try:
        yield
    finally:
        ended.set()
        filming.join()


def test_the_wall_is_where_one_lands_who_may_see_it(world: World) -> None:
    assert world.logged_in(Role.VIEWER).get("/").headers["location"] == "/live"
    assert world.logged_in(Role.AUDITOR).get("/").headers["location"] != "/live"


def test_the_page_shows_the_cameras_that_one_sees_and_how_they_are(world: World) -> None:
    group = world.access.groups.add("gates", ["gate"])
    world.console.hub.camera_state("gate", "failed", 1, "<b>no such host</b>")
    world.console.hub.camera_state("vault", "live", 1)
    page = world.logged_in(Role.OPERATOR, groups=[group.id]).get("/live").text
    assert 'data-camera="gate"' in page
    assert "&lt;b&gt;no such host&lt;/b&gt;" in page
    assert "vault" not in page
    everything = world.logged_in(Role.ADMINISTRATOR)
    assert 'data-camera="vault"' in everything.get("/live").text
    chosen = everything.get("/live?camera=vault").text
    assert 'data-camera="vault"' in chosen
    assert 'data-camera="gate"' not in chosen
    assert 'data-wanted="[&#34;vault&#34;]"' in chosen
    assert everything.get('/live?camera="><script>').status_code == 200
    assert "<script>" not in everything.get('/live?camera="><script>').text


def test_without_cameras_the_page_says_how_to_have_some(world: World) -> None:
    page = world.logged_in(Role.ADMINISTRATOR).get("/live").text
    assert "No camera is watched" in page
    assert "pinwatch console video.mp4 --loop" in page
    assert "An administrator adds cameras" in world.logged_in(Role.VIEWER).get("/live").text


def test_the_page_names_who_was_seen_last_and_that_is_recorded(world: World) -> None:
    world.sightings.write([make_sighting("d1", outcome=Outcome.KNOWN, subject_id="ada", candidate_id="ada")])
    browser = world.logged_in(Role.ADMINISTRATOR)
    page = browser.get("/live").text
    assert 'href="/sightings/d1"' in page
    assert 'data-track="gate:0:1"' in page
    assert world.record.records[-1][1:] == ("sightings listed", ("ada",))
    world.record.full = StorageError("full")
    assert browser.get("/live").status_code == 503


def test_a_picture_of_a_camera_is_the_next_one_and_recorded_first(world: World) -> None:
    group = world.access.groups.add("gates", ["gate"])
    browser = world.logged_in(Role.OPERATOR, groups=[group.id])
    with filmed(world):
        for path, width in (("/live", 640), ("/live", 320), ("/api/v1", 640)):
            answer = browser.get(f"{path}/cameras/gate/still?width={width}")
            assert (answer.status_code, answer.content) == (200, b"\xff\xd8%d" % width)
            assert answer.headers["content-type"] == "image/jpeg"
            assert answer.headers["cache-control"] == "no-store"
        assert world.record.what()[-1] == "picture of camera gate shown"
        assert browser.get("/live/cameras/gate/still?width=500").status_code == 422
        world.record.full = StorageError("full")
        assert browser.get("/live/cameras/gate/still").status_code == 503
    assert world.console.hub.wanted("gate") == frozenset()


def test_there_is_no_picture_of_a_camera_that_one_does_not_see_or_that_shows_none(world: World) -> None:
    group = world.access.groups.add("gates", ["gate"])
    world.console.hub.camera_state("gate", "lost", 1)
    browser = world.logged_in(Role.VIEWER, groups=[group.id])
    with filmed(world, "vault"):
        for camera in ("vault", "nothing", "gate", "../gate"):
            assert browser.get(f"/live/cameras/{camera}/still").status_code == 404
    assert not [what for what in world.record.what() if "vault" in what]


def test_programs_ask_how_the_cameras_are(world: World) -> None:
    world.console.hub.camera_state("gate", "lost", 17, "no pictures")
    program = world.token(world.user("root", Role.ADMINISTRATOR), Permission.READ_LIVE)
    assert program.get("/api/v1/cameras/live").json() == {
        "cameras": [{"camera": "gate", "state": "lost", "since_ns": 17, "detail": "no pictures"}]
    }
    assert world.logged_in(Role.VIEWER).get("/api/v1/cameras/live").json() == {"cameras": []}
