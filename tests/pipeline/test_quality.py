from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pipeline.align import ARCFACE_TEMPLATE, align
from pipeline.quality import QualityAssessor, QualityOptions
from pipeline.types import ByteArray, Face

FRAME = (1080, 1920, 3)


def face(
    scale: float = 1.0,
    *,
    turn_px: float = 0.0,
    nod_px: float = 0.0,
    at: tuple[float, float] = (500, 400),
    score: float = 0.95,
) -> Face:
    """An upright face of 112 px times `scale`; the nose tip is moved in template pixels."""
    points = ARCFACE_TEMPLATE.copy()
    points[2] += (turn_px, nod_px)
    points = points * scale + at
    low, high = np.array([18, 10]) * scale + at, np.array([94, 112]) * scale + at
    return Face(np.concatenate([low, high]).astype(np.float32), points.astype(np.float32), score)


def crop(detail: float = 40.0, mean: float = 120.0) -> ByteArray:
    """Smooth noise: `detail` is its contrast."""
    noise = np.random.default_rng(0).normal(0, 1, (112, 112))
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.2)
    grey = np.clip(mean + detail * smooth / smooth.std(), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


GOOD = crop()
assess = QualityAssessor().assess


def test_a_large_sharp_frontal_face_is_as_good_as_it_gets() -> None:
    quality = assess(face(), GOOD, FRAME)
    assert quality.usable
    assert quality.value > 0.9
    assert quality.size_px == pytest.approx(112, rel=1e-4)
    assert quality.exposure == pytest.approx(120, abs=2)


@pytest.mark.parametrize(
    ("subject", "picture", "reason"),
    [
        (face(0.15), GOOD, "too_small"),
        (face(), crop(detail=2.0), "blurred"),
        (face(turn_px=45), GOOD, "turned_away"),
        (face(nod_px=-25), GOOD, "turned_away"),
        (face(), crop(detail=4.0, mean=4.0), "too_dark"),
        (face(), crop(detail=30.0, mean=300.0), "too_bright"),
        (face(at=(-50, 400)), GOOD, "cut_off"),
        (face(at=(500, 1040)), GOOD, "cut_off"),
        (face(score=0.55), GOOD, "unsure"),
    ],
)
def test_what_makes_a_face_unusable_is_named(subject: Face, picture: ByteArray, reason: str) -> None:
    quality = assess(subject, picture, FRAME)
    assert reason in quality.reasons
    assert not quality.usable
    assert quality.value < assess(face(), GOOD, FRAME).value


def test_each_cause_lowers_the_number_before_it_forbids() -> None:
    best = assess(face(), GOOD, FRAME).value
    for subject, picture in [
        (face(0.4), GOOD),
        (face(turn_px=20), GOOD),
        (face(nod_px=-12), GOOD),
        (face(at=(-30, 400)), GOOD),
        (face(score=0.8), GOOD),
        (face(), crop(detail=6.0)),
        (face(), crop(mean=25.0, detail=20.0)),
    ]:
        quality = assess(subject, picture, FRAME)
        assert quality.usable
        assert 0.05 < quality.value < 0.97 * best


def test_yaw_has_a_sign_and_roll_is_no_yaw() -> None:
    assert assess(face(turn_px=10), GOOD, FRAME).yaw_deg > 15
    assert assess(face(turn_px=-10), GOOD, FRAME).yaw_deg < -15
    straight = assess(face(), GOOD, FRAME).yaw_deg
    angle = np.radians(35)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rolled = Face(face().bbox, ((face().landmarks - 500) @ turn.T + 500).astype(np.float32), 0.9)
    assert assess(rolled, GOOD, FRAME).yaw_deg == pytest.approx(straight, abs=0.1)


points = st.lists(st.tuples(st.floats(-300, 2200), st.floats(-300, 1400)), min_size=5, max_size=5)
boxes = st.tuples(st.floats(-500, 2000), st.floats(-500, 1200), st.floats(-10, 600), st.floats(-10, 600))


@given(points, boxes, st.floats(0, 1), st.floats(0.1, 80), st.floats(0, 255))
def test_no_face_at_all_breaks_the_bounds(
    landmarks: list[tuple[float, float]],
    box: tuple[float, float, float, float],
    score: float,
    detail: float,
    mean: float,
) -> None:
    corners = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]], np.float32)
    subject = Face(corners, np.array(landmarks, np.float32), score)
    assessor = QualityAssessor()
    geometry = assessor.geometry(subject, FRAME)
    quality = assessor.assess(subject, crop(detail, mean), FRAME)
    assert 0.0 <= quality.value <= geometry.ceiling <= 1.0
    assert set(geometry.reasons) <= set(quality.reasons)
    assert -90.0 <= quality.yaw_deg <= 90.0


def test_coincident_landmarks_are_unusable_rather_than_an_error() -> None:
    nowhere = Face(face().bbox, np.full((5, 2), 7, np.float32), 0.9)
    assert {"too_small", "turned_away"} <= set(QualityAssessor().geometry(nowhere, FRAME).reasons)


def test_options_are_read_from_configuration_and_unknown_keys_refused() -> None:
    adapter = TypeAdapter(QualityOptions)
    assert adapter.validate_python({"min_size_px": 30}).min_size_px == 30
    with pytest.raises(ValidationError, match="min_size"):
        adapter.validate_python({"min_size": 30})


def test_a_crop_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="crop_rgb"):
        assess(face(), np.zeros((96, 96, 3), np.uint8), FRAME)


@pytest.mark.assets
def test_the_number_falls_as_photographs_get_worse(assets: Path, models: Path) -> None:
    """Real photographs: more blur and fewer pixels must give a lower number, and in the end a reason."""
    from pipeline.detect.yunet import YuNetDetector
    from pipeline.models import Catalogue, ModelKind

    detector = YuNetDetector(Catalogue.load([models]).open("yunet", ModelKind.DETECTOR))
    falls = 0
    paths = sorted((assets / "faces" / "lfw-dev").glob("*/*.jpg"))[::400]
    for path in paths:
        photo = np.asarray(cv2.imread(str(path)), np.uint8)
        subject = max(detector.detect([photo])[0], key=lambda f: f.width_px)
        clean = assess(subject, align(photo, subject.landmarks), photo.shape)
        assert clean.usable
        blurred = [
            assess(
                subject,
                align(cv2.GaussianBlur(photo, (0, 0), s).astype(np.uint8), subject.landmarks),
                photo.shape,
            )
            for s in (1.5, 3.0, 6.0, 9.0)
        ]
        shrunk = []
        for factor in (0.5, 0.25, 0.12):
            small = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(
                np.uint8
            )
            reduced = subject.scaled(factor, factor)
            shrunk.append(assess(reduced, align(small, reduced.landmarks), small.shape))
        for row in (blurred, shrunk):
            values = [clean.value, *(quality.value for quality in row)]
            falls += values == sorted(values, reverse=True)
            assert not row[-1].usable
    assert falls >= 0.9 * 2 * len(paths)
