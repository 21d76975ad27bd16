"""What every detector must do; subclass with a `detector` fixture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.seams import Detector
from pipeline.types import ByteArray, Face


def same(a: list[Face], b: list[Face]) -> bool:
    """Equal to the bit."""
    return len(a) == len(b) and all(
        x.score == y.score and (x.bbox == y.bbox).all() and (x.landmarks == y.landmarks).all()
        for x, y in zip(a, b, strict=True)
    )


class DetectorContract:
    """Shapes, order, odd pictures, batches, and the same answer every time. Needs no trained weights."""

    @pytest.fixture
    def pictures(self) -> list[ByteArray]:
        rng = np.random.default_rng(0)
        small = rng.integers(0, 256, (9, 16, 3), np.uint8)
        return [
            cv2.resize(small, (320, 180)).astype(np.uint8),
            rng.integers(0, 256, (120, 90, 3), np.uint8),
            cv2.resize(small, (640, 360)).astype(np.uint8),
            np.full((180, 320, 3), 127, np.uint8),
        ]

    def test_it_says_which_model_it_is(self, detector: Detector) -> None:
        name, _, digits = detector.detector_id.partition("@")
        assert name
        assert len(digits) == 8

    def test_no_pictures_give_no_answers(self, detector: Detector) -> None:
        assert detector.detect([]) == []

    def test_one_answer_a_picture_best_first(self, detector: Detector, pictures: list[ByteArray]) -> None:
        answers = detector.detect(pictures)
        assert len(answers) == len(pictures)
        for faces in answers:
            scores = [face.score for face in faces]
            assert scores == sorted(scores, reverse=True)
            assert all(0.0 <= score <= 1.0 for score in scores)

    @pytest.mark.parametrize(
        "shape",
        [
            (1, 1, 3),
            (1, 700, 3),
            (700, 1, 3),
            (0, 40, 3),
            (0, 0, 3),
            (33, 31, 3),
            (4320, 7680, 3),
            (3, 20000, 3),
        ],
    )
    def test_a_picture_of_any_shape_without_faces_is_no_error(
        self, detector: Detector, shape: tuple[int, int, int]
    ) -> None:
        (faces,) = detector.detect([np.full(shape, 90, np.uint8)])
        for face in faces:
            assert face.bbox.shape == (4,)

    def test_the_batch_does_not_change_a_picture_s_answer(
        self, detector: Detector, pictures: list[ByteArray]
    ) -> None:
        alone = [detector.detect([picture])[0] for picture in pictures]
        together = detector.detect(pictures)
        backwards = detector.detect(pictures[::-1])[::-1]
        assert all(map(same, alone, together))
        assert all(map(same, alone, backwards))

    def test_many_sizes_in_turn_keep_giving_the_same_answers(
        self, detector: Detector, pictures: list[ByteArray]
    ) -> None:
        first = detector.detect(pictures)
        for side in range(32, 32 * 11, 32):  # more input shapes than are kept
            detector.detect([np.zeros((side, 32, 3), np.uint8)])
        assert all(map(same, first, detector.detect(pictures)))

    def test_it_neither_changes_nor_keeps_the_picture(
        self, detector: Detector, pictures: list[ByteArray]
    ) -> None:
        picture = pictures[0].copy()
        before = detector.detect([picture])[0]
        assert (picture == pictures[0]).all()
        boxes = [face.bbox.copy() for face in before]
        picture[:] = 0
        detector.detect([picture])
        assert all((face.bbox == box).all() for face, box in zip(before, boxes, strict=True))

    @pytest.mark.parametrize(
        "wrong",
        [np.zeros((20, 20), np.uint8), np.zeros((20, 20, 4), np.uint8), np.zeros((20, 20, 3), np.float32)],
    )
    def test_what_is_no_bgr_picture_is_refused(self, detector: Detector, wrong: ByteArray) -> None:
        with pytest.raises(ValueError, match="image_bgr"):
            detector.detect([wrong])


class TrainedDetectorContract(DetectorContract):
    """What a detector with trained weights must do on real photographs (faces about 90x125 px).

    Attributes:
        factors: By which a portrait is enlarged to see whether boxes and landmarks follow.
    """

    factors: tuple[float, ...] = (0.8, 3.0, 9.0)

    @pytest.fixture
    def portraits(self, assets: Path) -> list[ByteArray]:
        return [picture for _, picture in zip(range(12), _portraits(assets), strict=False)]

    def test_it_finds_the_face_of_a_portrait(self, detector: Detector, portraits: list[ByteArray]) -> None:
        for faces in detector.detect(portraits):
            assert any(_is_central(face) for face in faces)

    def test_landmarks_are_in_the_order_of_the_type(
        self, detector: Detector, portraits: list[ByteArray]
    ) -> None:
        for faces in detector.detect(portraits):
            face = next(face for face in faces if _is_central(face))
            left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
            assert left_eye[0] < right_eye[0]
            assert left_mouth[0] < right_mouth[0]
            assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
            inside = (face.landmarks >= face.bbox[:2]) & (face.landmarks <= face.bbox[2:])
            assert inside.all()

    def test_boxes_are_in_the_picture_s_own_pixels(
        self, detector: Detector, portraits: list[ByteArray]
    ) -> None:
        for factor in self.factors:
            picture = portraits[0]
            scaled = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            (before,), (after,) = detector.detect([picture]), detector.detect([scaled.astype(np.uint8)])
            np.testing.assert_allclose(after[0].bbox / factor, before[0].bbox, atol=12)
            np.testing.assert_allclose(after[0].landmarks / factor, before[0].landmarks, atol=6)

    def test_grey_pictures_have_faces_too(self, detector: Detector, portraits: list[ByteArray]) -> None:
        grey = [cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR) for p in portraits]
        found = sum(
            any(map(_is_central, faces)) for faces in detector.detect([g.astype(np.uint8) for g in grey])
        )
        assert found >= 0.9 * len(portraits)

    def test_colours_are_taken_as_bgr(self, detector: Detector, portraits: list[ByteArray]) -> None:
        """Swapped colours give no error, only worse faces: right ones must score higher nearly always."""
        right = [faces[0].score if faces else 0.0 for faces in detector.detect(portraits)]
        swapped = [np.ascontiguousarray(picture[..., ::-1]) for picture in portraits]
        wrong = [faces[0].score if faces else 0.0 for faces in detector.detect(swapped)]
        wins = sum(a > b for a, b in zip(right, wrong, strict=True))
        assert wins >= 0.7 * len(portraits)


def _is_central(face: Face) -> bool:
    middle = (face.bbox[:2] + face.bbox[2:]) / 2
    return bool(np.abs(middle - 125).max() < 45 and 50 < face.width_px < 160)


def _portraits(assets: Path) -> Iterator[ByteArray]:
    for path in sorted((assets / "faces" / "lfw-dev").glob("*/*.jpg"))[::501]:
        yield np.asarray(cv2.imread(str(path)), np.uint8)
