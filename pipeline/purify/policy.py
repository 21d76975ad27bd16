"""What a mask costs, what it costs on average, and how REINFORCE learns to draw cheap ones.

The loss of one mask is that of the PIN paper's authors' code (Ren, Zhu, Wang, Sun, IEEE TIFS 2022):
the mean squared error over the pixels between a clean picture and the reconstruction, under the
mask, of the same picture with noise, plus a penalty for each component kept. Everything counts in
units of that code, pictures in -1..1.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional

from pipeline.purify.basis import PIXELS, Basis
from pipeline.purify.selector import UNIT


class MaskLoss(NamedTuple):
    """The loss for N pictures as a sum over components: ``constant + sum over k of m_k * price_k``.

    With z the coefficients of a centred clean picture x, z' those with noise, and an orthonormal basis
    U, the squared error ``|x - U(m z')|^2`` is ``|x|^2 - 2 sum m_k z_k z'_k + sum m_k^2 z'_k^2``; with
    m_k 0 or 1 that is ``|x|^2 + sum m_k ((z'_k - z_k)^2 - z_k^2)``: keeping a component costs its noise
    and saves what it explains. No picture needs to be reconstructed.

    Attributes:
        constant: float32 (N,): of the empty mask.
        price: float32 (N, K): of keeping each component; worth it where negative.
    """

    constant: torch.Tensor
    price: torch.Tensor

    def of(self, masks: torch.Tensor) -> torch.Tensor:
        """Masks float32 (S, N, K), 0 or 1 -> losses (S, N)."""
        return self.constant + torch.einsum("snk,nk->sn", masks, self.price)

    def expected(self, probabilities: torch.Tensor) -> torch.Tensor:
        """(N, K) -> (N,): the mean over masks drawn with these probabilities, exactly, with gradient.

        The loss is linear in the mask, so that what REINFORCE estimates from samples can be had in
        closed form.
        """
        return self.constant + (probabilities * self.price).sum(dim=1)


def mask_loss(
    basis: Basis, mean: torch.Tensor, clean: torch.Tensor, noised: torch.Tensor, penalty: float
) -> MaskLoss:
    """The loss of masks for N pictures.

    Args:
        basis: Orthonormal.
        mean: float32 (112, 112), -1..1, the mean face.
        clean: float32 (N, 112, 112), -1..1.
        noised: The same with noise.
        penalty: Of each component kept.
    """
    centred = clean - mean
    coefficients, noise = basis.analyse(centred), basis.analyse(noised - clean)
    price = (noise.square() - coefficients.square()) / PIXELS + penalty
    return MaskLoss(centred.square().mean(dim=(1, 2)), price)


def optimal_kept(variances: torch.Tensor, noise_variance: float, penalty: float) -> int:
    """How many components the least expected loss keeps, if the mask is the same for all faces.

    With P pixels, keeping component k changes the expected loss by
    ``(noise_variance - variance_k) / P + penalty``.

    Args:
        variances: float32 (K,), of faces along each component, squared 8-bit units.
        noise_variance: Of the noise in each coefficient, squared units of the published code.
        penalty: Of each component kept.
    """
    return int((variances / UNIT**2 > noise_variance + penalty * PIXELS).sum())


def sample_masks(logits: torch.Tensor, samples: int, generator: torch.Generator) -> torch.Tensor:
    """float32 (N, K) log odds -> masks float32 (S, N, K)."""
    draws = torch.rand(samples, *logits.shape, generator=generator, device=logits.device)
    return (draws < torch.sigmoid(logits.detach())).to(logits.dtype)


def policy_loss(logits: torch.Tensor, masks: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """What to minimise so that the gradient is REINFORCE's (Williams, Machine Learning 8, 1992).

    As published: the losses, less the mean of all of them, times the log-likelihood of their masks,
    summed over the S samples, mean over the N pictures. Its expected gradient is that of the mean
    expected loss times ``S - 1 / N`` (not S, since each loss is part of its own baseline). Unlike in
    the published code the likelihood is of all components, not up to the last one that some sample
    kept, and comes from log odds, so that it cannot be the logarithm of 0.

    Args:
        logits: float32 (N, K) log odds, with gradient.
        masks: float32 (S, N, K), drawn with these odds.
        losses: float32 (S, N), of the masks.
    """
    advantages = losses - losses.mean()
    likelihood = torch.einsum("snk,nk->sn", masks, logits) + functional.logsigmoid(-logits).sum(dim=1)
    return (advantages * likelihood).sum(dim=0).mean()


def noised(pictures: torch.Tensor, scale: float, generator: torch.Generator) -> torch.Tensor:
    """`pictures` plus Gaussian noise of `scale` times their norm, taken over the batch as published."""
    noise = torch.randn(pictures.shape, generator=generator, device=pictures.device)
    share = scale * pictures.square().sum().sqrt() / noise.square().sum().sqrt()
    return pictures + share * noise
