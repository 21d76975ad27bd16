"""Auto-PGD, L-infinity: gradient steps with momentum whose length adapts to what they achieve.

Croce, Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
attacks", ICML 2020, arXiv:2003.01690, algorithm 1 and section 3.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from pipeline.robustness.attacks.base import (
    Best,
    as_column,
    project,
    quantised,
    uniform_start,
    usable_budget,
)
from pipeline.robustness.attacks.gradient import at_least_one, measured_gradient, measured_loss, run_name
from pipeline.robustness.objective import Objective

_MOMENTUM = 0.75
"""alpha: weight of the gradient step against the last move."""

_ENOUGH_RISES = 0.75
"""rho: share of the steps between two checkpoints that must raise the loss for the length to stay."""


@dataclass(frozen=True, slots=True)
class Apgd:
    """Auto-PGD; of all pictures on the way, the best of each row is returned.

    Loss and gradient are taken at the picture that an iterate rounds to, as in
    :mod:`pipeline.robustness.attacks.gradient`.

    Attributes:
        steps: Gradient steps of one run.
        restarts: Runs, each from another random start.
        samples: Evaluations averaged at each picture, for networks that draw random numbers.
    """

    steps: int
    restarts: int = 1
    samples: int = 1

    def __post_init__(self) -> None:
        at_least_one(steps=self.steps, restarts=self.restarts, samples=self.samples)

    @property
    def name(self) -> str:
        return f"apgd-{run_name(self)}"

    @property
    def passes(self) -> int:
        """Evaluations of the network per crop, with a backward pass or without."""
        return self.samples * (self.restarts * (self.steps + 1) + 1)

    def __call__(
        self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
    ) -> torch.Tensor:
        best, bound = Best(crops), usable_budget(eps_255)
        if not len(crops) or not bound:
            return best.pictures
        best.offer(crops, measured_loss(objective, crops, self.samples))
        for _ in range(self.restarts):
            self._climb(uniform_start(crops, bound, generator), crops, objective, bound, best)
        return best.pictures

    def _climb(
        self, start: torch.Tensor, crops: torch.Tensor, objective: Objective, bound: float, best: Best
    ) -> None:
        pictures = quantised(start, crops, bound)
        loss, gradient = measured_gradient(objective, pictures, self.samples)
        best.offer(pictures, loss)
        run = _Run(start, loss, gradient, 2.0 * bound)
        checks = checkpoints(self.steps)
        for step in range(1, self.steps + 1):
            iterate = run.next_iterate(crops, bound)
            pictures = quantised(iterate, crops, bound)
            if step == self.steps:
                best.offer(pictures, measured_loss(objective, pictures, self.samples))
                return
            loss, gradient = measured_gradient(objective, pictures, self.samples)
            best.offer(pictures, loss)
            run.advance(iterate, loss, gradient)
            if step in checks:
                run.check()


class _Run:
    """State of the rows of one run.

    Args:
        start: float32 (N, 3, 112, 112), not rounded.
        loss: float32 (N,), of the start.
        gradient: float32 (N, 3, 112, 112), there.
        length: Of the first step, in 8-bit units.
    """

    def __init__(
        self, start: torch.Tensor, loss: torch.Tensor, gradient: torch.Tensor, length: float
    ) -> None:
        self._before = self._here = self._top = start
        self._loss = self._top_loss = self._checked_loss = loss
        self._gradient = self._top_gradient = gradient
        self._length = torch.full_like(loss, length)
        self._just_halved = torch.zeros_like(loss, dtype=torch.bool)
        self._rises = torch.zeros_like(loss)
        self._moves = 0
        self._first = True

    def next_iterate(self, crops: torch.Tensor, bound: float) -> torch.Tensor:
        """Where the step leads: the gradient step, then the mean of it and the last move."""
        stepped = project(self._here + as_column(self._length) * self._gradient.sign(), crops, bound)
        if self._first:
            return stepped
        move = _MOMENTUM * (stepped - self._here) + (1 - _MOMENTUM) * (self._here - self._before)
        return project(self._here + move, crops, bound)

    def advance(self, iterate: torch.Tensor, loss: torch.Tensor, gradient: torch.Tensor) -> None:
        """Go there, and keep in mind the highest point."""
        self._rises += loss > self._loss
        self._moves += 1
        self._first = False
        self._before, self._here, self._loss, self._gradient = self._here, iterate, loss, gradient
        higher = loss > self._top_loss
        self._top_loss = torch.where(higher, loss, self._top_loss)
        self._top = torch.where(as_column(higher), iterate, self._top)
        self._top_gradient = torch.where(as_column(higher), gradient, self._top_gradient)

    def check(self) -> None:
        """At a checkpoint: rows that get no higher halve their steps and go on from their highest point."""
        too_few = self._rises < _ENOUGH_RISES * self._moves
        stuck = ~self._just_halved & (self._top_loss <= self._checked_loss)
        halve = too_few | stuck
        self._length = torch.where(halve, self._length / 2, self._length)
        self._here = torch.where(as_column(halve), self._top, self._here)
        self._gradient = torch.where(as_column(halve), self._top_gradient, self._gradient)
        self._loss = torch.where(halve, self._top_loss, self._loss)
        self._just_halved, self._checked_loss = halve, self._top_loss
        self._rises, self._moves = torch.zeros_like(self._rises), 0


def checkpoints(steps: int) -> frozenset[int]:
    """After how many of `steps` the length may be halved: at a share .22 first, then ever more often."""
    return frozenset(
        math.ceil(share * steps - 1e-9) for share in itertools.takewhile(lambda p: p <= 1, _shares())
    )


def _shares() -> Iterator[float]:
    last, share = 0.0, 0.22
    while True:
        yield share
        last, share = share, share + max(share - last - 0.03, 0.06)
