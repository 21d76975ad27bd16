"""The differentiable alignment: the crop of `align`, and gradients that reach the frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.align import ARCFACE_TEMPLATE, align
from pipeline.robustness.warp import FaceWarp
from pipeline.types import ByteArray, FloatArray

HEIGHT, WIDTH = 480, 640


def picture(seed: int = 0) -> ByteArray:
    """Every pixel different from its neighbours: the worst case for a difference in sampling."""
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def landmarks(scale: float, turn_rad: float, at: tuple[float, float]) -> FloatArray:
    """The template `scale` times as large, turned, its corner at a place, and a little irregular."""
    cos, sin = np.cos(turn_rad), np.sin(turn_rad)
    points = ARCFACE_TEMPLATE @ np.array([[cos, sin], [-sin, cos]]) * scale
    points += np.random.default_rng(4).normal(0.0, 1.5 * scale, (5, 2))
    return np.asarray(points + at, np.float32)


def as_frames(image_bgr: ByteArray) -> torch.Tensor:
    return torch.from_numpy(image_bgr[:, :, ::-1].copy()).permute(2, 0, 1)[None].float()


@pytest.mark.parametrize("scale", [0.4, 1.0, 1.32, 1.34, 1.7, 2.6, 4.1])
@pytest.mark.parametrize("at", [(150.0, 100.0), (-20.0, -35.0), (560.0, 400.0)])
def test_the_crop_is_that_of_align(scale: float, at: tuple[float, float]) -> None:
    image, points = picture(), landmarks(scale, 0.3, at)
    wanted = align(image, points).astype(np.float32)
    got = FaceWarp.of(points, HEIGHT, WIDTH)(as_frames(image))[0].permute(1, 2, 0).numpy()
    assert np.abs(got - wanted).max() <= 1.0  # align rounds twice where it reduces, else once
    assert wanted.std() > 5.0  # there is something to compare


def test_a_reduced_face_is_averaged_first() -> None:
    assert FaceWarp.of(landmarks(1.2, 0.0, (100, 100)), HEIGHT, WIDTH).rows is None
    rows = FaceWarp.of(landmarks(2.5, 0.0, (100, 100)), HEIGHT, WIDTH).rows
    assert rows is not None
    assert torch.allclose(rows.sum(dim=1), torch.ones(len(rows)), atol=1e-5)


@pytest.mark.parametrize("scale", [0.8, 2.6])
def test_gradients_agree_with_finite_differences(scale: float) -> None:
    warp = FaceWarp.of(landmarks(scale, -0.2, (80, 60)), HEIGHT, WIDTH)
    frames = as_frames(picture())
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 3, 112, 112)).astype(np.float32))

    def loss(pixels: torch.Tensor) -> torch.Tensor:
        return (warp(pixels) ** 2 * weights).double().sum()

    leaf = frames.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(loss(leaf), leaf)
    direction = torch.sign(gradient)
    step = 0.25
    along = (loss(frames + step * direction) - loss(frames - step * direction)) / (2 * step)
    assert float(along) == pytest.approx(float((gradient * direction).sum()), rel=1e-3)


def test_gradients_stay_within_the_window() -> None:
    warp = FaceWarp.of(landmarks(1.0, 0.1, (200, 150)), HEIGHT, WIDTH)
    leaf = as_frames(picture()).requires_grad_(True)
    (gradient,) = torch.autograd.grad(warp(leaf).sum(), leaf)
    x0, y0, x1, y1 = warp.window
    touched = gradient[0].abs().sum(dim=0)
    assert float(touched[y0:y1, x0:x1].sum()) == pytest.approx(float(touched.sum()))
    assert float(touched[(y0 + y1) // 2, (x0 + x1) // 2]) > 0


def test_frames_of_a_batch_do_not_influence_each_other() -> None:
    warp = FaceWarp.of(landmarks(2.0, 0.1, (100, 80)), HEIGHT, WIDTH)
    one, other = as_frames(picture(1)), as_frames(picture(2))
    assert torch.equal(warp(torch.cat([one, other]))[:1], warp(one))


def test_a_face_outside_of_the_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the frame"):
        FaceWarp.of(landmarks(1.0, 0.0, (900, 900)), HEIGHT, WIDTH)
    with pytest.raises(ValueError, match="degenerate"):
        FaceWarp.of(np.zeros((5, 2)), HEIGHT, WIDTH)
