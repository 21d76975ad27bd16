"""Who attacks the canaries: whoever knows the embedder, guesses at a purifier, or knows all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from pipeline.purify.basis import SIDE, SeparableBasis
from pipeline.purify.fit import dct_matrix
from pipeline.purify.pin import Pin
from pipeline.purify.selector import TopK
from pipeline.robustness.attackers import (
    Attacker,
    adaptive_attackers,
    embedder_attackers,
    surrogate_attackers,
)
from pipeline.robustness.attacks.gradient import Pgd
from pipeline.robustness.attacks.momentum import MomentumIterative
from pipeline.robustness.defence import Defence, embed
from pipeline.robustness.objective import Objective
from pipeline.robustness.threat import Goal, ThreatModel

COSINES = (800, 300)
"""Components of the attacker's own purifiers, like two of those in docs/robustness.md."""

_GREY = 128.0


@dataclass(frozen=True, slots=True)
class AttackPlan:
    """How strong the attacks are.

    Attributes:
        eps_255: Budget of attackers who do not know the purifier, L-infinity, 8-bit units.
        adaptive_eps_255: Of those who do.
        steps: Gradient steps of each.
    """

    eps_255: float = 8.0
    adaptive_eps_255: float = 2.0
    steps: int = 10

    def __post_init__(self) -> None:
        if not (0 < self.eps_255 <= 255 and 0 < self.adaptive_eps_255 <= 255 and self.steps >= 1):
            raise ValueError(f"budgets must be above 0 and at most 255, and steps 1 or more: got {self}")

    def budget_255(self, threat_model: ThreatModel) -> float:
        return self.adaptive_eps_255 if threat_model is ThreatModel.ADAPTIVE else self.eps_255


def attackers_of(network: nn.Module, purifier: nn.Module | None, plan: AttackPlan) -> list[Attacker]:
    """T2a, and where there is a purifier T2b and T4.

    Args:
        network: The embedder, differentiable.
        purifier: Before it; ``None`` for none, which leaves nothing for T2b and T4 to do.
        plan: How strong.
    """
    known = embedder_attackers(network, [Pgd(plan.steps)])
    if purifier is None:
        return known
    momentum = MomentumIterative(plan.steps)
    own = surrogate_attackers(network, cosine_purifiers(), [], momentum)
    defence = Defence("in force", "in force", purifier, network)
    return [*known, *own, *adaptive_attackers(defence, [Pgd(plan.steps)], None, Pgd(plan.steps))]


def cosine_purifiers() -> Mapping[str, nn.Module]:
    """Purifiers that an attacker makes without any face: the lowest frequencies of the cosine transform."""
    mean = torch.zeros(3, SIDE, SIDE)
    mean[0] = _GREY
    made = {}
    for count in COSINES:
        pin = Pin(f"cosines-{count}", mean, lowest_cosines(count), TopK(count, count), count // 4)
        made[pin.purifier_id] = pin.eval().requires_grad_(False)
    return made


def lowest_cosines(count: int) -> SeparableBasis:
    """The `count` products of cosines of the lowest frequency; of variances as natural pictures have them."""
    down, across = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    squares = (down**2 + across**2).flatten()
    order = squares.sort(stable=True).indices[:count]
    cosines = dct_matrix(SIDE).float()
    places = torch.stack([order // SIDE, order % SIDE], dim=1)
    return SeparableBasis(cosines, cosines, places, 1.0 / (1.0 + squares[order].float()))


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """Probes under one attacker with one goal.

    Attributes:
        attacker: Who.
        goal: What they want.
        eps_255: Budget.
        crops: uint8 (N, 3, 112, 112), changed.
    """

    attacker: Attacker
    goal: Goal
    eps_255: float
    crops: torch.Tensor


class Attacks:
    """Attacks probes of canaries with every attacker; rows do not influence each other.

    The attacker aims at the mean of somebody's templates, as what it differentiates makes them of the
    enrolled photographs.

    Args:
        attackers: Who.
        enrolled: Of each canary, uint8 (K, 3, 112, 112).
        plan: How strong.
        device: Where the networks are.
    """

    def __init__(
        self,
        attackers: Sequence[Attacker],
        enrolled: Mapping[str, torch.Tensor],
        plan: AttackPlan,
        device: torch.device,
    ) -> None:
        self._attackers, self._enrolled, self._plan, self._device = attackers, enrolled, plan, device
        self._aims: dict[tuple[int, str], torch.Tensor] = {}

    def __call__(
        self, probes: torch.Tensor, owners: Sequence[str], targets: Sequence[str] | None, seed: int
    ) -> Iterator[Attempt]:
        """Attempts at the same probes, one after the other.

        Args:
            probes: uint8 (N, 3, 112, 112) RGB.
            owners: Whom they show.
            targets: Whom they shall be taken for; ``None`` where there is nobody else.
            seed: Of everything random.
        """
        goals = [(Goal.DODGE, owners)]
        if targets is not None:
            goals.append((Goal.IMPERSONATE, targets))
        for number, attacker in enumerate(self._attackers):
            eps_255 = self._plan.budget_255(attacker.threat_model)
            for goal, whom in goals:
                aims = torch.stack([self._aim(number, name) for name in whom])
                objective = Objective(attacker.network, aims, goal, attacker.penalty)
                generator = torch.Generator().manual_seed(seed)
                changed = attacker.attack(probes.to(self._device).float(), objective, eps_255, generator)
                yield Attempt(attacker, goal, eps_255, changed.to(torch.uint8).cpu())

    def _aim(self, number: int, canary_id: str) -> torch.Tensor:
        """float32 (D,): the mean template of somebody, for one attacker."""
        if (number, canary_id) not in self._aims:
            vectors = embed(self._attackers[number].network, self._enrolled[canary_id], self._device)
            self._aims[number, canary_id] = functional.normalize(vectors.mean(dim=0), dim=0)
        return self._aims[number, canary_id]
