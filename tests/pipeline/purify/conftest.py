"""Pictures that vary like faces do: smooth, with a few large directions and many small ones."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.types import ByteArray


def _enlarged(small: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(cv2.resize(small, (112, 112), interpolation=cv2.INTER_CUBIC), np.float64)


def smooth_pictures(count: int, seed: int) -> list[ByteArray]:
    """uint8 (112, 112, 3) RGB: a fixed face-like picture with random smooth changes and fine noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:112j, -1:1:112j]
    face = 130 + 50 * np.exp(-(x**2 + 1.5 * y**2) * 2)[..., None] * np.array([1.0, 0.8, 0.7])
    pictures = []
    for _ in range(count):
        light, tint = random.normal(0, 20, (7, 7)), random.normal(0, 8, (3, 3, 3))
        change = _enlarged(light)[..., None] + _enlarged(tint)
        noise = random.normal(0, 3, (112, 112, 3))
        pictures.append(np.clip(face + change + noise, 0, 255).astype(np.uint8))
    return pictures


@pytest.fixture(scope="session")
def pictures() -> list[ByteArray]:
    """120 of them."""
    return smooth_pictures(120, seed=0)


@pytest.fixture(scope="session")
def unseen_pictures() -> list[ByteArray]:
    """8 more that nothing was fitted to."""
    return smooth_pictures(8, seed=1)
