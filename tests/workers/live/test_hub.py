"""The hub: nothing is lost to whoever comes back in time, and nobody's slowness costs memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from workers.live.events import Event, EventRing
from workers.live.hub import LiveHub
from workers.live.state import MAX_TRACKS, CameraState, OpenTracks
from workers.live.tiles import Tile
from workers.live.viewer import Taken, Viewer

NOW_NS = 1_700_000_000_000_000_000


def make_hub(kept: int = 100) -> LiveHub:
    return LiveHub(lambda: NOW_NS, kept)


def make_tile(camera_id: str = "gate", width_px: int = 320, pts_ns: int = 0) -> Tile:
    return Tile(camera_id, 1, pts_ns, NOW_NS, width_px, 180, b"jpeg", ())


def everything(camera_id: str) -> bool:
    return True


def in_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(main(), 20))


async def ids(viewer: Viewer, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        taken = await viewer.take(5)
        assert taken, "nothing comes"
        found += [event.id for event in taken.events]
    return found


def test_events_from_many_threads_reach_everybody_once_and_in_order() -> None:
    hub = make_hub(kept=5000)

    async def main() -> None:
        viewers = [hub.connect(everything) for _ in range(3)]
        threads = [
            threading.Thread(target=lambda: [hub.announce("sighting", "gate", {}) for _ in range(300)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for viewer in viewers:
            found = await ids(viewer, 1200)
            assert found == sorted(set(found))
            assert len(found) == 1200
        for thread in threads:
            thread.join()

    in_loop(main)


def test_whoever_comes_back_gets_what_was_missed() -> None:
    hub = make_hub()

    async def main() -> None:
        with hub.connect(everything) as viewer:
            known = hub.announce("sighting", "gate", {"n": 1})
            assert (await ids(viewer, 1)) == [known]
        missed = [hub.announce("sighting", "gate", {"n": n}) for n in range(2, 50)]
        with hub.connect(everything, after=known) as viewer:
            assert await ids(viewer, len(missed)) == missed

    in_loop(main)


def test_whoever_comes_back_too_late_is_told_of_the_gap_once_and_goes_on() -> None:
    hub = make_hub(kept=10)

    async def main() -> None:
        known = hub.last
        for _ in range(30):
            hub.announce("sighting", "gate", {})
        for after in (known, known + 1_000_000, 0):
            with hub.connect(everything, after) as viewer:
                assert await viewer.take(1) == Taken(gap=True)
                following = hub.announce("sighting", "gate", {})
                taken = await viewer.take(1)
                assert ([event.id for event in taken.events], taken.gap) == ([following], False)

    in_loop(main)


def test_numbers_go_on_growing_over_a_restart() -> None:
    first = EventRing(NOW_NS)
    for _ in range(100):
        first.append("sighting", None, NOW_NS, {})
    second = EventRing(NOW_NS + 1_000_000_000)
    assert second.last > first.last
    assert second.since(first.last, 10).gap, "what the page of before the restart knew is not here"
    assert second.last < 2**53, "browsers count no further"


def test_of_each_camera_only_the_newest_picture_waits() -> None:
    hub = make_hub()

    async def main() -> None:
        viewer = hub.connect(everything)
        viewer.show({"gate": 320, "yard": 640})
        for pts_ns in range(1000):
            hub.publish_tile(make_tile("gate", 320, pts_ns))
        hub.publish_tile(make_tile("yard", 640, 7))
        hub.publish_tile(make_tile("yard", 320, 8))
        taken = await viewer.take(1)
        assert [(tile.camera_id, tile.pts_ns) for tile in taken.tiles] == [("gate", 999), ("yard", 7)]
        assert not await viewer.take(0.05), "nobody sees a picture twice"

    in_loop(main)


def test_memory_does_not_grow_with_viewers_who_take_nothing() -> None:
    hub = make_hub(kept=50)

    async def main() -> None:
        viewers = [hub.connect(everything) for _ in range(20)]
        for viewer in viewers:
            viewer.show({"gate": 320})
        for number in range(2000):
            hub.announce("sighting", "gate", {"n": number})
            hub.publish_tile(make_tile(pts_ns=number))
        assert len(hub._tiles) == 1
        assert len(hub._ring._events) == 50
        assert (await viewers[0].take(1)).gap

    in_loop(main)


def test_nothing_is_wanted_that_nobody_shows_and_changes_are_told() -> None:
    hub = make_hub()
    told: list[tuple[str, frozenset[int]]] = []
    no_more = hub.on_wanted(lambda camera_id: told.append((camera_id, hub.wanted(camera_id))))

    async def main() -> None:
        first, second = hub.connect(everything), hub.connect(everything)
        first.show({"gate": 320})
        second.show({"gate": 1280})
        assert hub.wanted("gate") == {320, 1280}
        second.show({"gate": 320})
        hub.publish_tile(make_tile("gate", 1280))
        first.close()
        first.close()
        second.show({})
        no_more()
        second.show({"gate": 640})
        second.close()

    in_loop(main)
    assert hub.wanted("gate") == frozenset()
    assert told == [
        ("gate", {320}),
        ("gate", {320, 1280}),
        ("gate", {320}),
        ("gate", frozenset()),
    ]
    assert not hub._tiles
    assert hub.watching == 0


def test_nobody_sees_other_cameras_than_theirs_also_when_that_changes() -> None:
    hub = make_hub()

    async def main() -> None:
        viewer = hub.connect(lambda camera_id: camera_id == "gate")
        viewer.show({"gate": 320, "yard": 320})
        assert hub.wanted("yard") == frozenset()
        hub.announce("sighting", "yard", {})
        mine = hub.announce("sighting", "gate", {})
        everybodys = hub.announce("gauge", None, {})
        assert await ids(viewer, 2) == [mine, everybodys]
        viewer.allow(lambda camera_id: camera_id == "yard")
        assert hub.wanted("gate") == frozenset()
        hub.publish_tile(make_tile("gate"))
        hub.announce("sighting", "gate", {})
        assert not await viewer.take(0.05)

    in_loop(main)


def test_a_width_that_there_is_not_is_refused() -> None:
    async def main() -> None:
        with make_hub().connect(everything) as viewer, pytest.raises(ValueError, match="320, 640, 1280 px"):
            viewer.show({"gate": 500})

    in_loop(main)


def test_a_newcomer_learns_how_cameras_are_and_who_is_there() -> None:
    hub = make_hub()
    hub.camera_state("yard", CameraState.LOST, 5, "cable")
    hub.camera_state("gate", "live", 6)
    first = hub.last
    hub.camera_state("gate", "live", 7)
    assert hub.last == first, "the same twice is no news"
    for track, revision in ((1, "new"), (2, "new"), (1, "update"), (2, "end")):
        hub.announce("sighting", "gate", {"epoch": 3, "track": track, "revision": revision})
    hub.trouble("the disk is full")
    hub.trouble("the disk is full")
    state = hub.state()
    assert [(one.camera_id, one.state, one.detail) for one in state.cameras] == [
        ("gate", CameraState.LIVE, ""),
        ("yard", CameraState.LOST, "cable"),
    ]
    assert [(event.body["track"], event.body["revision"]) for event in state.tracks] == [(1, "update")]
    assert (state.after, state.trouble) == (hub.last, "the disk is full")
    hub.forget_camera("gate")
    hub.forget_camera("gate")
    assert hub.state().tracks == ()
    assert [one.camera_id for one in hub.cameras()] == ["yard"]


def test_tracks_of_an_earlier_epoch_are_over_and_never_too_many_are_remembered() -> None:
    tracks = OpenTracks()

    def take(epoch: int, track: int) -> None:
        tracks.take(Event(0, "sighting", "gate", 0, {"epoch": epoch, "track": track, "revision": "new"}))

    for track in range(MAX_TRACKS + 5):
        take(1, track)
    assert len(tracks.all()) == MAX_TRACKS
    take(2, 1)
    take(1, 9)
    assert [event.body["epoch"] for event in tracks.all()] == [2]


def test_a_camera_that_is_not_live_leaves_no_picture_for_newcomers() -> None:
    hub = make_hub()

    async def main() -> None:
        with hub.connect(everything) as viewer:
            viewer.show({"gate": 320})
            hub.publish_tile(make_tile())
            hub.camera_state("gate", "lost", 1)
            with hub.connect(everything) as other:
                other.show({"gate": 320})
                assert not (await other.take(0.05)).tiles

    in_loop(main)


def test_everybody_is_sent_away_in_the_end() -> None:
    hub = make_hub()

    async def main() -> None:
        viewer = hub.connect(everything)
        threading.Timer(0.1, hub.close).start()
        assert (await viewer.take(10)).over
        assert (await hub.connect(everything).take(10)).over
        assert hub.watching == 0

    in_loop(main)
