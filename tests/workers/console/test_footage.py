"""Kept footage around a sighting: clips of a real recording, in pieces, to whoever may see them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from httpx2 import Response

from tests.audit.recording.footage import record, write_clip
from tests.workers.console.seen import named, see
from tests.workers.console.world import Browser, World
from workers.console.access.roles import Role
from workers.console.footage.cache import ClipCache
from workers.console.footage.service import MAX_S


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds in H.264."""
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 60)


@pytest.fixture
def filmed(world: World, clip: Path, tmp_path: Path) -> World:
    """With footage of the gate, in which Ada was seen from 3 to 4 s."""
    record(clip, world.database.folder)
    ada = world.enroll(tmp_path, "Ada", 1)
    see(
        world, "k1", 1, **named(ada), first_seen_s=3.0, last_seen_s=4.0, first_seen_at=None, last_seen_at=None
    )
    return world


@pytest.fixture
def root(world: World) -> Browser:
    return world.logged_in(Role.ADMINISTRATOR, "root")


def frames(answer: Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(answer.content), "r") as container:
        assert container.streams.video[0].codec_context.name == "h264"
        return list(container.decode(video=0))


def test_the_page_of_a_decision_leads_to_the_footage_around_it(filmed: World, root: Browser) -> None:
    page = root.get("/sightings/k1").text
    address = "/footage/gate/0?from=0.000&amp;to=7.000"
    assert f'src="{address}"' in page
    assert 'data-start="3.0"' in page
    shown = frames(root.get(address.replace("&amp;", "&")))
    assert len(shown) == 60
    ada = filmed.gallery.subjects()[0].id
    what, subjects = filmed.record.records[-1][1:]
    assert (what, subjects) == ("footage of gate, epoch 0, 0.0 s to 7.0 s shown", (ada,))


def test_a_clip_holds_what_was_asked_for_and_a_little_more(filmed: World, root: Browser) -> None:
    found = frames(root.get("/api/v1/footage/gate/0?from=3.2&to=3.9"))
    assert 7 <= len(found) <= 20
    assert filmed.record.records[-1][2], "she was seen then"
    root.get("/api/v1/footage/gate/0?from=0&to=1")
    assert filmed.record.records[-1][2] == (), "and not then"


def test_players_get_it_in_pieces_and_that_is_one_look(filmed: World, root: Browser) -> None:
    address = "/footage/gate/0?from=0&to=5"
    whole = root.get(address).content
    part = root.get(address, headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    rest = root.get(address, headers={"range": f"bytes={len(whole) - 5}-"})
    assert rest.content == whole[-5:]
    assert root.get(address, headers={"range": "bytes=99999999-"}).status_code == 416
    assert sum("footage of gate" in what for what in filmed.record.what()) == 1


def test_nothing_is_shown_of_other_cameras_or_without_permission(filmed: World, root: Browser) -> None:
    hall = filmed.access.groups.add("hall", ["hall"])
    gate = filmed.access.groups.add("gate", ["gate"])
    elsewhere = filmed.logged_in(Role.OPERATOR, "elsewhere", [hall.id])
    viewer = filmed.logged_in(Role.VIEWER, "viewer", [gate.id])
    assert elsewhere.get("/footage/gate/0?from=0&to=1").status_code == 404
    assert viewer.get("/footage/gate/0?from=0&to=1").status_code == 403
    page = viewer.get("/sightings/k1").text
    assert "<video" not in page
    assert "You may not look at footage" in page
    assert not any("footage of" in what for what in filmed.record.what())


NOT_THERE = [
    ("/footage/gate/0?from=100&to=101", 404),
    ("/footage/gate/1?from=0&to=1", 404),
    ("/footage/hall/0?from=0&to=1", 404),
    ("/footage/..%2f..%2frecordings%2fgate/0?from=0&to=1", 404),
    ("/footage/%2e%2e%2fgate/0?from=0&to=1", 404),
    ("/footage/gate%00/0?from=0&to=1", 404),
    ("/footage//etc/0?from=0&to=1", 404),
    ("/footage/gate/-1?from=0&to=1", 422),
    ("/footage/gate/99999999999999999999?from=0&to=1", 422),
    ("/footage/gate/0", 422),
    ("/footage/gate/0?from=2&to=1", 422),
    (f"/footage/gate/0?from=0&to={MAX_S + 1}", 422),
    ("/footage/gate/0?from=-1&to=1", 422),
    ("/footage/gate/0?from=nan&to=1", 422),
    ("/footage/gate/0?from=0&to=inf", 422),
]


def test_what_is_not_there_is_said_so_and_paths_lead_nowhere(filmed: World, root: Browser) -> None:
    got = [(path, root.get(path).status_code) for path, _ in NOT_THERE]
    assert got == NOT_THERE


def test_a_camera_with_a_slash_has_footage_too(world: World, root: Browser, clip: Path) -> None:
    record(clip, world.database.folder, camera_id="lobby/1:2 é")
    see(world, "k1", 1, camera_id="lobby/1:2 é", first_seen_s=3.0, last_seen_s=4.0)
    assert "/footage/lobby%2F1%3A2%20%C3%A9/0?from=" in root.get("/sightings/k1").text
    assert frames(root.get("/footage/lobby%2F1%3A2%20%C3%A9/0?from=1&to=2"))


def test_what_browsers_do_not_play_is_encoded_for_them(world: World, root: Browser, tmp_path: Path) -> None:
    old = write_clip(tmp_path / "old.avi", 30, codec="mpeg4", options={})
    record(old, world.database.folder)
    found = frames(root.get("/footage/gate/0?from=1&to=2"))
    assert len(found) == 11


def test_deleted_footage_is_gone_from_the_clips_as_well(filmed: World, root: Browser) -> None:
    address = "/footage/gate/0?from=0&to=5"
    frames(root.get(address))
    for path in (filmed.database.folder / "recordings" / "gate").rglob("*.json"):
        path.unlink()
    assert root.get(address).status_code == 404
    assert "None is kept of this moment" in root.get("/sightings/k1").text


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> Iterator[ClipCache]:
    made = ClipCache(clock, most_bytes=25, keep_s=300.0)
    yield made
    made.close()


def test_clips_are_made_once_and_the_cache_stays_small(cache: ClipCache, clock: Clock) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"0123456789")

    paths = [cache.get(str(number), write) for number in range(3)]
    assert all(path.exists() for path in paths), "what was just asked for stays"
    assert cache.get("0", write) == paths[0]
    clock.now_s = 61.0
    cache.get("0", write)
    clock.now_s = 130.0
    cache.get("3", write)
    assert [path.exists() for path in paths] == [True, False, False]
    clock.now_s = 600.0
    last = cache.get("4", write)
    assert not paths[0].exists()
    folder = last.parent
    cache.close()
    cache.close()
    assert not folder.exists()
    assert cache.get("5", write).read_bytes() == b"0123456789"


def test_a_clip_that_fails_leaves_nothing(cache: ClipCache) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    for _ in range(2):
        with pytest.raises(OSError, match="full"):
            cache.get("a", fail)
    whole = cache.get("a", lambda path: path.write_bytes(b"x"))
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]
