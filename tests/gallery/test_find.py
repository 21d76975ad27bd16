"""Finding faces: close up, in a crowd, in a huge picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gallery.find import MAX_SIDE_PX, find_faces, side_px
from pipeline.align import ARCFACE_TEMPLATE
from pipeline.types import ByteArray, Face
from tests.gallery.fakes import SquareDetector, pattern, picture


class NearSighted(SquareDetector):
    """Reduces pictures to 640 px as real detectors do, and then misses squares below 12 or above 400 px."""

    def _detect(self, image_bgr: ByteArray) -> list[Face]:
        scale = min(1.0, 640 / max(image_bgr.shape[:2]))
        small = cv2.resize(image_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found = super()._detect(np.asarray(small, np.uint8))
        return [face.scaled(1 / scale, 1 / scale) for face in found if 12 <= side_px(face) <= 400]


def test_the_largest_comes_first_and_of_two_alike_the_one_in_the_middle() -> None:
    image = picture([(pattern(1), 40, (10, 10)), (pattern(2), 90, (100, 50)), (pattern(3), 60, (220, 20))])
    assert [round(side_px(face)) for face in find_faces(image, SquareDetector())] == [90, 60, 40]
    image = picture([(pattern(1), 90, (225, 140)), (pattern(2), 80, (115, 70))])
    assert [round(side_px(face)) for face in find_faces(image, SquareDetector())] == [80, 90]
    image = picture([(pattern(1), 90, (200, 70)), (pattern(2), 40, (140, 80))])
    assert [round(side_px(face)) for face in find_faces(image, SquareDetector())] == [90, 40]


def test_boxes_are_in_pixels_of_the_full_picture() -> None:
    image = picture([(pattern(1), 1000, (5000, 2000))], size=(4320, 7680))
    detector = SquareDetector()
    (face,) = find_faces(image, detector)
    assert max(max(shape[:2]) for shape in detector.shapes) <= MAX_SIDE_PX
    assert face.bbox.tolist() == pytest.approx([5000, 2000, 6000, 3000], abs=3)


def test_a_face_that_fills_the_picture_is_found_from_further_away() -> None:
    image = picture([(pattern(1), 620, (10, 10))], size=(640, 640))
    (face,) = find_faces(image, NearSighted())
    assert face.bbox.tolist() == pytest.approx([10, 10, 630, 630], abs=4)
    nose = 10 + ARCFACE_TEMPLATE[2] * 620 / 112
    assert face.landmarks[2].tolist() == pytest.approx(nose.tolist(), abs=4)


def test_nothing_is_found_where_nothing_is() -> None:
    assert find_faces(np.zeros((100, 100, 3), np.uint8), NearSighted()) == []


def test_small_faces_of_a_crowd_are_found_once_each_wherever_they_stand() -> None:
    places = [(left, top) for left in range(0, 3000, 197) for top in range(0, 2200, 211)]
    image = picture([(pattern(n % 9), 50, place) for n, place in enumerate(places)], size=(2250, 3050))
    found = find_faces(image, NearSighted())
    corners = sorted((round(float(face.bbox[0])), round(float(face.bbox[1]))) for face in found)
    assert len(corners) == len(places)
    assert np.abs(np.array(corners) - np.array(sorted(places))).max() <= 3


def test_a_large_face_across_tiles_is_one_face() -> None:
    image = picture([(pattern(1), 900, (700, 300))], size=(1500, 2000))
    (face,) = find_faces(image, NearSighted())
    assert face.bbox.tolist() == pytest.approx([700, 300, 1600, 1200], abs=6)


@pytest.mark.parametrize("size", [(32, 32), (1280, 1280), (1281, 33), (64, 4000)])
def test_odd_sizes_do_no_harm(size: tuple[int, int]) -> None:
    find_faces(np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8), NearSighted())


def test_the_picture_is_left_as_it_is() -> None:
    image = picture([(pattern(1), 100, (20, 20))])
    before = image.copy()
    find_faces(image, SquareDetector())
    assert np.array_equal(image, before)
