from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.region import Polygon, PrivacyMask, Region, RegionDetector
from pipeline.types import ByteArray, Face

LEFT_HALF = Polygon(((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
SHARE = st.floats(0, 1, width=32)
SIZE = st.integers(1, 300)
RECTANGLE = st.tuples(SHARE, SHARE, SHARE, SHARE).filter(
    lambda r: abs(r[0] - r[2]) > 0.02 and abs(r[1] - r[3]) > 0.02
)


def face_at(x: float, y: float, side: float = 20, score: float = 0.9) -> Face:
    bbox = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)
    return Face(bbox, np.full((5, 2), (x, y), np.float32), score)


class BrightSpots:
    """Finds the centre of every white blob, in the pixels of what it is shown."""

    detector_id = "spots"

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def detect(self, images_bgr: Sequence[ByteArray]) -> list[list[Face]]:
        self.seen += [image.shape for image in images_bgr]
        assert all(image.flags.c_contiguous for image in images_bgr)
        return [self._spots(image) for image in images_bgr]

    def _spots(self, image: ByteArray) -> list[Face]:
        _, _, _, centres = cv2.connectedComponentsWithStats((image[..., 0] > 200).astype(np.uint8))
        return [face_at(float(x), float(y)) for x, y in centres[1:]]


class TestPolygon:
    @pytest.mark.parametrize(
        ("points", "words"),
        [
            (((0, 0), (1, 1)), "at least 3"),
            (((0, 0), (1.1, 0), (0, 1)), "from 0 to 1"),
            (((0, 0), (float("nan"), 0), (0, 1)), "from 0 to 1"),
            (((0, 0), (0.5, 0.5), (1, 1)), "one line"),
        ],
    )
    def test_what_is_no_polygon_is_refused(self, points: tuple[tuple[float, float], ...], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            Polygon(points)

    def test_contains(self) -> None:
        triangle = Polygon(((0, 0), (1, 0), (0, 1)))
        assert triangle.contains(0.2, 0.2)
        assert triangle.contains(0.5, 0.5)
        assert not triangle.contains(0.8, 0.8)


class TestPrivacyMask:
    @given(rectangle=RECTANGLE, width=SIZE, height=SIZE)
    def test_every_pixel_that_is_touched_is_black_and_no_other_far_away(
        self, rectangle: tuple[float, float, float, float], width: int, height: int
    ) -> None:
        x1, x2 = sorted(rectangle[::2])
        y1, y2 = sorted(rectangle[1::2])
        image = np.full((height, width, 3), 255, np.uint8)
        PrivacyMask((Polygon(((x1, y1), (x2, y1), (x2, y2), (x1, y2))),)).apply(image)
        columns, rows = np.arange(width), np.arange(height)
        touched = np.outer(
            (rows + 1 > y1 * height) & (rows < y2 * height),
            (columns + 1 > x1 * width) & (columns < x2 * width),
        )
        near = np.outer(
            (rows + 4 > y1 * height) & (rows - 3 < y2 * height),
            (columns + 4 > x1 * width) & (columns - 3 < x2 * width),
        )
        assert (image[touched] == 0).all()
        assert (image[~near] == 255).all()

    def test_several_areas_on_any_size(self) -> None:
        mask = PrivacyMask((LEFT_HALF, Polygon(((0.9, 0.9), (1, 0.9), (1, 1)))))
        for shape in ((100, 200, 3), (1, 1, 3), (1080, 1920, 3)):
            image = np.full(shape, 255, np.uint8)
            mask.apply(image)
            assert (image[:, : shape[1] // 2] == 0).all()
            assert (image[-1, -1] == 0).all()


class TestRegion:
    def test_a_face_counts_by_its_centre(self) -> None:
        region = Region(LEFT_HALF)
        assert region.holds(face_at(95, 50), 200, 100)
        assert not region.holds(face_at(105, 50), 200, 100)

    @given(rectangle=RECTANGLE, width=SIZE, height=SIZE, margin=st.floats(0, 0.3))
    def test_the_window_holds_the_polygon_and_lies_in_the_picture(
        self, rectangle: tuple[float, float, float, float], width: int, height: int, margin: float
    ) -> None:
        x1, x2 = sorted(rectangle[::2])
        y1, y2 = sorted(rectangle[1::2])
        window = Region(Polygon(((x1, y1), (x2, y1), (x2, y2), (x1, y2))), margin).window(width, height)
        assert 0 <= window.left < window.right <= width
        assert 0 <= window.top < window.bottom <= height
        assert window.left <= x1 * width
        assert window.right >= x2 * width - 1e-3
        assert window.top <= y1 * height
        assert window.bottom >= y2 * height - 1e-3

    def test_detection_sees_the_part_only_and_answers_in_the_whole(self) -> None:
        picture = np.zeros((100, 200, 3), np.uint8)
        for x, y in ((150, 60), (170, 30), (20, 20)):
            cv2.circle(picture, (x, y), 3, (255, 255, 255), -1)
        inner = BrightSpots()
        detector = RegionDetector(
            inner, Region(Polygon(((0.7, 0.1), (0.9, 0.1), (0.9, 0.9), (0.7, 0.9))), margin=0.05)
        )
        (faces,) = detector.detect([picture])
        centres = sorted(tuple(np.round(face.landmarks[0]).astype(int).tolist()) for face in faces)
        assert centres == [(150, 60), (170, 30)]
        assert inner.seen == [(90, 60, 3)]
        assert detector.detector_id == "spots"
        assert detector.detect([]) == []

    def test_faces_in_the_margin_are_left_out(self) -> None:
        picture = np.zeros((100, 200, 3), np.uint8)
        cv2.circle(picture, (108, 50), 3, (255, 255, 255), -1)
        inner = BrightSpots()
        assert RegionDetector(inner, Region(LEFT_HALF)).detect([picture]) == [[]]
        assert inner.seen[0][1] > 110, "it was looked at"
