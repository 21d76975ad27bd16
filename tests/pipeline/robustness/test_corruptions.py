"""Corruptions are repeatable, alike whoever stands beside, stronger with severity, and of their kind."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.robustness.corruptions import SEVERITIES, Corruption
from pipeline.types import ByteArray

RANDOM = {Corruption.GAUSSIAN_NOISE, Corruption.SHOT_NOISE, Corruption.MOTION_BLUR}


def crops(count: int) -> ByteArray:
    """uint8 (N, 112, 112, 3) RGB: edges, slopes and fine texture in colour; no two alike."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[0:112, 0:112]
    pictures = []
    for row in range(count):
        smooth = cv2.resize(random.uniform(40, 200, (9, 9, 3)), (112, 112), interpolation=cv2.INTER_CUBIC)
        disc = 30.0 * ((x - 40 - row) ** 2 + (y - 60) ** 2 < 30**2)
        pictures.append(smooth + disc[..., None] + random.normal(0, 4, (112, 112, 1)))
    return np.asarray(np.clip(np.stack(pictures), 0, 255), np.uint8)


def change(corrupted: ByteArray, clean: ByteArray) -> float:
    return float(np.abs(corrupted.astype(float) - clean).mean())


@pytest.mark.parametrize("kind", list(Corruption))
class TestEveryKind:
    @pytest.mark.parametrize("severity", SEVERITIES)
    def test_shape_and_dtype_stay(self, kind: Corruption, severity: int) -> None:
        corrupted = kind(crops(2), severity, 0)
        assert corrupted.shape == (2, 112, 112, 3)
        assert corrupted.dtype == np.uint8

    def test_the_input_is_left_alone(self, kind: Corruption) -> None:
        clean = crops(2)
        kind(clean, 3, 0)[:] = 0
        assert np.array_equal(clean, crops(2))

    def test_equal_seeds_give_equal_bytes(self, kind: Corruption) -> None:
        assert np.array_equal(kind(crops(2), 3, 5), kind(crops(2), 3, 5))

    def test_another_seed_matters_where_there_is_chance(self, kind: Corruption) -> None:
        same = np.array_equal(kind(crops(1), 5, 0), kind(crops(1), 5, 1))
        assert same == (kind not in RANDOM)

    def test_a_row_does_not_depend_on_its_place_or_company(self, kind: Corruption) -> None:
        together = kind(crops(3), 3, 0)
        assert np.array_equal(kind(crops(3)[[2]], 3, 0)[0], together[2])
        assert np.array_equal(kind(crops(3)[::-1], 3, 0), together[::-1])

    def test_it_grows_with_severity(self, kind: Corruption) -> None:
        clean = crops(4)
        changes = [change(kind(clean, severity, 0), clean) for severity in SEVERITIES]
        assert changes[0] > 0.5
        assert changes == sorted(changes)
        assert changes[-1] > 1.5 * changes[0]

    def test_severities_are_one_to_five(self, kind: Corruption) -> None:
        for severity in (0, 6):
            with pytest.raises(ValueError, match="1 to 5"):
                kind(crops(1), severity, 0)

    def test_no_rows_give_no_rows(self, kind: Corruption) -> None:
        assert kind(crops(1)[:0], 1, 0).shape == (0, 112, 112, 3)

    def test_other_arrays_are_refused(self, kind: Corruption) -> None:
        with pytest.raises(ValueError, match="crops_rgb"):
            kind(crops(1).astype(np.float32), 1, 0)


class TestKinds:
    def test_noise_has_the_strength_it_says(self) -> None:
        grey = np.full((1, 112, 112, 3), 128, np.uint8)
        for severity in SEVERITIES:
            noise = Corruption.GAUSSIAN_NOISE(grey, severity, 0).astype(float) - 128
            sigma_255 = Corruption.GAUSSIAN_NOISE.strength(severity)
            assert noise.std() == pytest.approx(sigma_255, rel=0.03)
            photons = (
                Corruption.SHOT_NOISE(grey, severity, 0) / 255 * Corruption.SHOT_NOISE.strength(severity)
            )
            assert photons.var() == pytest.approx(photons.mean(), rel=0.1)

    def test_photons_leave_black_black(self) -> None:
        assert not Corruption.SHOT_NOISE(np.zeros((1, 112, 112, 3), np.uint8), 5, 0).any()

    def test_noise_is_the_same_pattern_at_every_severity(self) -> None:
        grey = np.full((1, 112, 112, 3), 128, np.uint8)
        weak, strong = (Corruption.GAUSSIAN_NOISE(grey, s, 0).astype(float).ravel() for s in (2, 4))
        assert np.corrcoef(weak, strong)[0, 1] > 0.99

    @pytest.mark.parametrize("kind", [Corruption.GAUSSIAN_BLUR, Corruption.MOTION_BLUR])
    def test_blur_spreads_a_point_and_keeps_its_light(self, kind: Corruption) -> None:
        point = np.zeros((1, 112, 112, 3), np.uint8)
        point[0, 54:58, 54:58] = 255
        for severity in SEVERITIES:
            blurred = kind(point, severity, 0)
            assert blurred.sum(dtype=np.int64) == pytest.approx(point.sum(dtype=np.int64), rel=0.05)
            assert (blurred > 0).sum() > (point > 0).sum()

    def test_movement_is_along_a_line(self) -> None:
        point = np.zeros((1, 112, 112, 3), np.uint8)
        point[0, 56, 56] = 255
        y, x = np.nonzero(Corruption.MOTION_BLUR(point, 5, 3)[0, ..., 0])
        long, across = np.linalg.svd(np.stack([x - x.mean(), y - y.mean()]), compute_uv=False)
        assert np.hypot(np.ptp(x), np.ptp(y)) == pytest.approx(18, abs=2)
        assert across < 0.2 * long

    def test_a_mean_is_kept_by_haze_and_moved_by_light(self) -> None:
        clean = crops(1)
        assert Corruption.CONTRAST(clean, 5, 0).mean() == pytest.approx(clean.mean(), abs=0.5)
        assert Corruption.BRIGHTNESS(clean, 3, 0).mean() > clean.mean() + 40
        assert Corruption.GAMMA(clean, 3, 0).mean() < clean.mean() - 20

    def test_jpeg_keeps_the_colours_in_order(self) -> None:
        red = np.zeros((1, 112, 112, 3), np.uint8)
        red[..., 0] = 200
        assert np.allclose(Corruption.JPEG(red, 5, 0).mean((0, 1, 2)), [200, 0, 0], atol=8)
