"""Video as it is sent: what a player gets can be decoded from the beginning, whenever it comes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from workers.live.codec_name import codec_name
from workers.live.video import Chunk, Place, VideoRing, VideoTap

PICTURES, KEY_EVERY = 24, 8


def write_video(path: Path, codec: str = "libx264", pictures: int = PICTURES) -> Path:
    """Grey pictures that grow lighter, a key picture every :data:`KEY_EVERY`."""
    with av.open(path, "w") as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=25))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.gop_size = KEY_EVERY
        if codec == "libx264":
            stream.options = {"bf": "2", "sc_threshold": "0", "preset": "ultrafast"}
        for number in range(pictures):
            image = np.full((48, 64, 3), 10 * number % 250, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode(None))
    return path


class Watched:
    """A file that is read through a tap, and a player that looks after some packets."""

    def __init__(self) -> None:
        self.ring, self.wanted, self.news = VideoRing(), True, 0
        self.tap = VideoTap("gate", self.ring, lambda: self.wanted, self._more)
        self.chunks: list[Chunk] = []

    def _more(self) -> None:
        self.news += 1

    def look(self) -> None:
        chunk = self.ring.since(self.chunks[-1].place if self.chunks else None)
        if chunk is not None:
            self.chunks.append(chunk)

    def read(self, path: Path, looks: range = range(PICTURES)) -> None:
        with av.open(path) as container:
            stream = container.streams.video[0]
            self.tap.open_stream(stream)
            for number, packet in enumerate(container.demux(stream)):
                self.tap.packet(packet)
                if number in looks:
                    self.look()
        self.tap.close_stream()


def grey_of(chunks: Sequence[Chunk]) -> list[float]:
    """The mean of every picture that a player shows."""
    data = b"".join(chunk.init + chunk.data for chunk in chunks)
    with av.open(io.BytesIO(data), "r") as container:
        return [float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "video.mp4")


@pytest.mark.parametrize("look_every", [1, 3, 7])
def test_whoever_watches_from_the_beginning_sees_every_picture(video: Path, look_every: int) -> None:
    watched = Watched()
    watched.read(video, range(0, PICTURES, look_every))
    watched.look()
    shown = grey_of(watched.chunks)
    assert len(shown) == PICTURES - 1  # the last one has no next one that says how long it lasts
    assert shown == sorted(shown)
    assert [bool(chunk.init) for chunk in watched.chunks] == [True] + [False] * (len(watched.chunks) - 1)
    assert watched.news == PICTURES - 1


def test_whoever_comes_late_begins_at_the_last_key_picture(video: Path) -> None:
    watched = Watched()
    watched.read(video, range(KEY_EVERY + 4, PICTURES))
    assert watched.chunks[0].init
    assert len(grey_of(watched.chunks)) == PICTURES - 1 - KEY_EVERY


def test_whoever_was_away_for_too_long_begins_anew(video: Path) -> None:
    watched = Watched()
    watched.read(video, range(2, 3))
    watched.look()
    assert [bool(chunk.init) for chunk in watched.chunks] == [True, True]
    assert len(grey_of(watched.chunks[1:])) == PICTURES - 1 - 2 * KEY_EVERY


def test_another_connection_is_another_stream(video: Path) -> None:
    watched = Watched()
    watched.read(video)
    watched.read(video)
    assert sum(bool(chunk.init) for chunk in watched.chunks) == 2
    assert {chunk.place.stream for chunk in watched.chunks} == {1, 2}


def test_what_nobody_wants_is_not_made(video: Path) -> None:
    watched = Watched()
    watched.wanted = False
    watched.read(video)
    assert watched.news == 0
    assert watched.chunks == []


def test_another_codec_is_left_alone(tmp_path: Path) -> None:
    watched = Watched()
    watched.read(write_video(tmp_path / "other.mp4", "mpeg4"))
    assert watched.chunks == []


def test_pictures_have_the_ordinals_that_a_recorder_gives(video: Path) -> None:
    watched = Watched()
    with av.open(video) as container:
        stream = container.streams.video[0]
        watched.tap.open_stream(stream)
        ordinals = [watched.tap.packet(packet) for packet in container.demux(stream) if packet.size]
    assert ordinals == list(range(PICTURES))


def test_the_ring_is_bounded() -> None:
    ring = VideoRing(max_bytes=100)
    ring.begin("avc1.64001f", b"init")
    ring.add(b"k" * 40, is_key=True)
    ring.add(b"p" * 40, is_key=False)
    assert ring.since(None) is not None
    ring.add(b"p" * 40, is_key=False)
    ring.add(b"p" * 10, is_key=False)
    assert ring.since(None) is None
    ring.add(b"k" * 40, is_key=True)
    chunk = ring.since(Place(1, 0))
    assert chunk is not None
    assert (chunk.init, chunk.data) == (b"init", b"k" * 40)


def test_the_codec_is_named_after_its_profile() -> None:
    assert codec_name(b"....avcC\x01\x64\x00\x1f...") == "avc1.64001f"
    for nothing in (b"", b"avcC", b"avcC\x02\x64\x00\x1f"):
        with pytest.raises(ValueError, match="profile"):
            codec_name(nothing)
