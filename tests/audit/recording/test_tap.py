"""Packets into segments and back."""

from __future__ import annotations

import hashlib
import itertools
import struct
from pathlib import Path
from typing import Any

import av
import pytest

from audit.recording.closed import read_record
from audit.recording.index import read_index
from audit.recording.layout import FOLDER, epoch_folder
from audit.recording.library import Recordings
from pipeline.errors import SourceNotFound
from tests.audit.recording.footage import (
    B_FRAMES,
    CAMERA,
    OPEN_GOPS,
    SECOND_NS,
    START_NS,
    Told,
    pixels,
    play,
    record,
    recorder,
    replayed,
    shown,
    write_clip,
)

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "h264": ("clip.mp4", {}),
    "h264 with open groups": ("clip.mp4", {"options": OPEN_GOPS}),
    "h264 as a camera sends it": ("clip.ts", {}),
    "h264 without time stamps": ("clip.h264", {}),
    "hevc": ("clip.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=10"}}),
    "mjpeg": ("clip.avi", {"codec": "mjpeg", "options": {}, "pix_fmt": "yuvj420p"}),
    "mpeg4": ("clip.avi", {"codec": "mpeg4", "options": {"bf": "2"}}),
    "vp8, which is no matter for mp4": ("clip.webm", {"codec": "libvpx", "options": {"cpu-used": "8"}}),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_comes_back_with_its_name_and_its_pixels(tmp_path: Path, kind: str) -> None:
    name, how = KINDS[kind]
    clip = write_clip(tmp_path / name, **how)
    told = record(clip, tmp_path)
    assert told.errors == []
    assert len(told.closed) >= 2
    assert {segment.path.suffix for segment in told.closed} == {".mkv" if "webm" in name else ".mp4"}
    assert replayed(tmp_path) == shown(clip)


@pytest.mark.assets
def test_the_same_for_the_clip_of_a_crowd(tmp_path: Path, assets: Path) -> None:
    clip = assets / "clips" / "crowd.mp4"
    record(clip, tmp_path)
    assert replayed(tmp_path) == shown(clip)


@pytest.mark.parametrize("options", [B_FRAMES, OPEN_GOPS], ids=["closed groups", "open groups"])
def test_any_frame_is_found_by_its_name(tmp_path: Path, options: dict[str, str]) -> None:
    clip = write_clip(tmp_path / "clip.mp4", options=options)
    record(clip, tmp_path)
    recordings = Recordings(tmp_path)
    for pts_ns, digest in shown(clip):
        frame = recordings.frame_at(CAMERA, 0, pts_ns)
        assert (frame.pts_ns, frame.captured_at_ns) == (pts_ns, START_NS + pts_ns)
        assert pixels(frame) == digest
    for pts_ns in (1, 10 * SECOND_NS):
        with pytest.raises(SourceNotFound, match=str(pts_ns)):
            recordings.frame_at(CAMERA, 0, pts_ns)


