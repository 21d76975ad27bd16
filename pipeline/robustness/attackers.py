"""Who attacks: threat model, what is differentiated, and with which attack.

An attacker is a network to differentiate and an attack to run on it. The one who knows nothing of the
purifier (T2a) differentiates the bare embedder; the one who guesses that there is one (T2b) puts a
purifier of their own before it; the adaptive one (T4) has the defence itself, and several ways to get
round what could hide its gradient.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import torch
from torch import nn

from pipeline.embed.evidence import EXPOSURE_SHIFT, LUMA, NOISE_SHIFT, USUAL_LUMA
from pipeline.purify.pin import Pin
from pipeline.purify.selector import HardMasks
from pipeline.robustness.attacks.base import Attack
from pipeline.robustness.attacks.decision import HopSkipJump
from pipeline.robustness.attacks.gradient import Confine
from pipeline.robustness.attacks.patch import PatchAttack, Region
from pipeline.robustness.attacks.square import SquareAttack
from pipeline.robustness.defence import Defence, weights_of
from pipeline.robustness.objective import Network, Penalty
from pipeline.robustness.threat import Goal, ThreatModel
from pipeline.robustness.trial import Trial

EVIDENCE_WEIGHT = 1.0
STEERING_WEIGHT = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Attacker:
    """One way to make examples.

    Attributes:
        threat_model: What must be known for it.
        attack: The search.
        network: What it differentiates.
        through: What stands in `label` after the attack's name, if anything.
        penalty: See :class:`~pipeline.robustness.objective.Objective`.
        weights: Digest of whatever is differentiated, and of what else examples depend on.
        for_rows: Makes the search for some rows of a trial, where it needs to know them (a decision-based
            attack starts from a face that is decided as wanted already).
    """

    threat_model: ThreatModel
    attack: Attack
    network: Network
    through: str = ""
    penalty: Penalty | None = None
    weights: str = ""
    for_rows: Callable[[Trial, slice], Attack] | None = None

    @property
    def label(self) -> str:
        """The attack's name and what it differentiates: unique among the attackers of a threat model."""
        return f"{self.attack.name} through {self.through}" if self.through else self.attack.name


def transfer_attackers(others: Mapping[str, Network], attack: Attack) -> list[Attacker]:
    """T1: one per other embedder."""
    return [
        Attacker(ThreatModel.TRANSFER, attack, other, name, weights=weights_of(other))
        for name, other in others.items()
    ]


def embedder_attackers(network: Network, attacks: Sequence[Attack]) -> list[Attacker]:
    """T2a: the bare embedder."""
    weights = weights_of(network)
    return [Attacker(ThreatModel.EMBEDDER, attack, network, weights=weights) for attack in attacks]


def surrogate_attackers(
    network: nn.Module, surrogates: Mapping[str, nn.Module], attacks: Sequence[Attack], ensemble: Attack
) -> list[Attacker]:
    """T2b: each purifier that the attacker has made with each of `attacks`, and all together.

    Args:
        network: The embedder.
        surrogates: The attacker's purifiers, by name.
        attacks: Tried through each of them.
        ensemble: Tried through all of them at once: what passes several is likelier to pass another one
            (Liu, Chen, Liu, Song, ICLR 2017, arXiv:1611.02770).
    """
    chains = {name: nn.Sequential(purifier, network) for name, purifier in surrogates.items()}
    weights = {name: weights_of(chain) for name, chain in chains.items()}
    singly = [
        Attacker(ThreatModel.SURROGATE, attack, chain, name, weights=weights[name])
        for name, chain in chains.items()
        for attack in attacks
    ]
    if len(chains) < 2:
        return singly
    together = Ensemble(list(chains.values()))
    all_weights = weights_of(together)
    return [*singly, Attacker(ThreatModel.SURROGATE, ensemble, together, "all of them", weights=all_weights)]


