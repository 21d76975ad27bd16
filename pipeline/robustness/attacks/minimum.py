"""How small a change suffices: the least budget at which an attack succeeds, row by row.

In the manner of Yang, Yang, Dong, Su, Yu, Zhu, "RobFR: Benchmarking Adversarial Robustness on Face
Recognition", 2020, arXiv:2007.04118, who report curves of success over the budget: one search gives a
whole curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pipeline.robustness.attacks.base import Attack
from pipeline.robustness.objective import Objective


@dataclass(frozen=True, slots=True, eq=False)
class MinimumFound:
    """What a search over N crops found.

    Attributes:
        eps_255: float32 (N,), on the CPU: the least budget, a whole number, 0 where the crop already is
            what the attacker wants; infinity where the largest budget was not enough.
        crops: float32 (N, 3, 112, 112): successful crops whose change is exactly `eps_255`; where there is
            none, the crop as it was.
    """

    eps_255: torch.Tensor
    crops: torch.Tensor


@dataclass(frozen=True, slots=True)
class MinimumSearch:
    """Bisection over whole budgets.

    An attack that finds more with a smaller budget than with a larger one can hide the least budget from
    the bisection: the result is an upper bound of it, always with a crop that proves it. The network
    must not draw random numbers: success is judged by one evaluation.

    Attributes:
        attack: Tried at each budget.
        eps_max_255: The largest budget, a whole number.
    """

    attack: Attack
    eps_max_255: int

    def __post_init__(self) -> None:
        if not 1 <= self.eps_max_255 <= 255:
            raise ValueError(f"eps_max_255 must be in 1..255, got {self.eps_max_255}")

    @property
    def name(self) -> str:
        return f"minimum-{self.eps_max_255}-{self.attack.name}"

    @property
    def attempts(self) -> int:
        """How often a crop is attacked, at most."""
        return 1 + (self.eps_max_255 - 1).bit_length()

    def __call__(
        self, crops: torch.Tensor, objective: Objective, threshold: float, generator: torch.Generator
    ) -> MinimumFound:
        """Search.

        Args:
            crops: float32 (N, 3, 112, 112) RGB, whole numbers in 0..255.
            objective: What to attack; judged by its similarity alone.
            threshold: Similarity from which on the recogniser says "match".
            generator: Draws one number, from which each attempt's generator is made: what a row's
                attempts draw does not depend on the other rows.
        """
        seed = int(torch.randint(2**62, (), generator=generator))
        state = _Bracket(crops, objective, threshold)
        state.begin()
        state.attempt(self.attack, float(self.eps_max_255), state.open_rows(), seed)
        while len(rows := state.undecided_rows()):
            middles = state.middles()
            for eps_255 in sorted(set(middles[rows].tolist())):
                state.attempt(self.attack, eps_255, rows[middles[rows] == eps_255], seed)
        return MinimumFound(state.enough, state.crops)


class _Bracket:
    """Per row a budget that was too little and one that was enough, with a crop to show for it."""

    def __init__(self, crops: torch.Tensor, objective: Objective, threshold: float) -> None:
        self._original = crops
        self._objective = objective
        self._threshold = threshold
        self.crops = crops.clone()
        self.enough = torch.full((len(crops),), torch.inf)
        self._too_little = torch.zeros(len(crops))

    def begin(self) -> None:
        """The budget of 0: which crops need no change."""
        rows = torch.arange(len(self._original))
        self.enough[self._succeeded(self._original, rows)] = 0.0

    def attempt(self, attack: Attack, eps_255: float, rows: torch.Tensor, seed: int) -> None:
        """Attack `rows`, int64 (M,) on the CPU, with one budget, and narrow their brackets."""
        if not len(rows):
            return
        at = rows.to(self._original.device)
        before = self._original[at]
        generator = torch.Generator().manual_seed(seed + int(eps_255))
        after = attack(before, self._objective.rows(at), eps_255, generator)
        succeeded = self._succeeded(after, rows)
        self._too_little[rows[~succeeded]] = eps_255
        # An attack need not use its whole budget. What it did use is enough.
        self.enough[rows[succeeded]] = (after - before).abs().amax((1, 2, 3)).cpu()[succeeded]
        self.crops[rows[succeeded].to(at.device)] = after[succeeded.to(at.device)]

    def open_rows(self) -> torch.Tensor:
        """int64 (M,): rows that no budget was enough for yet."""
        return self.enough.isinf().nonzero().flatten()

    def undecided_rows(self) -> torch.Tensor:
        """int64 (M,): rows with whole numbers left between the two budgets."""
        return (self.enough.isfinite() & (self.enough - self._too_little > 1)).nonzero().flatten()

    def middles(self) -> torch.Tensor:
        """float32 (N,), whole numbers strictly between the two budgets of undecided rows."""
        return ((self.enough + self._too_little) / 2).floor()

    def _succeeded(self, crops: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """bool (M,), on the CPU."""
        if not len(rows):
            return torch.zeros(0, dtype=torch.bool)
        with torch.no_grad():
            similarity = self._objective.rows(rows.to(crops.device)).similarity(crops)
        return self._objective.succeeded(similarity, self._threshold).cpu()
