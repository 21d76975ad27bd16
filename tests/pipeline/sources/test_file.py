from __future__ import annotations

import itertools
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError, SourceNotFound, SourceUnreadable
from pipeline.sources.file import FileSource
from pipeline.types import ByteArray
from tests.contracts.frame_source import FrameSourceContract, Make
from tests.rtsp.counting import read_number, write_numbered_video

MakeVideo = Callable[..., Path]
Unprivileged = Callable[[], AbstractContextManager[None]]


def numbers(source: FileSource) -> list[int]:
    return [read_number(frame.image_bgr) for frame in source.frames()]


def read(path: Path) -> tuple[SourceError | None, int]:
    """The source error that reading `path` ends with, if any, and the number of frames."""
    try:
        return None, len(list(FileSource(path).frames()))
    except SourceError as error:
        return error, 0


class TestContract(FrameSourceContract):
    @pytest.fixture
    def make(self, make_video: MakeVideo) -> Make:
        path = make_video("clip.mp4")
        return lambda: FileSource(path)


class TestContractWithStart(FrameSourceContract):
    @pytest.fixture
    def make(self, make_video: MakeVideo) -> Make:
        path = make_video("clip.mkv")
        return lambda: FileSource(path, started_at_ns=1_700_000_000_000_000_000, threads=1)


class TestFrames:
    @pytest.mark.parametrize("threads", [None, 0, 1, 3])
    def test_every_frame_comes_once_and_in_order(self, tmp_path: Path, threads: int | None) -> None:
        path = write_numbered_video(tmp_path / "numbered.mp4", 60, (320, 180))
        source = FileSource(path, threads=threads)
        assert numbers(source) == list(range(60))
        assert source.frame_count == 60
        assert source.rate_hz == 25
        assert source.camera_id == "numbered"
        assert source.dropped_by_cause == {}

    def test_two_runs_are_equal_to_the_byte(self, make_video: MakeVideo) -> None:
        path = make_video("clip.mp4", size=(66, 50))
        first, second = ([(f.pts_ns, f.image_bgr.tobytes()) for f in FileSource(path).frames()] for _ in "ab")
        assert first == second

    def test_the_same_source_can_be_read_again(self, make_video: MakeVideo) -> None:
        source = FileSource(make_video("clip.mp4", count=6))
        assert [f.pts_ns for f in source.frames()] == [f.pts_ns for f in source.frames()]

    def test_nothing_is_lost_when_the_consumer_is_slow(self, tmp_path: Path) -> None:
        path = write_numbered_video(tmp_path / "n.mp4", 30, (160, 96))
        seen = []
        for frame in FileSource(path).frames():
            time.sleep(0.01)
            seen.append(read_number(frame.image_bgr))
        assert seen == list(range(30))

    def test_wall_clock_follows_the_start(self, make_video: MakeVideo) -> None:
        frames = list(FileSource(make_video("clip.mp4", count=3), started_at_ns=10**18).frames())
        assert [f.captured_at_ns for f in frames] == [10**18, 10**18 + 40_000_000, 10**18 + 80_000_000]
        assert all(f.captured_at_ns is None for f in FileSource(make_video("clip2.mp4", count=3)).frames())

    @pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mkv"])
    def test_variable_frame_rate_keeps_each_frames_own_time(self, make_video: MakeVideo, name: str) -> None:
        ticks = [0, 1, 2, 50, 51, 120]
        source = FileSource(make_video(name, count=6, ticks=ticks))
        assert [frame.pts_ns for frame in source.frames()] == [tick * 40_000_000 for tick in ticks]
        assert source.dropped_by_cause == {}

    def test_time_counts_from_the_first_frame(self, make_video: MakeVideo) -> None:
        source = FileSource(make_video("late.mkv", count=3, ticks=[25, 26, 28]))
        assert [frame.pts_ns for frame in source.frames()] == [0, 40_000_000, 120_000_000]

    def test_a_file_is_opened_by_its_name_whatever_is_in_it(self, make_video: MakeVideo) -> None:
        path = make_video("plain.mp4", count=4)
        for name in ("rtsp:x.mp4", "concat:a|b.mp4", "per%20cent ü.mp4"):
            odd = path.rename(path.with_name(name))
            assert len(list(FileSource(odd).frames())) == 4
            path = odd


