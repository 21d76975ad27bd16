"""Who plays which camera's video, and that nobody plays what is to be hidden."""

from __future__ import annotations

import asyncio
from pathlib import Path

import av
import pytest
from av.video.stream import VideoStream

from pipeline.sources.taps import Taps
from tests.workers.live.test_video import KEY_EVERY, PICTURES, write_video
from workers.live.hub import LiveHub
from workers.live.video import VideoTap
from workers.live.videos import LiveVideos


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "video.mp4")


def play(tap: VideoTap | Taps, path: Path, packets: int = PICTURES) -> list[int]:
    """Show the first packets of a file to `tap`; their ordinals."""
    with av.open(path) as container:
        stream: VideoStream = container.streams.video[0]
        tap.open_stream(stream)
        return [
            tap.packet(packet) for _, packet in zip(range(packets), container.demux(stream), strict=False)
        ]


def test_a_camera_that_is_masked_now_shows_nothing_of_before(video: Path) -> None:
    videos, woken = LiveVideos(), []
    before = videos.tap("gate")
    videos.play("gate", "somebody", lambda: woken.append(1))
    play(before, video, KEY_EVERY)
    chunk = videos.since("gate", None)
    assert chunk is not None
    assert woken
    videos.forget("gate")
    assert not videos.has("gate")
    play(before, video)
    assert videos.since("gate", chunk.place) is None
    assert videos.since("gate", None) is None
    play(videos.tap("gate"), video, 3)
    again = videos.since("gate", chunk.place)
    assert again is not None
    assert again.init, "a player begins anew"
    assert again.place.stream > chunk.place.stream


def test_nothing_is_made_for_players_who_left(video: Path) -> None:
    videos = LiveVideos()
    tap = videos.tap("gate")
    for player in ("one", "two"):
        videos.play("gate", player, lambda: None)
    videos.leave("gate", "one")
    play(tap, video, 3)
    assert videos.since("gate", None) is not None
    videos.leave("gate", "two")
    videos.leave("gate", "two")
    videos.forget("gate")
    play(videos.tap("gate"), video)
    assert videos.since("gate", None) is None


def test_a_viewer_plays_only_what_may_be_seen_and_is_there(video: Path) -> None:
    async def watch() -> None:
        hub = LiveHub(lambda: 0)
        taps = {name: hub.videos.tap(name) for name in ("gate", "yard")}
        with hub.connect(lambda camera_id: camera_id != "yard") as viewer:
            assert not viewer.play("yard")
            assert not viewer.play("nowhere")
            assert viewer.play("gate")
            play(taps["gate"], video, 5)
            taken = await viewer.take(1.0)
            assert taken.video is not None
            assert taken.video.init
            assert (await viewer.take(0.01)).video is None
            viewer.allow(lambda camera_id: False)
            assert viewer.played is None
            play(taps["gate"], video)
            assert (await viewer.take(0.01)).video is None

    asyncio.run(watch())


def test_two_taps_hear_the_same_and_the_first_one_counts(video: Path) -> None:
    videos = [LiveVideos(), LiveVideos()]
    for one in videos:
        one.play("gate", "somebody", lambda: None)
    first, second = (one.tap("gate") for one in videos)
    taps = Taps(first, second)
    assert play(taps, video, 6) == list(range(6))
    found = [one.since("gate", None) for one in videos]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].data == found[1].data
    taps.frame(0, 0, 0, None)
    taps.close_stream()
    taps.close()
    assert taps.dropped_by_cause == {}
