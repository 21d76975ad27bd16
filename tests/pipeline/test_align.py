from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.align import ARCFACE_TEMPLATE, align, similarity_transform


def pose(scale: float, angle: float, shift_x: float, shift_y: float) -> np.ndarray:
    a, b = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[a, -b, shift_x], [b, a, shift_y]])


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


poses = st.builds(
    pose,
    st.floats(0.05, 50.0),
    st.floats(-math.pi, math.pi),
    st.floats(-8000.0, 8000.0),
    st.floats(-8000.0, 8000.0),
)
shapes = st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=3, max_size=9)


class TestSimilarityTransform:
    @given(poses)
    def test_undoes_any_pose_of_the_template(self, matrix: np.ndarray) -> None:
        found = similarity_transform(apply(matrix, ARCFACE_TEMPLATE), ARCFACE_TEMPLATE)
        both = apply(found, apply(matrix, ARCFACE_TEMPLATE))
        np.testing.assert_allclose(both, ARCFACE_TEMPLATE, atol=1e-6)

    @given(poses, shapes)
    def test_there_and_back_is_the_identity(
        self, matrix: np.ndarray, shape: list[tuple[float, float]]
    ) -> None:
        points = ARCFACE_TEMPLATE.repeat(2, axis=0)[: len(shape)] + np.array(shape)[:, ::-1]
        widest, thinnest = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        assume(thinnest > 0.01 * widest > 0.01)
        forward = similarity_transform(points, apply(matrix, points))
        backward = similarity_transform(apply(matrix, points), points)
        np.testing.assert_allclose(forward, matrix, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(apply(backward, apply(forward, points)), points, atol=1e-5)

    @given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=5, max_size=5))
    def test_no_nearby_transform_fits_better(self, noise: list[tuple[float, float]]) -> None:
        points = ARCFACE_TEMPLATE + np.array(noise)
        best = similarity_transform(points, ARCFACE_TEMPLATE)

        def error(matrix: np.ndarray) -> float:
            return float(((apply(matrix, points) - ARCFACE_TEMPLATE) ** 2).sum())

        for d_scale, d_angle, dx, dy in np.eye(4) * 1e-3:
            for sign in (-1, 1):
                step = pose(1 + sign * d_scale, sign * d_angle, sign * dx, sign * dy)
                moved = np.vstack([step, [0, 0, 1]]) @ np.vstack([best, [0, 0, 1]])
                assert error(best) <= error(moved[:2]) + 1e-9

    def test_is_exact_to_the_bit_from_call_to_call(self) -> None:
        points = ARCFACE_TEMPLATE * 3.7 + 11.3
        first = similarity_transform(points, ARCFACE_TEMPLATE)
        assert first.tobytes() == similarity_transform(points.copy(), ARCFACE_TEMPLATE).tobytes()

    @pytest.mark.parametrize(
        ("points", "says"),
        [
            (np.full((5, 2), 40.0), "coincide"),
            (np.column_stack([np.arange(5.0), 2 * np.arange(5.0)]), "one line"),
            (np.full((5, 2), np.nan), "finite"),
            (np.zeros((2, 2)), "at least three"),
        ],
    )
    def test_degenerate_points_are_refused_by_name(self, points: np.ndarray, says: str) -> None:
        with pytest.raises(ValueError, match=says):
            similarity_transform(points, ARCFACE_TEMPLATE)

    def test_a_perfect_mirror_image_is_refused_rather_than_shrunk_to_a_point(self) -> None:
        square = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        with pytest.raises(ValueError, match="no rotation and scale"):
            similarity_transform(square * [-1, 1], square)


