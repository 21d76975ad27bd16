"""The loss of masks is that of reconstructed pictures, and REINFORCE estimates the right gradient."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from pipeline.purify.basis import PIXELS
from pipeline.purify.fit import BasisKind, FitOptions, fit_pin
from pipeline.purify.paper import scaled
from pipeline.purify.policy import MaskLoss, mask_loss, noised, optimal_kept, policy_loss, sample_masks
from pipeline.purify.selector import UNIT
from pipeline.types import ByteArray

ALL_MASKS_OF_3 = torch.tensor(list(itertools.product([0.0, 1.0], repeat=3)))


@pytest.mark.parametrize("kind", list(BasisKind))
def test_the_loss_is_that_of_reconstructed_pictures(pictures: list[ByteArray], kind: BasisKind) -> None:
    fitted = fit_pin(pictures, FitOptions(30, 1, kind))
    mean = scaled(fitted.mean[0])
    clean = scaled(torch.from_numpy(np.stack(pictures[:4])).float()[..., 1])
    generator = torch.Generator().manual_seed(0)
    noisy = noised(clean, 0.1, generator)
    masks = (torch.rand(5, 4, 30, generator=generator) < 0.5).float()
    losses = mask_loss(fitted.basis, mean, clean, noisy, penalty=1e-3).of(masks)
    assert losses.shape == (5, 4)
    for sample, row in itertools.product(range(5), range(4)):
        kept = fitted.basis.analyse(noisy[row] - mean) * masks[sample, row]
        error = (fitted.basis.synthesise(kept) + mean - clean[row]).square().mean()
        assert float(losses[sample, row]) == pytest.approx(
            float(error + 1e-3 * kept.count_nonzero()), rel=1e-3
        )


def three_components(pictures: int) -> tuple[MaskLoss, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    constant, price = torch.rand(pictures, generator=generator), torch.randn(pictures, 3, generator=generator)
    return MaskLoss(constant.double(), price.double()), torch.randn(pictures, 3, generator=generator).double()


def chance(masks: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
    return torch.where(masks == 1, probabilities, 1 - probabilities).prod(dim=-1)


def test_the_expected_loss_is_the_mean_over_all_masks() -> None:
    cost, logits = three_components(2)
    masks = ALL_MASKS_OF_3.double().unsqueeze(1).expand(8, 2, 3)
    probabilities = torch.sigmoid(logits)
    enumerated = (chance(masks, probabilities) * cost.of(masks)).sum(0)
    assert torch.allclose(cost.expected(probabilities), enumerated)


@pytest.mark.parametrize(("samples", "pictures"), [(2, 1), (1, 2)])
def test_the_expected_policy_gradient_is_that_of_the_expected_loss(samples: int, pictures: int) -> None:
    """Over every draw that there can be of 3 components, each weighted with its chance: no sampling error."""
    cost, logits = three_components(pictures)
    logits.requires_grad_(True)
    probabilities = torch.sigmoid(logits).detach()
    estimated = torch.zeros(pictures, 3, dtype=torch.float64)
    for draw in itertools.product(ALL_MASKS_OF_3.double(), repeat=samples * pictures):
        masks = torch.stack(draw).reshape(samples, pictures, 3)
        (gradient,) = torch.autograd.grad(policy_loss(logits, masks, cost.of(masks)), logits)
        estimated += chance(masks, probabilities).prod() * gradient
    (exact,) = torch.autograd.grad(cost.expected(torch.sigmoid(logits)).mean(), logits)
    assert torch.allclose(estimated, (samples - 1 / pictures) * exact)
    assert exact.abs().min() > 1e-3


def test_the_policy_gradient_is_finite_where_probabilities_are_0_or_1() -> None:
    logits = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    masks = torch.tensor([[[1.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]])
    loss = policy_loss(logits, masks, torch.tensor([[1.0], [2.0]]))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()
    assert gradient[0, 2] != 0


def test_masks_are_drawn_with_their_odds_from_the_generator_given() -> None:
    before = torch.random.get_rng_state()
    logits = torch.tensor([[-2.0, 0.0, 1.0], [3.0, -100.0, 100.0]])
    masks = sample_masks(logits, 4000, torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.allclose(masks.mean(0), torch.sigmoid(logits), atol=0.03)
    assert masks[:, 1, 1:].mean(0).tolist() == [0.0, 1.0]
    centred = masks[:, 0] - masks[:, 0].mean(0)
    assert abs(float((centred[:, 1] * centred[:, 2]).mean())) < 0.02, "components are drawn on their own"


def test_noise_has_its_share_of_the_norm_of_the_batch() -> None:
    pictures = torch.rand(3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    noise = noised(pictures, 0.04, torch.Generator().manual_seed(1)) - pictures
    assert float(noise.norm()) == pytest.approx(0.04 * float(pictures.norm()), rel=1e-3)


def face_like_variances() -> torch.Tensor:
    """Of 2,500 components, falling off about like those of aligned faces, squared 8-bit units."""
    return UNIT**2 * 2500 / (torch.arange(2500) + 2.4).pow(1.6)


@pytest.mark.parametrize("penalty", [0.0, 1e-7, 1e-6, 1.5e-5, 1e-3, 0.015, 1.0])
def test_the_optimum_is_the_least_expected_loss_of_any_number_kept(penalty: float) -> None:
    variances, noise = face_like_variances(), 3.4e-4
    prices = (noise - variances.double() / UNIT**2) / PIXELS + penalty
    losses = np.concatenate([[0.0], np.cumsum(prices.numpy())])
    assert optimal_kept(variances, noise, penalty) == int(losses.argmin())


def test_the_published_penalty_leaves_next_to_nothing() -> None:
    kept = [optimal_kept(face_like_variances(), 3.4e-4, penalty) for penalty in (0.015, 1.5e-5, 1e-6)]
    assert kept[0] < 5
    assert 100 < kept[1] < 500
    assert 800 < kept[2] < 2500
