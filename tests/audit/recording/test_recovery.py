"""What is left open is closed as it is."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

import pytest

from audit.recording.index import RECORD_BYTES, read_index
from audit.recording.layout import FOLDER, epoch_folder
from audit.recording.library import Recordings
from audit.recording.recovery import recover
from audit.recording.verifying import verify_segment
from pipeline.errors import StorageError
from tests.audit.recording.footage import (
    CAMERA,
    SECOND_NS,
    Shown,
    Told,
    play,
    record,
    recorder,
    replayed,
    shown,
    write_clip,
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Shown]:
    """A data folder with one segment of six seconds, and what it shows."""
    data = tmp_path_factory.mktemp("data")
    clip = write_clip(data / "clip.mp4")
    record(clip, data, segment_s=1000)
    return data, shown(clip)


@pytest.fixture
def cut_off(recorded: tuple[Path, Shown], tmp_path: Path) -> tuple[Path, Path, Path, Shown]:
    """The same without its JSON: data folder, media, index, and what it shows."""
    data = tmp_path / "data"
    shutil.copytree(recorded[0], data)
    (segment,) = Recordings(data).segments()
    segment.paths.record.unlink()
    return data, segment.path, segment.paths.index, recorded[1]


CutOff = tuple[Path, Path, Path, Shown]


def test_a_whole_segment_without_its_json_is_closed(cut_off: CutOff) -> None:
    data, _, _, wanted = cut_off
    (segment,) = recover(data / FOLDER)
    assert (segment.recovered, segment.frames, segment.packets) == (True, 60, 60)
    assert (segment.first_pts_ns, segment.last_pts_ns) == (0, 59 * SECOND_NS // 10)
    assert Recordings(data).segments() == [segment]
    assert verify_segment(segment) is None
    assert replayed(data) == wanted
    assert recover(data / FOLDER) == []


def test_footage_that_is_torn_anywhere_plays_up_to_there(cut_off: CutOff) -> None:
    data, media, index, wanted = cut_off
    whole, names = media.read_bytes(), index.read_bytes()
    at_frame_ns = 0
    for size in range(whole.index(b"moof") - 4, whole.index(b"mfra"), 97):
        media.write_bytes(whole[:size])
        (segment,) = recover(data / FOLDER)
        found = replayed(data)
        assert found == [one for one in wanted if one in found]
        assert len(found) == segment.frames <= segment.packets
        # What is torn further on never shows less, and half a second is the most that one tear costs.
        assert segment.last_pts_ns >= at_frame_ns
        at_frame_ns = segment.last_pts_ns
        assert whole.startswith(media.read_bytes())
        assert size - segment.media_bytes < 200  # the description of a fragment, which shows nothing
        segment.paths.record.unlink()
        index.write_bytes(names)
    assert at_frame_ns > 5 * SECOND_NS


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_matroska_that_is_torn_plays_up_to_there(tmp_path: Path, share: float) -> None:
    clip = write_clip(tmp_path / "clip.webm", codec="libvpx", options={"cpu-used": "8"})
    (segment,) = record(clip, tmp_path, segment_s=1000).closed
    segment.paths.record.unlink()
    size = round(segment.media_bytes * share)
    with segment.path.open("rb+") as file:
        file.truncate(size)
    (closed,) = recover(tmp_path / FOLDER)
    found = replayed(tmp_path)
    assert closed.media_bytes == size
    assert 0 < len(found) == closed.frames < 60
    assert found == shown(clip)[: len(found)]


def test_an_index_that_is_torn_is_cut_at_its_last_whole_record(cut_off: CutOff) -> None:
    data, _, index, wanted = cut_off
    whole = index.stat().st_size
    with index.open("rb+") as file:
        file.truncate(whole - 10 * RECORD_BYTES - 5)
    (segment,) = recover(data / FOLDER)
    assert index.stat().st_size == segment.index_bytes == whole - 11 * RECORD_BYTES
    assert read_index(index).whole_bytes == index.stat().st_size
    found = replayed(data)
    assert found == [one for one in wanted if one in found]
    assert len(found) == segment.frames >= 50


def test_a_segment_that_somebody_writes_is_let_be(cut_off: CutOff) -> None:
    data, _, index, _ = cut_off
    with index.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert recover(data / FOLDER) == []
    assert len(recover(data / FOLDER)) == 1


def test_a_recorder_at_work_is_not_disturbed(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    told = Told()
    into = recorder(tmp_path, told, segment_s=1000, fragment_s=0.1)
    found = []
    play(clip, into, after=lambda epoch, pts_ns: found.extend(recover(tmp_path / FOLDER)))
    into.close()
    assert found == []
    assert [segment.recovered for segment in told.closed] == [False]
    assert replayed(tmp_path) == shown(clip)


@pytest.mark.parametrize("with_media", [True, False])
def test_a_segment_that_never_got_a_packet_is_cleared_away(cut_off: CutOff, with_media: bool) -> None:
    data, media, index, _ = cut_off
    media.unlink()
    if with_media:
        media.touch()
    assert recover(data / FOLDER) == []
    assert not media.exists()
    assert not index.exists()


def test_footage_without_a_readable_index_is_left_as_it_is(cut_off: CutOff) -> None:
    data, media, index, _ = cut_off
    before = media.read_bytes()
    index.write_bytes(b"nothing of ours")
    assert recover(data / FOLDER) == []
    assert media.read_bytes() == before
    assert index.read_bytes() == b"nothing of ours"


def test_going_on_with_an_epoch_closes_what_a_crash_left_in_it(cut_off: CutOff, tmp_path: Path) -> None:
    data, _, _, wanted = cut_off
    told = record(data / "clip.mp4", data)
    assert [segment.recovered for segment in told.closed] == [True]
    assert replayed(data) == wanted


def test_one_epoch_that_cannot_be_closed_does_not_keep_others_open(cut_off: CutOff) -> None:
    data, _, index, _ = cut_off
    record(data / "clip.mp4", data, epoch=1)
    for segment in Recordings(data).segments():
        segment.paths.record.unlink()
    index.unlink()
    index.mkdir()
    errors: list[StorageError] = []
    assert {segment.stream_epoch for segment in recover(data / FOLDER, errors.append)} == {1}
    assert len(errors) == 1
    with pytest.raises(StorageError, match="cannot be closed"):
        recover(data / FOLDER)


def test_where_nothing_was_recorded_there_is_nothing_to_recover(tmp_path: Path) -> None:
    assert recover(tmp_path / FOLDER) == []
    epoch_folder(tmp_path / FOLDER, CAMERA, 0).mkdir(parents=True)
    assert recover(tmp_path / FOLDER) == []
