"""What every tracker must do; subclass with a `tracker` fixture that gives a fresh one."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.seams import Tracker
from pipeline.types import Face

FRAME_NS = 40_000_000


def face_at(x: float, y: float, *, side: float = 60.0, score: float = 0.9) -> Face:
    corners = np.array([x, y, x + side, y + 1.25 * side], np.float32)
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    return Face(corners, (points * [side, 1.25 * side] + [x, y]).astype(np.float32), score)


class TrackerContract:
    """Numbers, ends, and the books: every number that appears ends exactly once, and never comes back."""

    def test_nothing_gives_nothing(self, tracker: Tracker) -> None:
        for step in range(5):
            update = tracker.update([], step * FRAME_NS)
            assert update.tracked == ()
            assert update.ended == ()
        assert tracker.finish() == ()

    def test_every_number_ends_once_and_never_comes_back(self, tracker: Tracker) -> None:
        rng = np.random.default_rng(4)
        alive: set[int] = set()
        gone: set[int] = set()
        for step in range(300):
            count = rng.integers(0, 4) if step % 90 < 50 else 0
            faces = [face_at(200 * k + step, 100 + rng.normal(0, 2)) for k in range(count)]
            update = tracker.update(faces, step * FRAME_NS)
            numbers = [item.track_id for item in update.tracked]
            assert len(set(numbers)) == len(numbers)
            assert not gone & set(numbers)
            alive |= set(numbers)
            for number in update.ended:
                assert number in alive
                alive.remove(number)
                gone.add(number)
                assert number not in numbers
        rest = tracker.finish()
        assert set(rest) == alive
        assert len(rest) == len(alive)
        assert len(gone) > 3

    def test_faces_come_back_as_they_were_given(self, tracker: Tracker) -> None:
        for step in range(6):
            faces = [face_at(100 + 3 * step, 100), face_at(600 - 3 * step, 200)]
            update = tracker.update(faces, step * FRAME_NS)
            assert all(any(item.face is face for face in faces) for item in update.tracked)

    def test_a_second_finish_finds_nothing(self, tracker: Tracker) -> None:
        for step in range(4):
            tracker.update([face_at(100, 100)], step * FRAME_NS)
        assert len(tracker.finish()) == 1
        assert tracker.finish() == ()

    @pytest.mark.parametrize("count", [1, 40])
    def test_equal_input_gives_equal_output(self, tracker: Tracker, count: int) -> None:
        other = type(tracker)()
        rng = np.random.default_rng(5)
        for step in range(40):
            faces = [
                face_at(*rng.uniform(0, 1500, 2), score=float(rng.uniform(0.4, 1))) for _ in range(count)
            ]
            a, b = tracker.update(faces, step * FRAME_NS), other.update(faces, step * FRAME_NS)
            assert [item.track_id for item in a.tracked] == [item.track_id for item in b.tracked]
            assert a.ended == b.ended