class Ensemble(nn.Module):
    """Vectors of several networks side by side, whose cosine is the mean of theirs.

    Args:
        networks: float32 (N, 3, 112, 112) -> (N, D), unit norm, each.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        vectors = torch.cat([network(crops) for network in self.networks], dim=1)
        together: torch.Tensor = vectors / math.sqrt(len(self.networks))
        return together


def adaptive_attackers(
    defence: Defence, attacks: Sequence[Attack], confined: Callable[[Confine], Attack] | None, extra: Attack
) -> list[Attacker]:
    """T4: the exact gradient with each of `attacks`, then ways round a gradient that misleads, with `extra`.

    Args:
        defence: What is known, exactly.
        attacks: Run on the exact gradient.
        confined: Makes an attack whose perturbation stays in a subspace, here the purifier's span: else
            half of the budget goes into what is cut away whatever the gains. ``None`` tries no other way.
        extra: The attack for the other ways.
    """
    make = partial(Attacker, ThreatModel.ADAPTIVE, weights=defence.weights)
    exact = [make(attack, defence) for attack in attacks]
    purifier = defence.purifier
    if not isinstance(purifier, Pin):
        return exact
    softened = straight_through(purifier)
    if softened is not None:
        passing = Defence(defence.name, defence.embedder, softened, defence.network)
        exact.append(make(extra, passing, "masks as if smooth"))
    if confined is None:
        return exact
    ways = [
        make(extra, identity_backward(defence), "identity BPDA"),
        make(extra, defence, "gain steering", gain_steering(softened or purifier)),
        make(extra, defence, "low evidence", evidence_penalty(defence)),
        make(confined(purifier.span), defence, "the span"),
    ]
    return [*exact, *ways]


def straight_through(purifier: Pin) -> Pin | None:
    """A copy whose hard masks let the gradient pass as if they were smooth; ``None`` where none is hard.

    The same crops come out, to the bit. A comparison has no gradient, so that whoever differentiates
    the purifier itself sees what is kept now and not how to change it (Athalye, Carlini, Wagner, 2018).
    """
    if not isinstance(purifier.selector, HardMasks) or not purifier.selector.hard:
        return None
    softened = copy.deepcopy(purifier)
    cast(HardMasks, softened.selector).straight_through = True
    return softened


def identity_backward(defence: Defence) -> Network:
    """The defence with the identity in place of the purifier's derivative (BPDA).

    Athalye, Carlini, Wagner, ICML 2018, arXiv:1802.00420: what helps where a purifier's own gradient
    is zero or noise, as behind a hard mask.
    """

    def network(crops: torch.Tensor) -> torch.Tensor:
        purified = crops + (defence.purifier(crops) - crops).detach()
        vectors: torch.Tensor = defence.network(purified)
        return vectors

    return network


def gain_steering(purifier: Pin, weight: float = STEERING_WEIGHT) -> Penalty:
    """Rewards the attacker for making the selector keep more, so that more of the perturbation passes."""

    def penalty(crops: torch.Tensor) -> torch.Tensor:
        gains = purifier.gains(purifier.analyse(crops))
        return -weight * gains.luma.mean(dim=1)

    return penalty


def evidence_penalty(defence: Defence, weight: float = EVIDENCE_WEIGHT) -> Penalty:
    """What the product would measure as attack evidence; whoever knows it may explain it away as well."""

    def penalty(crops: torch.Tensor) -> torch.Tensor:
        raw: torch.Tensor = defence.network(crops)
        return weight * (1.0 - (raw * defence(crops)).sum(dim=1) - explained(crops))

    return penalty


def explained(crops: torch.Tensor) -> torch.Tensor:
    """:func:`pipeline.embed.evidence.explained_shift`, float32 (N, 3, H, W) -> (N,), differentiable."""
    luma = torch.einsum("nchw,c->nhw", crops, crops.new_tensor(LUMA) / 256)
    differences = luma.diff(n=2, dim=1).diff(n=2, dim=2)
    noise = math.sqrt(math.pi / 2) / 6 * differences.abs().mean(dim=(1, 2))
    mean, (dark, bright) = luma.mean(dim=(1, 2)), USUAL_LUMA
    misexposure = (dark - mean).clamp_min(0) + (mean - bright).clamp_min(0)
    return NOISE_SHIFT * noise + EXPOSURE_SHIFT * misexposure


def query_attackers(
    defence: Defence, threshold: float, goal: Goal, score_queries: int, decision_queries: int
) -> list[Attacker]:
    """T3: one who is told similarities, and one who is told decisions only."""
    score = SquareAttack(score_queries, threshold)
    decision = HopSkipJump(threshold, queries=decision_queries)

    def started(trial: Trial, rows: slice) -> Attack:
        """Whoever impersonates has a photograph of the target to start from."""
        return replace(decision, starts=trial.references[rows].float())

    make = partial(Attacker, ThreatModel.QUERY, weights=f"{defence.weights} {threshold:.6f}")
    return [
        make(score, defence),
        make(decision, defence, for_rows=started if goal is Goal.IMPERSONATE else None),
    ]


def patch_attackers(defence: Defence, steps: int) -> list[Attacker]:
    """T5: each region, through the exact gradient."""
    return [
        Attacker(ThreatModel.PATCH, PatchAttack(region, steps), defence, weights=defence.weights)
        for region in Region
    ]