class TestPictures:
    @pytest.mark.parametrize(
        ("codec", "pix_fmt", "size", "name"),
        [
            ("ffv1", "bgr0", (1, 1), "one.mkv"),
            ("libx264", "yuv444p", (1, 1), "one.mp4"),
            ("libx264", "yuv444p", (33, 17), "odd.mp4"),
            ("libx264", "yuv420p", (34, 18), "padded.mp4"),
            ("ffv1", "gray", (34, 18), "grey.mkv"),
            ("ffv1", "yuv420p10le", (34, 18), "ten-bit.mkv"),
            ("mjpeg", "yuvj420p", (34, 18), "full-range.avi"),
        ],
    )
    def test_all_sizes_and_formats_give_bgr(
        self, make_video: MakeVideo, codec: str, pix_fmt: str, size: tuple[int, int], name: str
    ) -> None:
        def picture(number: int, width: int, height: int) -> ByteArray:
            return np.full((height, width, 3), 60 + 40 * number, np.uint8)

        source = FileSource(
            make_video(name, count=4, codec=codec, pix_fmt=pix_fmt, size=size, picture=picture)
        )
        frames = list(source.frames())
        assert [frame.image_bgr.shape for frame in frames] == [(size[1], size[0], 3)] * 4
        for number, frame in enumerate(frames):
            assert frame.image_bgr.flags.c_contiguous
            assert np.abs(frame.image_bgr.astype(int) - (60 + 40 * number)).max() <= 8

    def test_channels_are_blue_green_red(self, make_video: MakeVideo) -> None:
        def picture(_: int, width: int, height: int) -> ByteArray:
            image = np.zeros((height, width, 3), np.uint8)
            image[:] = (200, 120, 30)
            return image

        frame = next(FileSource(make_video("colour.mp4", picture=picture)).frames())
        assert np.abs(frame.image_bgr.mean(axis=(0, 1)) - (200, 120, 30)).max() < 6

    @pytest.mark.parametrize(("pix_fmt", "color_range"), [("yuv420p", 1), ("yuv420p", 2), ("yuvj420p", 2)])
    def test_black_and_white_survive_both_colour_ranges(
        self, make_video: MakeVideo, pix_fmt: str, color_range: int
    ) -> None:
        def picture(_: int, width: int, height: int) -> ByteArray:
            image = np.zeros((height, width, 3), np.uint8)
            image[:, width // 2 :] = 255
            return image

        source = FileSource(
            make_video("range.mp4", pix_fmt=pix_fmt, picture=picture, color_range=color_range)
        )
        image = next(source.frames()).image_bgr
        assert image[:, :24].max() <= 6
        assert image[:, -24:].min() >= 249

    @pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
    def test_rotation_beside_the_picture_is_applied(self, make_video: MakeVideo, quarter_turns: int) -> None:
        def picture(_: int, width: int, height: int) -> ByteArray:
            image = np.zeros((height, width, 3), np.uint8)
            image[: height // 2, : width // 2] = 255  # upper left
            return image

        path = make_video("turned.mp4", size=(64, 32), picture=picture)
        _turn_clockwise(path, quarter_turns)
        image = next(FileSource(path).frames()).image_bgr
        upright = np.rot90(picture(0, 64, 32), -quarter_turns)
        assert image.shape == upright.shape
        assert np.abs(image.astype(int) - upright).mean() < 8
        by_opencv = cv2.VideoCapture(str(path)).read()[1]
        assert np.abs(image.astype(int) - by_opencv).mean() < 2

    def test_a_size_that_changes_on_the_way_is_followed(self, tmp_path: Path) -> None:
        small = write_numbered_video(tmp_path / "small.ts", 5, (160, 96))
        large = write_numbered_video(tmp_path / "large.ts", 5, (320, 180))
        joined = tmp_path / "joined.ts"
        joined.write_bytes(small.read_bytes() + large.read_bytes())
        frames = list(FileSource(joined).frames())
        assert {frame.image_bgr.shape for frame in frames} == {(96, 160, 3), (180, 320, 3)}
        times = [frame.pts_ns for frame in frames]
        assert times == sorted(set(times)), "the second half starts over at the same time stamps"


class TestDamage:
    @pytest.mark.parametrize(
        ("name", "options"),
        [("clip.mp4", {"movflags": "faststart"}), ("clip.mkv", {}), ("clip.avi", {})],
    )
    def test_a_truncated_file_gives_what_is_there_and_counts_what_is_not(
        self, make_video: MakeVideo, name: str, options: dict[str, str]
    ) -> None:
        path = make_video(name, count=60, picture=noise, container_options=options)
        whole = [f.image_bgr.tobytes() for f in FileSource(path).frames()]
        assert len(whole) == 60
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
        source = FileSource(path)
        part = [f.image_bgr.tobytes() for f in source.frames()]
        assert 20 < len(part) < 45
        assert part == whole[: len(part)]
        lost = source.dropped_by_cause
        assert sum(lost.values()) == pytest.approx(60 - len(part), abs=2)
        assert lost["truncated"] > 10

    def test_a_whole_file_with_longer_sound_is_not_called_truncated(self, tmp_path: Path) -> None:
        path = tmp_path / "sound.mkv"
        with av.open(str(path), "w") as container:
            video = container.add_stream("libx264", rate=25)
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
            sound = container.add_stream("aac", rate=16000, layout="mono")
            for number in range(5):
                frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="bgr24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            _write_silence(container, sound, 60)
        source = FileSource(path)
        assert len(list(source.frames())) == 5
        assert source.dropped_by_cause == {}

    def test_corrupt_frames_are_skipped_and_counted(self, make_video: MakeVideo) -> None:
        path = make_video("clip.mp4", count=60, picture=noise)
        whole = {f.pts_ns: f.image_bgr.tobytes() for f in FileSource(path).frames()}
        data = bytearray(path.read_bytes())
        rng = np.random.default_rng(3)
        for start in range(len(data) // 3, len(data) // 2, 3000):
            data[start : start + 60] = rng.integers(0, 256, 60, np.uint8).tobytes()
        path.write_bytes(data)
        source = FileSource(path)
        left = {f.pts_ns: f.image_bgr.tobytes() for f in source.frames()}
        corrupt = source.dropped_by_cause["corrupt"]
        assert corrupt > 0
        assert len(left) + corrupt == 60
        assert set(left) < set(whole)
        intact = sum(left[pts_ns] == whole[pts_ns] for pts_ns in left)
        assert intact > 25, "frames before the damage and after the next key frame are untouched"

    @given(share=st.floats(0.0, 1.0), seed=st.integers(0, 2**32 - 1), flips=st.integers(0, 30))
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_damage_of_any_kind_gives_more_than_a_source_error(
        self, make_video: MakeVideo, share: float, seed: int, flips: int
    ) -> None:
        name = ("a.mp4", "a.mkv", "a.ts", "a.avi")[seed % 4]
        data = bytearray(make_video(name, count=8, size=(32, 32), picture=noise).read_bytes())
        rng = np.random.default_rng(seed)
        del data[int(len(data) * share) :]
        for _ in range(flips if data else 0):
            data[rng.integers(len(data))] = rng.integers(256)
        broken = make_video(name, count=1).with_name("broken" + name)
        broken.write_bytes(data)
        error, frames = read(broken)
        assert frames if error is None else "broken" in str(error)


class TestRefusal:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "empty"),
            (b"hello world\n" * 100, "not a video"),
            (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n", "not a video"),
            (bytes(range(256)) * 40, "not a video"),
        ],
    )
    def test_what_is_no_video_is_named(self, tmp_path: Path, content: bytes, words: str) -> None:
        path = tmp_path / "renamed.mp4"
        path.write_bytes(content)
        with pytest.raises(SourceUnreadable, match=rf"renamed\.mp4.*{words}"):
            list(FileSource(path).frames())

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(SourceNotFound, match=r"no-such\.mp4"):
            FileSource(tmp_path / "no-such.mp4")

    def test_a_folder_and_a_pipe_are_not_files(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path, tmp_path / "pipe"):
            with pytest.raises(SourceUnreadable, match="not a file"):
                FileSource(path)

    def test_no_permission(self, make_video: MakeVideo, unprivileged: Unprivileged) -> None:
        path = make_video("secret.mp4")
        path.chmod(0)
        with unprivileged(), pytest.raises(SourceUnreadable, match=r"secret\.mp4.*permission"):
            FileSource(path)

    def test_sound_without_pictures(self, tmp_path: Path) -> None:
        path = tmp_path / "song.mp4"
        with av.open(str(path), "w") as container:
            _write_silence(container, container.add_stream("aac", rate=16000, layout="mono"), 10)
        with pytest.raises(SourceUnreadable, match=r"song\.mp4.*no video, only audio"):
            FileSource(path)

    @pytest.mark.parametrize("name", ["zero.mkv", "zero.mp4"])
    def test_a_header_without_frames(self, make_video: MakeVideo, name: str) -> None:
        path = make_video(name, count=10, container_options={"movflags": "faststart"})
        data = path.read_bytes()
        cut = data.index(b"\x1f\x43\xb6\x75") if name.endswith("mkv") else data.index(b"mdat") + 4
        path.write_bytes(data[:cut])
        with pytest.raises(SourceUnreadable, match=r"zero\.(mkv|mp4).*(no picture|not a video|no video)"):
            list(FileSource(path).frames())

    def test_an_index_that_was_never_written(self, make_video: MakeVideo) -> None:
        path = make_video("cut.mp4", count=30)
        path.write_bytes(path.read_bytes()[:-900])
        with pytest.raises(SourceUnreadable, match="before its index was written"):
            FileSource(path)

    def test_a_file_that_goes_away_between(self, make_video: MakeVideo) -> None:
        path = make_video("gone.mp4")
        source = FileSource(path)
        path.unlink()
        with pytest.raises(SourceNotFound, match=r"gone\.mp4"):
            list(source.frames())


class TestEnding:
    def test_closing_wakes_a_decoder_that_waits_for_room(self, tmp_path: Path) -> None:
        source = FileSource(write_numbered_video(tmp_path / "n.mp4", 100, (160, 96)))
        frames = source.frames()
        next(frames)
        time.sleep(0.2)  # by now the decoder is as far ahead as it may be
        started_s = time.monotonic()
        source.close()
        assert list(frames) == []
        assert time.monotonic() - started_s < 1
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode-")]

    def test_a_program_that_forgets_to_close_ends_all_the_same(self, tmp_path: Path) -> None:
        path = write_numbered_video(tmp_path / "n.mp4", 200, (640, 360))
        script = (
            "import pathlib, sys\n"
            "from pipeline.sources.file import FileSource\n"
            "frames = FileSource(pathlib.Path(sys.argv[1])).frames()\n"
            "next(frames)\n"
        )
        subprocess.run([sys.executable, "-c", script, str(path)], check=True, timeout=20)

    def test_many_files_at_once(self, tmp_path: Path) -> None:
        path = write_numbered_video(tmp_path / "n.mp4", 40, (160, 96))
        results: list[list[int]] = []
        readers = [
            threading.Thread(target=lambda: results.append(numbers(FileSource(path)))) for _ in range(4)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        assert results == [list(range(40))] * 4


@pytest.mark.assets
def test_real_footage(assets: Path) -> None:
    source = FileSource(assets / "clips" / "crowd.mp4")
    shapes = [frame.image_bgr.shape for frame in source.frames()]
    assert shapes == [(1080, 1920, 3)] * 105
    assert source.frame_count == 105


@pytest.mark.assets
def test_real_footage_has_the_pixels_that_opencv_reads(assets: Path) -> None:
    path = assets / "clips" / "crowd.mp4"
    other = cv2.VideoCapture(str(path))
    for frame in itertools.islice(FileSource(path).frames(), 5):
        assert np.abs(frame.image_bgr.astype(np.int16) - other.read()[1]).mean() < 1.5


def noise(number: int, width: int, height: int) -> ByteArray:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


def _turn_clockwise(path: Path, quarter_turns: int) -> None:
    """Write the rotation into the track header's matrix (ISO 14496-12, 8.3.2), as phones do."""
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter_turns]
    one = 1 << 16
    matrix = (cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 1 << 30)
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    data[start : start + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(data)


def _write_silence(
    container: av.container.OutputContainer, stream: av.audio.AudioStream, blocks: int
) -> None:
    for number in range(blocks):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, number * 1024
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
