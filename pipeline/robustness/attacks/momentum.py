"""Attacks made to carry over to networks that the attacker does not have: MI, DI, TI and combinations.

- MI-FGSM: Dong, Liao, Pang, Su, Zhu, Hu, Li, CVPR 2018, arXiv:1710.06081, algorithm 1.
- DI: Xie, Zhang, Zhou, Bai, Wang, Ren, Yuille, CVPR 2019, arXiv:1803.06978.
- TI: Dong, Pang, Su, Zhu, CVPR 2019, arXiv:1904.02884.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch.nn import functional

from pipeline.robustness.attacks.base import Best, project, quantised, usable_budget
from pipeline.robustness.attacks.gradient import at_least_one, measured_gradient, measured_loss
from pipeline.robustness.objective import Objective

_SIGMAS = 3.0
"""A translation kernel ends at this many standard deviations, as in the TI paper."""


@dataclass(frozen=True, slots=True)
class MomentumIterative:
    """MI-FGSM from the crop itself, with DI and TI where they are asked for.

    Returns where the last step led, as the papers do: what is best for the attacker's own network need
    not be for another. Only a row that ends below its crop's own loss is given back unchanged.

    Attributes:
        steps: Each of length eps / steps.
        decay: Share of the old direction that is kept, mu; 0 is no momentum.
        input_diversity: Whether the network sees crops resized and padded at random, drawn anew for each
            step and shared by all rows.
        translation_kernel: Side of the Gaussian that smooths the gradient, odd; 1 is no smoothing.
        diversity_share: Share of the steps whose input is changed (p in the paper).
        smallest_side: Random sides are between this share of the crop's and all of it.
        samples: Evaluations averaged at each step, each with its own random resizing.
    """

    steps: int = 10
    decay: float = 1.0
    input_diversity: bool = False
    translation_kernel: int = 1
    diversity_share: float = 0.5
    smallest_side: float = 0.9
    samples: int = 1

    def __post_init__(self) -> None:
        at_least_one(steps=self.steps, samples=self.samples, translation_kernel=self.translation_kernel)
        if self.translation_kernel % 2 == 0:
            raise ValueError(f"translation_kernel must be odd, got {self.translation_kernel}")
        if not (self.decay >= 0 and 0 < self.smallest_side <= 1 and 0 <= self.diversity_share <= 1):
            raise ValueError(
                "decay must be 0 or more, smallest_side in 0..1 and not 0, diversity_share in 0..1; got "
                f"{self.decay}, {self.smallest_side}, {self.diversity_share}"
            )

    @property
    def name(self) -> str:
        parts = (("ti", self.translation_kernel > 1), ("di", self.input_diversity), ("mi", self.decay > 0))
        family = "-".join([part for part, used in parts if used] + ["fgsm"])
        return f"{family}-{self.steps}" + (f"-eot{self.samples}" if self.samples > 1 else "")

    @property
    def passes(self) -> int:
        """Evaluations of the network per crop, with a backward pass or without."""
        return self.samples * self.steps + 2

    def __call__(
        self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
    ) -> torch.Tensor:
        best, bound = Best(crops), usable_budget(eps_255)
        if not len(crops) or not bound:
            return best.pictures
        iterate, direction = crops, torch.zeros_like(crops)
        varied = self._varied(objective, generator)
        for _ in range(self.steps):
            _, gradient = measured_gradient(varied, quantised(iterate, crops, bound), self.samples)
            direction = self.decay * direction + _mean_one(smoothed(gradient, self.translation_kernel))
            iterate = project(iterate + bound / self.steps * direction.sign(), crops, bound)
        for pictures in (crops, quantised(iterate, crops, bound)):
            best.offer(pictures, measured_loss(objective, pictures))
        return best.pictures

    def _varied(self, objective: Objective, generator: torch.Generator) -> Objective:
        """The aim through random resizing. A penalty still sees crops as they are."""
        if not self.input_diversity:
            return objective

        def network(crops: torch.Tensor) -> torch.Tensor:
            if float(torch.rand((), generator=generator)) < self.diversity_share:
                crops = resized_and_padded(crops, self.smallest_side, generator)
            return objective.network(crops)

        return replace(objective, network=network)


def resized_and_padded(crops: torch.Tensor, smallest_side: float, generator: torch.Generator) -> torch.Tensor:
    """Crops shrunk to a random side and put at a random place on black, all rows alike; differentiable.

    The paper enlarges, and its networks take larger pictures. Ours take only one size, so that, as is
    usual for faces, crops shrink instead.

    Args:
        crops: (N, C, H, H).
        smallest_side: Least side as a share of H.
        generator: Draws side and place.
    """
    full = crops.shape[-1]
    side = int(torch.randint(round(smallest_side * full), full + 1, (), generator=generator))
    top, left = (int(torch.randint(0, full - side + 1, (), generator=generator)) for _ in range(2))
    small = functional.interpolate(crops, size=(side, side), mode="bilinear", align_corners=False)
    return functional.pad(small, (left, full - side - left, top, full - side - top))


def smoothed(gradient: torch.Tensor, side: int) -> torch.Tensor:
    """(N, C, H, W), each plane convolved with a Gaussian of `side` px: the mean over shifts of the crop."""
    if side == 1:
        return gradient
    places = torch.linspace(-_SIGMAS, _SIGMAS, side, dtype=gradient.dtype, device=gradient.device)
    line = torch.exp(-places.square() / 2)
    kernel = torch.outer(line, line) / line.sum().square()
    channels = gradient.shape[1]
    weights = kernel.expand(channels, 1, side, side)
    return functional.conv2d(gradient, weights, padding=side // 2, groups=channels)


def _mean_one(gradient: torch.Tensor) -> torch.Tensor:
    """Scaled per row to a mean magnitude of 1; 0 stays 0."""
    magnitude = gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
    return torch.where(magnitude > 0, gradient / magnitude, 0.0)