def face_picture(scale: float, angle: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A smooth coloured picture drawn in crop coordinates, seen at another scale; and its landmarks."""
    size = int(160 * scale) + 40
    matrix = pose(scale, angle, 30.0 * scale, 20.0 * scale)
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float64)
    back = np.linalg.inv(matrix[:, :2])
    points = np.stack([xs - matrix[0, 2], ys - matrix[1, 2]], axis=-1) @ back.T
    blue = 128 + 100 * np.sin(points[..., 0] / 12)
    green = 128 + 100 * np.sin(points[..., 1] / 9)
    red = 128 + 100 * np.sin((points[..., 0] + points[..., 1]) / 15)
    picture = np.stack([blue, green, red], axis=-1).round().astype(np.uint8)
    return picture, apply(matrix, ARCFACE_TEMPLATE).astype(np.float32)


def expected_crop() -> np.ndarray:
    ys, xs = np.mgrid[0:112, 0:112].astype(np.float64)
    return np.stack(
        [128 + 100 * np.sin((xs + ys) / 15), 128 + 100 * np.sin(ys / 9), 128 + 100 * np.sin(xs / 12)], axis=-1
    )


class TestAlign:
    @pytest.mark.parametrize("scale", [0.8, 1.0, 1.3, 2.0, 3.7, 9.0])
    @pytest.mark.parametrize("angle", [0.0, 0.5])
    def test_gives_the_same_rgb_crop_at_every_size_and_angle(self, scale: float, angle: float) -> None:
        picture, landmarks = face_picture(scale, angle)
        crop = align(picture, landmarks)
        inside = align(np.full_like(picture, 255), landmarks)[..., 0] == 255
        assert inside.mean() > 0.5
        difference = np.abs(crop.astype(float) - expected_crop())[inside]
        assert crop.shape == (112, 112, 3)
        assert crop.dtype == np.uint8
        assert difference.mean() < 3.0
        assert difference.max() < 16.0

    def test_fine_texture_of_a_large_face_averages_out_instead_of_aliasing(self) -> None:
        checker = ((np.indices((1200, 1200)).sum(axis=0) % 2) * 255).astype(np.uint8)
        picture = np.repeat(checker[..., None], 3, axis=2)
        crop = align(picture, (ARCFACE_TEMPLATE * 8.3 + 120).astype(np.float32))
        assert crop[4:-4, 4:-4].std() < 8
        plain = cv2.warpAffine(picture, pose(1 / 8.3, 0.1, -10, -10), (112, 112))
        assert plain[20:-20, 20:-20].std() > 40

    @pytest.mark.parametrize("offset", [-500.0, 5000.0])
    def test_a_face_outside_the_picture_is_black(self, offset: float) -> None:
        picture = np.full((60, 60, 3), 200, np.uint8)
        assert not align(picture, (ARCFACE_TEMPLATE + offset).astype(np.float32)).any()

    @pytest.mark.parametrize("shape", [(1, 1, 3), (0, 10, 3), (4400, 7680, 3), (1, 40000, 3)])
    def test_takes_pictures_of_any_size(self, shape: tuple[int, int, int]) -> None:
        picture = np.full(shape, 77, np.uint8)
        for factor in (0.02, 1.0, 60.0):
            crop = align(picture, (ARCFACE_TEMPLATE * factor).astype(np.float32))
            assert crop.shape == (112, 112, 3)
            assert crop.max() <= 77

    def test_does_not_write_to_the_picture(self) -> None:
        picture, landmarks = face_picture(3.0)
        before = picture.copy()
        align(picture, landmarks)
        assert (picture == before).all()

    def test_wrong_arrays_are_refused_by_name(self) -> None:
        landmarks = ARCFACE_TEMPLATE.astype(np.float32)
        with pytest.raises(ValueError, match="image_bgr"):
            align(np.zeros((9, 9), np.uint8), landmarks)
        with pytest.raises(ValueError, match="landmarks"):
            align(np.zeros((9, 9, 3), np.uint8), ARCFACE_TEMPLATE)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="degenerate"):
            align(np.zeros((9, 9, 3), np.uint8), np.zeros((5, 2), np.float32))
