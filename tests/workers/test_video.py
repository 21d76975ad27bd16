"""Video files that play in a browser or lose nothing, keep their times, and appear whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import StorageError
from pipeline.sources.file import FileSource
from pipeline.types import ByteArray
from workers.video import FFV1, VideoFile

FullDisk = Callable[[int], contextlib.AbstractContextManager[None]]


def noise(seed: int, height: int = 240, width: int = 320) -> ByteArray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def write(path: Path, count: int, step_ns: int = 40_000_000) -> None:
    with VideoFile(path, 320, 240) as video:
        for number in range(count):
            video.write(noise(number), number * step_ns)


def write_and_raise(path: Path, error: BaseException) -> None:
    with VideoFile(path, 320, 240) as video:
        video.write(noise(9), 0)
        raise error


def test_the_file_is_what_browsers_play(tmp_path: Path) -> None:
    path = tmp_path / "made" / "film.mp4"
    write(path, 5)
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert "mp4" in container.format.name
    raw = path.read_bytes()
    assert 0 < raw.find(b"moov") < raw.find(b"mdat")


def test_a_variable_frame_rate_stays(tmp_path: Path) -> None:
    times_ns = [0, 40_000_000, 80_000_000, 1_080_000_000, 1_113_366_666, 60_000_000_000]
    path = tmp_path / "film.mp4"
    with VideoFile(path, 320, 240) as video:
        for number, pts_ns in enumerate(times_ns):
            video.write(noise(number), pts_ns)
    with av.open(path) as container:
        shown = [frame.time for frame in container.decode(video=0)]
    assert shown == pytest.approx([t / 1e9 for t in times_ns], abs=2e-5)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (321, 241), (320, 240), (3840, 2160)])
def test_every_size_is_written(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "film.mp4"
    picture = np.full((height, width, 3), (200, 100, 50), np.uint8)
    with VideoFile(path, width, height) as video:
        video.write(picture, 0)
    with av.open(path) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == (width + width % 2, height + height % 2)
    shown = frame.reformat(format="bgr24", src_colorspace="ITU709").to_ndarray()
    assert np.abs(shown.astype(np.int32) - (200, 100, 50)).max() <= 4


@pytest.mark.parametrize(("width", "height"), [(320, 240), (321, 241), (1, 1)])
def test_a_lossless_file_gives_back_every_bit(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "film.mkv"
    pictures = [noise(seed, height, width) for seed in range(4)]
    with VideoFile(path, width, height, FFV1) as video:
        for number, picture in enumerate(pictures):
            video.write(picture, number * 40_000_000)
    source = FileSource(path)
    frames = list(source.frames())
    assert [frame.pts_ns for frame in frames] == [0, 40_000_000, 80_000_000, 120_000_000]
    assert source.dropped_by_cause == {}
    for frame, picture in zip(frames, pictures, strict=True):
        assert np.array_equal(frame.image_bgr, picture)


def test_a_lossless_file_is_ffv1_in_matroska(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with VideoFile(path, 320, 240, FFV1) as video:
        video.write(noise(0), 0)
        with pytest.raises(ValueError, match="must grow"):
            video.write(noise(1), 900_000)  # times are whole milliseconds
    with av.open(path) as container:
        assert "matroska" in container.format.name
        assert container.streams.video[0].codec_context.name == "ffv1"


def test_a_picture_of_another_size_is_scaled(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with VideoFile(path, 320, 240) as video:
        video.write(noise(0), 0)
        video.write(noise(1, 480, 640), 40_000_000)
    with av.open(path) as container:
        assert [(frame.width, frame.height) for frame in container.decode(video=0)] == [(320, 240)] * 2


def test_times_must_grow(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "film.mp4", 320, 240) as video:
        video.write(noise(0), 40_000_000)
        with pytest.raises(ValueError, match="must grow"):
            video.write(noise(1), 40_000_000)


def test_the_file_appears_when_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    video = VideoFile(path, 320, 240)
    video.write(noise(0), 0)
    assert not path.exists()
    video.close()
    video.close()
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


def test_without_a_picture_there_is_no_file(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "film.mp4", 320, 240):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [0, 30_000])
def test_a_full_disk_is_said_and_the_file_before_stays(
    tmp_path: Path, full_disk: FullDisk, limit: int
) -> None:
    path = tmp_path / "film.mp4"
    write(path, 2)
    before = path.read_bytes()
    with full_disk(limit), pytest.raises(StorageError, match=r"film\.mp4.*free space"):
        write(path, 60)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


def test_a_disk_that_is_full_only_at_the_end_is_said_too(tmp_path: Path, full_disk: FullDisk) -> None:
    video = VideoFile(tmp_path / "film.mp4", 320, 240)
    video.write(noise(0), 0)
    with full_disk(0), pytest.raises(StorageError):
        video.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match=r"film\.mp4"):
        VideoFile(tmp_path / "file" / "film.mp4", 320, 240)


def test_an_error_throws_the_unfinished_file_away(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    write(path, 1)
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        write_and_raise(path, RuntimeError())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


def test_an_interruption_keeps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with pytest.raises(KeyboardInterrupt):
        write_and_raise(path, KeyboardInterrupt())
    with av.open(path) as container:
        assert len(list(container.decode(video=0))) == 1
