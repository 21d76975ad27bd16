"""What every purifier must do; subclass with a `purifier` fixture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.seams import Purifier


def noise_crops(count: int, seed: int = 0) -> torch.Tensor:
    """float32 (N, 3, 112, 112) in 60..195: so far from both ends that an overshoot stays inside."""
    generator = torch.Generator().manual_seed(seed)
    return 60 + 135 * torch.rand(count, 3, 112, 112, generator=generator)


class PurifierContract:
    """Shape, determinism, independence of batch mates, exact gradients."""

    def test_it_has_a_name(self, purifier: Purifier) -> None:
        assert purifier.purifier_id

    @pytest.mark.parametrize("count", [1, 3])
    def test_shape_and_dtype_are_kept(self, purifier: Purifier, count: int) -> None:
        purified = purifier(noise_crops(count))
        assert purified.shape == (count, 3, 112, 112)
        assert purified.dtype == torch.float32
        assert torch.isfinite(purified).all()

    def test_equal_crops_give_equal_bits(self, purifier: Purifier) -> None:
        assert torch.equal(purifier(noise_crops(2)), purifier(noise_crops(2)))

    def test_the_input_is_left_alone(self, purifier: Purifier) -> None:
        crops = noise_crops(2)
        purifier(crops)
        assert torch.equal(crops, noise_crops(2))

    def test_no_random_numbers_are_drawn(self, purifier: Purifier) -> None:
        before = torch.random.get_rng_state()
        purifier(noise_crops(1))
        assert torch.equal(before, torch.random.get_rng_state())

    def test_a_row_does_not_depend_on_the_others(self, purifier: Purifier) -> None:
        crops = noise_crops(4)
        extreme = crops.clone()
        extreme[1:] = torch.tensor([0.0, 255.0, 128.0]).view(3, 1, 1, 1)
        row = purifier(crops)[0]
        assert torch.equal(purifier(extreme)[0], row), "batch mates of equal shape must not change a bit"
        assert torch.allclose(purifier(crops[:1])[0], row, atol=1e-3)
        assert torch.allclose(purifier(crops.flip(0))[3], row, atol=1e-3)

    def test_gradients_agree_with_finite_differences(self, purifier: Purifier) -> None:
        crops = noise_crops(2).requires_grad_(True)
        weights = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(1))
        (gradient,) = torch.autograd.grad((purifier(crops) * weights).sum(), crops)
        directions = torch.randn(3, 2, 3, 112, 112, generator=torch.Generator().manual_seed(2))
        for direction in directions:
            ahead, behind = (purifier(crops.detach() + sign * direction) for sign in (1.0, -1.0))
            slope = float(((ahead - behind).double() * weights).sum() / 2)
            assert slope == pytest.approx(float((gradient.double() * direction).sum()), rel=1e-2, abs=1.0)

    def test_gradients_stay_within_their_row(self, purifier: Purifier) -> None:
        crops = noise_crops(2).requires_grad_(True)
        (gradient,) = torch.autograd.grad(purifier(crops)[0].square().sum(), crops)
        assert np.count_nonzero(gradient[1].numpy()) == 0
        assert np.count_nonzero(gradient[0].numpy()) > 0
