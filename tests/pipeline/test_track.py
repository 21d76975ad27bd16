from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.track import ByteTracker, SingleFrameTracker, TrackerOptions
from pipeline.types import Face
from tests.contracts.tracker import FRAME_NS, TrackerContract, face_at


class TestByteTracker(TrackerContract):
    @pytest.fixture
    def tracker(self) -> ByteTracker:
        return ByteTracker()


class TestSingleFrameTracker(TrackerContract):
    @pytest.fixture
    def tracker(self) -> SingleFrameTracker:
        return SingleFrameTracker()


def numbers(tracker: ByteTracker, faces: list[Face], pts_ns: int) -> list[int]:
    return [item.track_id for item in tracker.update(faces, pts_ns).tracked]


def walk(tracker: ByteTracker, steps: range, **look: float) -> set[int]:
    """A face that walks to the right; the numbers that it got."""
    seen: set[int] = set()
    for step in steps:
        seen |= set(numbers(tracker, [face_at(100 + 4 * step, 100, **look)], step * FRAME_NS))
    return seen


def test_one_person_is_one_track() -> None:
    assert walk(ByteTracker(), range(100)) == {0}


def test_a_short_loss_is_survived_and_a_long_one_ends_the_track() -> None:
    tracker = ByteTracker()
    walk(tracker, range(10))
    assert walk(tracker, range(25, 40)) == {0}  # 0.6 s later
    ended: list[int] = []
    for step in range(40, 80):
        ended += tracker.update([], step * FRAME_NS).ended
        if ended:
            break
    assert ended == [0]
    assert step * FRAME_NS == pytest.approx(1e9 + 39 * FRAME_NS, abs=2 * FRAME_NS)
    assert walk(tracker, range(80, 90)) == {1}


def test_the_loss_is_counted_in_stream_time_at_any_frame_rate() -> None:
    for rate_hz in (5, 12, 60):
        tracker = ByteTracker()
        step_ns = round(1e9 / rate_hz)
        for step in range(6):
            tracker.update([face_at(100, 100)], step * step_ns)
        assert tracker.update([], 5 * step_ns + 900_000_000).ended == ()
        assert tracker.update([], 5 * step_ns + 1_100_000_000).ended == (0,)


def test_a_gap_in_the_stream_ends_the_tracks() -> None:
    tracker = ByteTracker()
    walk(tracker, range(10))
    update = tracker.update([face_at(140, 100)], 60_000_000_000)
    assert update.ended == (0,)
    assert update.tracked == ()


def test_unsure_faces_keep_a_track_alive_but_start_none() -> None:
    assert walk(ByteTracker(), range(20), score=0.5) == set()
    tracker = ByteTracker()
    walk(tracker, range(5))
    assert walk(tracker, range(5, 40), score=0.5) == {0}


def test_a_flicker_is_no_track_unless_asked_for() -> None:
    for min_frames, expected in ((2, []), (1, [0])):
        tracker = ByteTracker(TrackerOptions(min_frames=min_frames))
        assert numbers(tracker, [face_at(100, 100)], 0) == expected
        for step in range(1, 40):
            assert numbers(tracker, [], step * FRAME_NS) == []


def test_reporting_at_once_keeps_the_number() -> None:
    tracker = ByteTracker(TrackerOptions(min_frames=1))
    for step in range(5):
        faces = [face_at(100 + 3 * step, 100), face_at(700, 300, score=0.5), face_at(900, 100 + step)]
        update = tracker.update(faces, step * FRAME_NS)
        assert [item.track_id for item in update.tracked] == [0, 1]
        assert [item.face for item in update.tracked] == [faces[0], faces[2]]


def test_people_who_stay_are_cut_into_pieces_without_a_gap() -> None:
    tracker = ByteTracker(TrackerOptions(max_track_s=1.0))
    seen: list[int] = []
    ended: list[int] = []
    for step in range(101):
        update = tracker.update([face_at(100, 100)], step * FRAME_NS)
        seen += [item.track_id for item in update.tracked]
        ended += update.ended
    assert len(seen) == 100  # all but the first frame
    assert sorted(set(seen)) == [0, 1, 2, 3]
    assert [seen.count(number) for number in range(4)] == [25, 25, 25, 25]
    assert ended == [0, 1, 2]
    assert tracker.finish() == (3,)


def test_two_who_cross_keep_their_numbers() -> None:
    tracker = ByteTracker()
    for step in range(60):
        left, right = face_at(100 + 8 * step, 100), face_at(600 - 8 * step, 160)
        items = {item.track_id: item.face for item in tracker.update([left, right], step * FRAME_NS).tracked}
        if step > 2:
            assert items == {0: left, 1: right}


@pytest.mark.parametrize("pts", [(5, 5), (5, 4), (0, 0)])
def test_time_must_grow(pts: tuple[int, int]) -> None:
    tracker = ByteTracker()
    tracker.update([], pts[0])
    with pytest.raises(ValueError, match="pts_ns must grow"):
        tracker.update([], pts[1])


faces = st.builds(
    face_at,
    st.floats(-100, 2000),
    st.floats(-100, 1100),
    side=st.floats(0, 500),
    score=st.floats(0, 1).filter(lambda score: np.float32(score) == score),
)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.lists(faces, max_size=5), st.integers(1, 3_000_000_000)), max_size=25),
    st.sampled_from([1, 2, 3]),
)
def test_the_books_balance_whatever_comes(frames: list[tuple[list[Face], int]], min_frames: int) -> None:
    tracker = ByteTracker(TrackerOptions(min_frames=min_frames, max_track_s=2.0))
    pts_ns, alive, gone = 0, set[int](), set[int]()
    for found, gap_ns in frames:
        pts_ns += gap_ns
        update = tracker.update(found, pts_ns)
        now = {item.track_id for item in update.tracked}
        assert len(now) == len(update.tracked)
        alive |= now
        assert set(update.ended) <= alive
        alive -= set(update.ended)
        gone |= set(update.ended)
        assert not now & gone
    assert set(tracker.finish()) == alive


@pytest.mark.parametrize(
    "wrong", [{"min_frames": 0}, {"lost_s": 0}, {"max_track_s": -1}, {"rate_hz": 0}, {"box_margin": -0.1}]
)
def test_options_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrackerOptions(**wrong)  # type: ignore[arg-type]


def test_the_library_is_loaded_only_when_a_tracker_is_made() -> None:
    probe = "import sys, pipeline.track; assert not {'trackers', 'supervision', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", probe], check=True)
