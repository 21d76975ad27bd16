from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.align import ARCFACE_TEMPLATE
from pipeline.quality import QualityAssessor
from pipeline.select import ChosenCrop, CropSelector, SelectionOptions
from pipeline.types import ByteArray, Face, Frame

FRAME_NS = 40_000_000


def texture(seed: int = 0) -> ByteArray:
    noise = np.random.default_rng(seed).normal(0, 1, (240, 320, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return np.asarray(np.clip(120 + 45 * smooth / smooth.std(), 0, 255), np.uint8)


SHARP = texture()
BLURRED = cv2.GaussianBlur(SHARP, (0, 0), 12).astype(np.uint8)


def frame(step: int, picture: ByteArray = SHARP, camera: str = "door") -> Frame:
    return Frame(camera, 0, step * FRAME_NS, 1_000 + step * FRAME_NS, picture)


def face(scale: float = 0.7, x: float = 60.0, score: float = 0.95) -> Face:
    low, high = np.array([18, 10]) * scale + [x, 40], np.array([94, 112]) * scale + [x, 40]
    points = (ARCFACE_TEMPLATE * scale + [x, 40]).astype(np.float32)
    return Face(np.concatenate([low, high]).astype(np.float32), points, score)


def run(
    scales: Sequence[float], options: SelectionOptions | None = None
) -> tuple[list[ChosenCrop], dict[str, int], CropSelector]:
    """One track of faces of these sizes, frame by frame; all its crops, what was dropped, the selector."""
    selector = CropSelector(QualityAssessor(), options)
    crops: list[ChosenCrop] = []
    for step, scale in enumerate(scales):
        selector.offer(7, face(scale), frame(step))
        crops += selector.advance(step * FRAME_NS)
    ended = selector.end(7)
    return crops + list(ended.crops), dict(ended.dropped_by_cause), selector


def test_the_first_crop_comes_after_the_first_window_and_the_last_at_the_end() -> None:
    selector = CropSelector(QualityAssessor())
    came: list[int] = []
    for step in range(50):
        selector.offer(1, face(), frame(step))
        came += [step for _ in selector.advance(step * FRAME_NS)]
    assert came == [5, 15, 35]  # 0.2, 0.6 and 1.4 s
    assert len(selector.end(1).crops) == 1


@pytest.mark.parametrize("seconds", [0.04, 1, 4, 16, 64])
def test_crops_grow_with_the_logarithm_of_the_track(seconds: float) -> None:
    frames = round(seconds * 25)
    crops, dropped, _ = run([0.7] * frames)
    assert len(crops) == math.floor(math.log2((seconds - 0.04) / 0.2 + 1)) + 1
    assert len(crops) + sum(dropped.values()) == frames


def test_each_window_sends_its_best() -> None:
    scales = [0.5, 0.6, 0.55, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.58, 0.5, 0.5, 0.5, 0.5, 0.5]
    options = SelectionOptions(looks=100)
    crops, _, _ = run(scales, options)
    assert [crop.pts_ns // FRAME_NS for crop in crops] == [1, 9]


def test_the_sharp_face_wins_over_the_larger_blurred_one() -> None:
    selector = CropSelector(QualityAssessor())
    for step, (size, picture) in enumerate([(0.6, BLURRED), (0.5, SHARP), (0.7, BLURRED)]):
        selector.offer(1, face(size), frame(step, picture))
    ended = selector.end(1)
    assert [crop.pts_ns for crop in ended.crops] == [FRAME_NS]
    assert ended.dropped_by_cause == {"blurred": 2}


def test_what_cannot_win_is_never_cut() -> None:
    _, dropped, selector = run([0.8] + [0.2] * 4)
    assert selector.assessed == 1
    assert dropped == {"not_best": 4}


def test_cutting_is_bounded_however_steadily_faces_get_better() -> None:
    frames = 25 * 60
    _, _, selector = run(list(np.linspace(0.2, 0.55, frames)))
    assert selector.assessed <= 5 * (math.log2(60 / 0.2 + 1) + 1)


def test_a_track_without_a_usable_face_ends_without_crops_and_says_why() -> None:
    crops, dropped, selector = run([0.1] * 30)
    assert crops == []
    assert dropped == {"too_small": 30}
    assert selector.assessed == 0


def test_degenerate_landmarks_are_counted_not_raised() -> None:
    line = np.column_stack([np.linspace(50, 90, 5), np.linspace(60, 110, 5)]).astype(np.float32)
    line[2, 1] += 1e-3
    selector = CropSelector(QualityAssessor())
    selector.offer(3, Face(face().bbox, line, 0.95), frame(0))
    ended = selector.end(3)
    assert ended.crops == ()
    assert sum(ended.dropped_by_cause.values()) == 1


def test_tracks_do_not_disturb_each_other_and_come_in_order() -> None:
    selector = CropSelector(QualityAssessor())
    for step in range(6):
        for number in (5, 2):
            selector.offer(number, face(x=60 + 5 * number), frame(step))
    crops = selector.advance(6 * FRAME_NS)
    assert [crop.track_id for crop in crops] == [2, 5]
    assert not (crops[0].crop_rgb == crops[1].crop_rgb).all()
    assert selector.end(2).dropped_by_cause == selector.end(5).dropped_by_cause


def test_a_pause_closes_the_window_whether_or_not_time_was_let_pass() -> None:
    selector = CropSelector(QualityAssessor())
    selector.offer(1, face(), frame(0))
    selector.offer(1, face(), frame(60))
    ended = selector.end(1)
    assert [crop.pts_ns // FRAME_NS for crop in ended.crops] == [0, 60]


def test_crops_carry_the_frame_s_times_and_the_face() -> None:
    selector = CropSelector(QualityAssessor())
    subject = face()
    selector.offer(1, subject, frame(3))
    (crop,) = selector.end(1).crops
    assert crop.face is subject
    assert (crop.pts_ns, crop.captured_at_ns) == (3 * FRAME_NS, 1_000 + 3 * FRAME_NS)
    assert crop.quality.usable


def test_no_frame_is_kept_alive() -> None:
    selector = CropSelector(QualityAssessor())
    picture = SHARP.copy()
    before = sys.getrefcount(picture)
    for step in range(20):
        selector.offer(1, face(), frame(step, picture))
    assert sys.getrefcount(picture) == before
    (crop,) = selector.end(1).crops[-1:]
    assert crop.crop_rgb.base is None or crop.crop_rgb.base.nbytes < 112 * 112 * 3 * 2


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.05, 0.9), st.integers(1, 40), st.floats(0.5, 1.0)), min_size=1, max_size=30
    )
)
def test_every_face_is_accounted_for_once(faces: list[tuple[float, int, float]]) -> None:
    selector = CropSelector(QualityAssessor())
    step, crops = 0, []
    for scale, gap, score in faces:
        step += gap
        selector.offer(1, face(scale, score=score), frame(step))
        crops += selector.advance(step * FRAME_NS)
    ended = selector.end(1)
    crops += ended.crops
    assert len(crops) + sum(ended.dropped_by_cause.values()) == len(faces)
    times = [crop.pts_ns for crop in crops]
    assert times == sorted(set(times))


def test_an_unknown_track_cannot_be_ended() -> None:
    with pytest.raises(KeyError):
        CropSelector(QualityAssessor()).end(9)


@pytest.mark.parametrize("wrong", [{"first_window_s": 0}, {"growth": 0.5}, {"looks": 0}])
def test_options_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SelectionOptions(**wrong)  # type: ignore[arg-type]