def test_a_stretch_of_frames_over_a_border(tmp_path: Path, clip: Path) -> None:
    record(clip, tmp_path)
    frames = list(Recordings(tmp_path).frames(CAMERA, 0, 13 * SECOND_NS // 10, 34 * SECOND_NS // 10))
    assert [frame.pts_ns * 10 // SECOND_NS for frame in frames] == list(range(13, 35))


def test_packets_are_kept_to_the_byte(tmp_path: Path, clip: Path) -> None:
    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]

    told = record(clip, tmp_path)
    kept = [packet for segment in told.closed for packet in packets(segment.path)]
    assert kept == packets(clip)


def test_decoding_on_several_threads_names_the_same(tmp_path: Path, clip: Path) -> None:
    told = Told()
    into = recorder(tmp_path, told)
    play(clip, into, threads=3)
    into.close()
    assert replayed(tmp_path) == shown(clip)


def test_a_segment_begins_at_the_first_key_frame_after_the_time_is_over(tmp_path: Path, clip: Path) -> None:
    told = record(clip, tmp_path, segment_s=1.5)
    assert [segment.first_pts_ns / SECOND_NS for segment in told.closed] == [0, 2, 4]
    for segment in told.closed:
        with av.open(str(segment.path)) as container:
            assert next(container.demux(video=0)).is_keyframe
    pairs = itertools.pairwise(told.closed)
    assert all(one.last_pts_ns < other.first_pts_ns for one, other in pairs)


def test_a_segment_ends_when_it_is_too_large(tmp_path: Path, clip: Path) -> None:
    told = record(clip, tmp_path, segment_s=1000, segment_bytes=1)
    assert len(told.closed) == 6
    assert replayed(tmp_path) == shown(clip)


def test_what_is_said_of_a_closed_segment(tmp_path: Path, clip: Path) -> None:
    told = record(clip, tmp_path, clock_offset_s=-2)
    first = told.closed[0]
    assert read_record(first.paths.record) == first
    assert first.path.parent == epoch_folder(tmp_path / FOLDER, CAMERA, 0)
    assert (first.camera_id, first.stream_epoch, first.codec, first.recovered) == (CAMERA, 0, "h264", False)
    assert (first.frames, first.packets) == (20, 20)
    assert first.last_pts_ns == 19 * SECOND_NS // 10
    assert first.first_captured_at_ns == START_NS - 2 * SECOND_NS
    assert first.last_captured_at_ns == START_NS - 2 * SECOND_NS + first.last_pts_ns
    for path, size, digest in (
        (first.path, first.media_bytes, first.media_sha256),
        (first.paths.index, first.index_bytes, first.index_sha256),
    ):
        data = path.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (size, digest)


def test_every_connection_has_an_epoch_of_its_own(tmp_path: Path, clip: Path) -> None:
    told = Told()
    into = recorder(tmp_path, told)
    for epoch in (4, 5):
        play(clip, into, epoch=epoch)
    into.close()
    assert Recordings(tmp_path).epochs(CAMERA) == [4, 5]
    assert replayed(tmp_path, epoch=4) == replayed(tmp_path, epoch=5) == shown(clip)


def test_strange_cameras_are_kept_apart(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 10)
    names = ["../x", "a/b", "Gate", "gate", "приход", ""]
    for name in names:
        record(clip, tmp_path / "data", camera_id=name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "data"]
    assert sorted(one.camera_id for one in Recordings(tmp_path / "data").segments()) == sorted(names)
    assert all(len(replayed(tmp_path / "data", camera=name)) == 10 for name in names)


def test_footage_that_is_kept_already_is_not_kept_twice(tmp_path: Path, clip: Path) -> None:
    first = record(clip, tmp_path)
    into = recorder(tmp_path, again := Told())
    play(clip, into)
    into.close()
    assert into.dropped_by_cause == {"kept_already": 60}
    assert (again.closed, again.errors) == ([], [])
    assert Recordings(tmp_path).segments() == first.closed


def test_a_codec_that_cannot_be_kept_is_said_and_nothing_else_happens(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", 3, codec="rawvideo", options={})
    told = record(clip, tmp_path / "data")
    assert told.closed == []
    assert len(told.errors) == 1
    assert "rawvideo" in told.errors[0]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("quarter_turns", [1, 2])
def test_rotation_beside_the_picture_is_kept(tmp_path: Path, quarter_turns: int) -> None:
    clip = write_clip(tmp_path / "turned.mp4", 10)
    _turn(clip, quarter_turns)
    record(clip, tmp_path)
    frame = next(Recordings(tmp_path).frames(CAMERA, 0))
    assert frame.image_bgr.shape == ((160, 96, 3) if quarter_turns == 1 else (96, 160, 3))
    assert replayed(tmp_path) == shown(clip)


def test_a_recording_can_be_played_by_others_from_zero_on(tmp_path: Path, clip: Path) -> None:
    for segment in record(clip, tmp_path).closed:
        with av.open(str(segment.path)) as container:
            times = [float(frame.time or 0) for frame in container.decode(video=0)]
        assert times[0] < 0.5
        assert len(times) == segment.frames
        assert times == pytest.approx([times[0] + number / 10 for number in range(len(times))], abs=0.002)


def test_a_frame_that_nobody_named_is_not_replayed_and_not_lost(tmp_path: Path, clip: Path) -> None:
    told = record(clip, tmp_path, segment_s=1000)
    index = read_index(told.closed[0].paths.index)
    assert len(index.packets) == 60

    class Silent:
        """A recorder that is never told of the frame of packet 7, as if it had been broken."""

        def __init__(self) -> None:
            self.into = recorder(tmp_path / "other", Told(), segment_s=1000)
            self.open_stream, self.packet = self.into.open_stream, self.into.packet
            self.close_stream = self.into.close_stream

        def frame(self, ordinal: int, epoch: int, pts_ns: int, at_ns: int | None) -> None:
            if ordinal != 7:
                self.into.frame(ordinal, epoch, pts_ns, at_ns)

    silent = Silent()
    play(clip, silent)  # type: ignore[arg-type]
    silent.into.close()
    (segment,) = Recordings(tmp_path / "other").segments()
    assert (segment.packets, segment.frames) == (60, 59)
    name = next(frame.pts_ns for frame in index.frames if frame.ordinal == 7)
    assert replayed(tmp_path / "other") == [one for one in shown(clip) if one[0] != name]


def _turn(path: Path, quarter_turns: int) -> None:
    """Write the rotation into the track header's matrix (ISO 14496-12, 8.3.2)."""
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter_turns]
    one = 1 << 16
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    data[start : start + 36] = struct.pack(
        ">9i", cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 1 << 30
    )
    path.write_bytes(data)
