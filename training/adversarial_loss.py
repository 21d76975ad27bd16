"""The loss of the adversarial stage, and the attack inside it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

TEMPERATURE = 0.07


def apart(vectors: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """float32 (N,): 1 - cosine of unit vectors."""
    return 1.0 - (vectors * targets).sum(dim=1)


def misjudged(confidence: torch.Tensor | None, distance: torch.Tensor) -> torch.Tensor:
    """float32 (): mean squared error of what a student says of its own cosines with the teacher.

    Args:
        confidence: float32 (N,); ``None`` where it says nothing, which costs nothing.
        distance: float32 (N,), from :func:`apart`.
    """
    if confidence is None:
        return distance.new_zeros(())
    return functional.mse_loss(confidence, (1.0 - distance.detach()).clamp(min=0.0))


def neighbourhood(vectors: torch.Tensor, targets: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    """float32 (N,): KL divergence between how `targets` and `vectors` see everybody in `bank` (M, D).

    Similarities divided by the temperature .07 and put through a softmax, the teacher's first, so that
    a student learns whom a face resembles and not only where it lies.
    """
    wanted = functional.log_softmax(targets @ bank.T / TEMPERATURE, dim=1)
    found = functional.log_softmax(vectors @ bank.T / TEMPERATURE, dim=1)
    return functional.kl_div(found, wanted, reduction="none", log_target=True).sum(dim=1)


def inner_attack(
    network: nn.Module,
    crops: torch.Tensor,
    targets: torch.Tensor,
    sign: torch.Tensor,
    *,
    eps_255: torch.Tensor,
    steps: int,
    generator: torch.Generator,
) -> torch.Tensor:
    """PGD with a budget for each row: the training attack (Madry et al., 2018), exact gradient.

    Args:
        network: Purifier and student; in eval mode, so that rows do not influence each other.
        crops: float32 (N, 3, 112, 112) RGB 0..255.
        targets: float32 (N, D): what to leave (`sign` -1: dodging) or to reach (+1: impersonation).
        sign: float32 (N,).
        eps_255: float32 (N,), 8-bit units; 0 leaves the crop as it is.
        steps: Each of half the budget.
        generator: Of the random start, on the CPU.

    Returns:
        float32 (N, 3, 112, 112), within the budgets and 0..255, whole numbers.
    """
    bound = eps_255.view(-1, 1, 1, 1)
    noise = torch.rand(crops.shape, generator=generator).to(crops.device)
    attacked = (crops + (2.0 * noise - 1.0) * bound).clamp(0.0, 255.0)
    for _ in range(steps):
        leaf = attacked.detach().requires_grad_(True)
        gain = ((network(leaf) * targets).sum(dim=1) * sign).sum()
        (gradient,) = torch.autograd.grad(gain, leaf)
        stepped = leaf.detach() + 0.5 * bound * gradient.sign()
        attacked = torch.minimum(torch.maximum(stepped, crops - bound), crops + bound).clamp(0.0, 255.0)
    # Rounded towards the crop, so that the budget still holds.
    return crops + torch.trunc(attacked.detach() - crops)
