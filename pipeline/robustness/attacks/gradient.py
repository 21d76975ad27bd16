"""Attacks along the sign of the gradient, L-infinity: one step, and many with random starts.

- FGSM: Goodfellow, Shlens, Szegedy, ICLR 2015, arXiv:1412.6572.
- PGD: Madry, Makelov, Schmidt, Tsipras, Vladu, ICLR 2018, arXiv:1706.06083.
- Expectation over transformation: Athalye, Engstrom, Ilyas, Kwok, ICML 2018, arXiv:1707.07397.

Loss and gradient are always taken at a picture, the iterate rounded to the 8-bit grid, while steps add
up unrounded. So each step's forward pass also says what handing over that picture would have achieved,
and the best picture of all is known without another pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

from pipeline.robustness.attacks.base import Best, project, quantised, uniform_start, usable_budget
from pipeline.robustness.objective import Objective

Confine = Callable[[torch.Tensor], torch.Tensor]
"""Orthogonal projection of perturbations float32 (N, 3, 112, 112) onto a subspace, row by row."""

_STEPS_ACROSS = 2.5
"""All steps together could cross the budget this often: the rule of Madry's implementation."""


def measured_loss(objective: Objective, pictures: torch.Tensor, samples: int = 1) -> torch.Tensor:
    """Loss float32 (N,), the mean of `samples` evaluations; costs as many passes, forward only."""
    with torch.no_grad():
        return torch.stack([objective.loss(pictures) for _ in range(samples)]).mean(dim=0)


def measured_gradient(
    objective: Objective, pictures: torch.Tensor, samples: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss float32 (N,) and gradient (N, 3, 112, 112), means of `samples` evaluations.

    More than one serves only where the network draws random numbers: the gradient of the expected loss
    is what an attacker follows there. Values of the gradient that are not finite count as 0, so that one
    of them does not spoil a crop's whole attack, which would look like robustness.
    """
    loss, gradient = objective.gradient(pictures)
    for _ in range(samples - 1):
        more_loss, more_gradient = objective.gradient(pictures)
        loss, gradient = loss + more_loss, gradient + more_gradient
    return loss / samples, torch.where(gradient.isfinite(), gradient / samples, 0.0)


def at_least_one(**counts: int) -> None:
    """Raises ``ValueError`` naming the first of `counts` that is not positive."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"an attack needs {name} of at least 1, got {count}")


@dataclass(frozen=True, slots=True)
class Fgsm:
    """One step of the whole budget, from the crop itself; the crop where that would be worse."""

    @property
    def name(self) -> str:
        return "fgsm"

    @property
    def passes(self) -> int:
        """Evaluations of the network per crop, with a backward pass or without."""
        return 2

    def __call__(
        self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
    ) -> torch.Tensor:
        best, bound = Best(crops), usable_budget(eps_255)
        if not len(crops) or not bound:
            return best.pictures
        loss, gradient = measured_gradient(objective, crops)
        best.offer(crops, loss)
        pictures = quantised(crops + bound * gradient.sign(), crops, bound)
        best.offer(pictures, measured_loss(objective, pictures))
        return best.pictures


@dataclass(frozen=True, slots=True)
class Pgd:
    """Projected gradient descent; of all pictures on the way, the best of each row is returned.

    Attributes:
        steps: Gradient steps of one run.
        restarts: Runs, each from another random start.
        step_share: Length of a step as a share of the budget; without it 2.5 / steps, at most 1.
        random_start: Whether runs start at a random point of the budget. Without, at the crop: the basic
            iterative method (Kurakin, Goodfellow, Bengio, 2017), of which one run is enough. A crop that
            is also the template cannot be attacked so: the cosine's gradient is 0 there.
        samples: Evaluations averaged at each picture, for networks that draw random numbers. The picture
            that is kept has the best of many noisy means: score it with fresh draws.
        confine: Subspace that perturbations stay in, for example the span of a purifier's basis: what
            lies outside would be lost. Applied to the gradient and to the perturbation, before the
            latter is clipped to the budget and to 0..255, which may leave the subspace by a little.
    """

    steps: int
    restarts: int = 1
    step_share: float | None = None
    random_start: bool = True
    samples: int = 1
    confine: Confine | None = None

    def __post_init__(self) -> None:
        at_least_one(steps=self.steps, restarts=self.restarts, samples=self.samples)
        if self.restarts > 1 and not self.random_start:
            raise ValueError(f"{self.restarts} runs without random starts would all be the same one")
        if self.step_share is not None and not self.step_share > 0:
            raise ValueError(f"step_share must be positive, got {self.step_share}")

    @property
    def name(self) -> str:
        confined = "-confined" if self.confine else ""
        return f"{'pgd' if self.random_start else 'bim'}-{run_name(self)}{confined}"

    @property
    def passes(self) -> int:
        """Evaluations of the network per crop, with a backward pass or without.

        One for each picture: the crop, and in each run the start and what every step leads to.
        """
        return self.samples * (self.restarts * (self.steps + 1) + self.random_start)

    def __call__(
        self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
    ) -> torch.Tensor:
        best, bound = Best(crops), usable_budget(eps_255)
        if not len(crops) or not bound:
            return best.pictures
        if self.random_start:
            best.offer(crops, measured_loss(objective, crops, self.samples))
        for _ in range(self.restarts):
            start = uniform_start(crops, bound, generator) if self.random_start else crops
            self._climb(self._within(start, crops, bound), crops, objective, bound, best)
        return best.pictures

    def _climb(
        self, iterate: torch.Tensor, crops: torch.Tensor, objective: Objective, bound: float, best: Best
    ) -> None:
        share = min(1.0, _STEPS_ACROSS / self.steps) if self.step_share is None else self.step_share
        for _ in range(self.steps):
            pictures = quantised(iterate, crops, bound)
            loss, gradient = measured_gradient(objective, pictures, self.samples)
            best.offer(pictures, loss)
            uphill = gradient if self.confine is None else self.confine(gradient)
            iterate = self._within(iterate + share * bound * uphill.sign(), crops, bound)
        pictures = quantised(iterate, crops, bound)
        best.offer(pictures, measured_loss(objective, pictures, self.samples))

    def _within(self, candidate: torch.Tensor, crops: torch.Tensor, bound: float) -> torch.Tensor:
        """In the subspace, then in the budget; not rounded."""
        if self.confine is not None:
            candidate = crops + self.confine(candidate - crops)
        return project(candidate, crops, bound)


class Runs(Protocol):
    """What tells the strength of attacks in many steps."""

    @property
    def steps(self) -> int: ...
    @property
    def restarts(self) -> int: ...
    @property
    def samples(self) -> int: ...


def run_name(attack: Runs) -> str:
    """``20x2`` for 20 steps from each of 2 starts, ``20x2-eot8`` with 8 samples a step."""
    return f"{attack.steps}x{attack.restarts}" + (f"-eot{attack.samples}" if attack.samples > 1 else "")
