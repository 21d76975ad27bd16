"""Recordings as a source of frames, and as a library."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.recording.layout import FOLDER
from audit.recording.library import Recordings
from audit.recording.replay import RecordedSource
from pipeline.errors import SourceNotFound, SourceUnreadable
from tests.audit.recording.footage import (
    CAMERA,
    SECOND_NS,
    START_NS,
    pixels,
    record,
    shown,
    write_clip,
)
from tests.contracts.frame_source import FrameSourceContract, Make


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds in three segments."""
    data = tmp_path_factory.mktemp("data")
    record(write_clip(data / "clip.mp4"), data)
    return data


class TestContract(FrameSourceContract):
    @pytest.fixture
    def make(self, data: Path) -> Make:
        return lambda: RecordedSource(Recordings(data), CAMERA, 0)


def test_it_is_the_footage_again(data: Path) -> None:
    source = RecordedSource(Recordings(data), CAMERA, 0)
    assert [(frame.pts_ns, pixels(frame)) for frame in source.frames()] == shown(data / "clip.mp4")
    assert len(list(source.frames())) == source.frame_count == 60
    assert source.rate_hz == 10
    assert source.dropped_by_cause == {}


def test_a_part_of_it(data: Path) -> None:
    source = RecordedSource(
        Recordings(data), CAMERA, 0, first_pts_ns=SECOND_NS, last_pts_ns=3 * SECOND_NS, threads=1
    )
    frames = list(source.frames())
    assert [frame.pts_ns * 10 // SECOND_NS for frame in frames] == list(range(10, 31))
    assert source.frame_count == 21
    assert {frame.captured_at_ns for frame in frames if frame.pts_ns == SECOND_NS} == {START_NS + SECOND_NS}


def test_two_recordings_can_be_replayed_at_once(data: Path) -> None:
    # Their packets have the same ordinals, which must not be taken for each other's.
    one, other = (Recordings(data).frames(CAMERA, 0, threads=1) for _ in range(2))
    next(one)
    assert [(a.pts_ns, pixels(a)) for a, _ in zip(one, other, strict=False)] == shown(data / "clip.mp4")[1:]
    assert next(other).pts_ns == 59 * SECOND_NS // 10


def test_where_there_is_no_footage_it_says_so(data: Path) -> None:
    with pytest.raises(SourceNotFound, match="epoch 9"):
        RecordedSource(Recordings(data), CAMERA, 9)
    with pytest.raises(SourceNotFound, match="nobody"):
        RecordedSource(Recordings(data), "nobody", 0)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Footage that a test may damage."""
    record(write_clip(tmp_path / "clip.mp4"), tmp_path)
    return tmp_path


def test_a_segment_that_is_gone_leaves_a_gap_and_the_rest_is_right(own: Path) -> None:
    recordings = Recordings(own)
    middle = recordings.segments()[1]
    for path in (middle.path, middle.paths.index, middle.paths.record):
        path.unlink()
    wanted = [one for one in shown(own / "clip.mp4") if not 2 * SECOND_NS <= one[0] < 4 * SECOND_NS]
    assert [(frame.pts_ns, pixels(frame)) for frame in recordings.frames(CAMERA, 0)] == wanted


def test_footage_that_was_overwritten_is_counted_or_said(own: Path) -> None:
    segment = Recordings(own).segments()[1]
    whole = segment.path.read_bytes()
    start = whole.index(b"mdat") + 4
    segment.path.write_bytes(whole[:start] + bytes(800) + whole[start + 800 :])
    source = RecordedSource(Recordings(own), CAMERA, 0)
    count = len(list(source.frames()))
    drops = source.dropped_by_cause
    assert count < 60
    assert drops["missing"] + count == 60
    segment.path.write_bytes(b"not a video")
    with pytest.raises(SourceUnreadable, match=segment.path.name):
        list(source.frames())
    segment.path.unlink()
    with pytest.raises(SourceNotFound, match=segment.path.name):
        list(source.frames())
    segment.paths.index.unlink()
    with pytest.raises(SourceUnreadable, match="index"):
        RecordedSource(Recordings(own), CAMERA, 0)


def test_segments_are_found_by_camera_and_time(own: Path) -> None:
    record(own / "clip.mp4", own, camera_id="yard")
    recordings = Recordings(own)
    assert [segment.camera_id for segment in recordings.segments()] == [CAMERA] * 3 + ["yard"] * 3

    def starts(since_s: float | None, until_s: float | None) -> list[int]:
        since, until = (None if s is None else START_NS + round(s * SECOND_NS) for s in (since_s, until_s))
        return [one.first_pts_ns // SECOND_NS for one in recordings.segments(CAMERA, since, until)]

    assert starts(None, None) == [0, 2, 4]
    assert starts(1.9, None) == [0, 2, 4]
    assert starts(1.95, None) == [2, 4]
    assert starts(None, 2) == [0]
    assert starts(2.5, 4.01) == [2, 4]
    assert starts(5.95, None) == []


def test_what_cannot_be_listed_is_left_out(own: Path) -> None:
    recordings = Recordings(own)
    recordings.segments()[0].paths.record.write_text("{}")
    assert [segment.first_pts_ns // SECOND_NS for segment in recordings.segments()] == [2, 4]
    with pytest.raises(SourceUnreadable, match=r"00000000000000000000\.json"):
        list(recordings.frames(CAMERA, 0))


def test_an_empty_library(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    assert recordings.segments() == []
    assert recordings.epochs(CAMERA) == []
    assert list(recordings.frames(CAMERA, 0)) == []
    assert not (tmp_path / FOLDER).exists()
