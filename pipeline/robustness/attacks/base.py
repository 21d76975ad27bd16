"""What every attack has in common: its seam, its budget, and the 8-bit crop that it must end on."""

from __future__ import annotations

import math
from typing import Protocol

import torch

from pipeline.robustness.objective import Objective


class Attack(Protocol):
    """Changes crops so that the objective's loss grows.

    Deterministic given the generator; rows do not influence each other. The result lies on the 8-bit
    grid: whole numbers in 0..255, each within `eps_255` of the original (L-infinity), because what an
    attacker hands over is a picture, and scoring anything else would flatter the attack.
    """

    @property
    def name(self) -> str:
        """Field's name of the attack with what sets its strength, for example ``pgd-20x2``."""
        ...

    def __call__(
        self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
    ) -> torch.Tensor:
        """Attacked crops.

        Args:
            crops: float32 (N, 3, 112, 112) RGB, whole numbers in 0..255.
            objective: What to make large.
            eps_255: Bound on the change of each value, in 8-bit units.
            generator: Source of everything random (on the CPU, whatever the device of `crops`).
        """
        ...


def project(candidate: torch.Tensor, crops: torch.Tensor, eps_255: float) -> torch.Tensor:
    """The nearest point within `eps_255` of `crops` and within 0..255; not quantised."""
    near = torch.minimum(torch.maximum(candidate, crops - eps_255), crops + eps_255)
    return near.clamp(0.0, 255.0)


def usable_budget(eps_255: float) -> float:
    """How much of the budget a picture can use: the whole number next below it, at most 255.

    A budget that computing in binary has put a hair below a whole number (0.29 * 100, say) counts as
    that number.

    Raises:
        ValueError: the budget is negative or not a number.
    """
    if not eps_255 >= 0.0:
        raise ValueError(f"the budget eps_255 must be 0 or more 8-bit units, got {eps_255}")
    return float(math.floor(min(eps_255, 255.0) + 1e-6))


def quantised(candidate: torch.Tensor, crops: torch.Tensor, eps_255: float) -> torch.Tensor:
    """Whole numbers within the budget, nearest to `candidate`: the picture that is handed over."""
    bound = usable_budget(eps_255)
    return (crops + (candidate - crops).round().clamp(-bound, bound)).clamp(0.0, 255.0)


def uniform_start(crops: torch.Tensor, eps_255: float, generator: torch.Generator) -> torch.Tensor:
    """A random point within the budget, float32 (N, 3, 112, 112).

    The noise is drawn once and shared by all rows, so that what happens to a crop depends neither on
    its place in a batch nor on the batch's size.
    """
    noise = torch.rand(crops.shape[1:], generator=generator, dtype=crops.dtype).to(crops.device)
    return project(crops + (2.0 * noise - 1.0) * eps_255, crops, eps_255)


class Best:
    """Per row the picture of the largest loss so far; at first the crops, with a loss of minus infinity.

    Attributes:
        pictures: float32 (N, 3, 112, 112), whole numbers.
        loss: float32 (N,).
    """

    def __init__(self, crops: torch.Tensor) -> None:
        self.pictures = crops.clone()
        self.loss = crops.new_full((len(crops),), -torch.inf)

    def offer(self, pictures: torch.Tensor, loss: torch.Tensor) -> None:
        """Keep the rows of `pictures` whose loss is larger; one that is not a number never is."""
        better = loss > self.loss
        self.pictures = torch.where(as_column(better), pictures, self.pictures)
        self.loss = torch.where(better, loss, self.loss)


def as_column(values: torch.Tensor) -> torch.Tensor:
    """(N,) -> (N, 1, 1, 1), to go with crops."""
    return values.view(-1, 1, 1, 1)
