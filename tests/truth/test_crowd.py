"""The crowd clip with the default settings: is everybody found, and followed as one person each?"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.truth import LabelledFace, interpolated, load_truth, score_detections, score_tracks
from pipeline.detect.yunet import YuNetDetector, YuNetOptions
from pipeline.models import Catalogue, ModelKind, VerifiedModel
from pipeline.seams import Tracker
from pipeline.track import ByteTracker
from pipeline.types import ByteArray, Face, TrackedFace

TRUTH = Path(__file__).with_name("crowd.json")
PEOPLE = 11
FRAME_NS = 40_000_000


@pytest.fixture(scope="module")
def labelled() -> dict[int, list[LabelledFace]]:
    return load_truth(TRUTH)


@pytest.fixture(scope="module")
def frames(assets: Path) -> list[ByteArray]:
    capture = cv2.VideoCapture(str(assets / "clips" / "crowd.mp4"))
    return [np.asarray(capture.read()[1], np.uint8) for _ in range(105)]


@pytest.fixture(scope="module")
def yunet(models: Path) -> VerifiedModel:
    return Catalogue.load([models]).open("yunet", ModelKind.DETECTOR)


@pytest.fixture(scope="module")
def detected(yunet: VerifiedModel, frames: list[ByteArray]) -> list[list[Face]]:
    return YuNetDetector(yunet).detect(frames)


def follow(tracker: Tracker, detected: list[list[Face]]) -> dict[int, tuple[TrackedFace, ...]]:
    return {number: tracker.update(faces, number * FRAME_NS).tracked for number, faces in enumerate(detected)}


def test_the_truth_is_sound(labelled: dict[int, list[LabelledFace]]) -> None:
    assert sorted(labelled) == [*range(0, 105, 5), 104]
    assert {face.person for faces in labelled.values() for face in faces} == set(range(1, PEOPLE + 1))
    for faces in labelled.values():
        assert len({face.person for face in faces}) == len(faces)
        for face in faces:
            assert 15 < face.box[2] - face.box[0] < 160
            assert 15 < face.box[3] - face.box[1] < 200
            assert (face.box >= 0).all()
            assert (face.box <= [1920, 1080, 1920, 1080]).all()


@pytest.mark.assets
def test_the_default_size_keeps_the_recall_of_the_full_picture(
    yunet: VerifiedModel,
    frames: list[ByteArray],
    detected: list[list[Face]],
    labelled: dict[int, list[LabelledFace]],
) -> None:
    """Labelled faces found at IoU > .5: at the default size and score, against 1920 px at score .6."""
    full = YuNetDetector(yunet, YuNetOptions(size_px=1920, min_score=0.6))
    everywhere = {number: full.detect([frames[number]])[0] for number in labelled}
    whole = score_detections([everywhere.get(number, []) for number in range(105)], labelled)
    ours = score_detections(detected, labelled)
    assert whole.recall > 0.95
    assert ours.recall >= 0.98 * whole.recall
    assert score_detections(detected, interpolated(labelled)).recall >= 0.95


@pytest.mark.assets
def test_everybody_is_followed_as_one_person(
    detected: list[list[Face]], labelled: dict[int, list[LabelledFace]]
) -> None:
    """All tracks count, also those that follow nobody."""
    score = score_tracks(follow(ByteTracker(), detected), interpolated(labelled))
    assert score.people >= PEOPLE - 1
    assert score.tracks <= math.floor(1.2 * PEOPLE)
    assert score.of_people <= 1.2 * score.people
    assert score.switches <= 4
    assert score.recall >= 0.93


@pytest.mark.assets
def test_following_is_the_same_every_time(detected: list[list[Face]]) -> None:
    first, second = follow(ByteTracker(), detected), follow(ByteTracker(), detected)
    for a, b in zip(first.values(), second.values(), strict=True):
        assert [(item.track_id, item.face) for item in a] == [(item.track_id, item.face) for item in b]
