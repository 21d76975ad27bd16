"""Whether the harness itself can be believed: what must hold if the attacks work.

After Carlini et al., "On Evaluating Adversarial Robustness", arXiv:1902.06705, section 5, and Tramer,
Carlini, Brendel, Madry, NeurIPS 2020. A defence whose evaluation fails one of these has not been
evaluated.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.robustness.attackers import Attacker
from pipeline.robustness.attacks.gradient import Pgd
from pipeline.robustness.defence import Defence
from pipeline.robustness.examples import attacked
from pipeline.robustness.objective import Objective
from pipeline.robustness.results import WORST, Result
from pipeline.robustness.threat import ThreatModel
from pipeline.robustness.trial import Scorer, Trial

LARGE_BUDGET_255 = 64.0
NOISE_BUDGET_255 = 4.0
NEARLY_ALL = 0.95
SHARE_FOUND_DIRECTLY = 0.98
NOISE_COSTS_AT_MOST = 0.1
ROWS = 8
"""That are attacked with each goal; enough to see whether attacks work at all."""

GRADIENT_ROWS = 4
_SLACK = 0.02
_STEP = 1e-3
_DIRECTIONS = 4


@dataclass(frozen=True, slots=True)
class Gate:
    """One sanity check: what it asks, whether it held, and the figures."""

    name: str
    held: bool
    detail: str


def check(
    defence: Defence, trial: Trial, threshold: float, *, steps: int, seed: int, device: torch.device
) -> Iterator[Gate]:
    """The gates that need attacks of their own, on a few rows of a trial; noise is tried on all."""
    few_rows, scorer = trial.first(ROWS), Scorer(defence, device)

    def accuracy(of: Trial, crops: torch.Tensor) -> float:
        return float(scorer.right(of, crops, threshold).mean())

    def success(budget_255: float, count: int) -> float:
        attacker = Attacker(ThreatModel.ADAPTIVE, Pgd(count), defence)
        crops = attacked(attacker, few_rows, budget_255, seed, device)
        return 1.0 - accuracy(few_rows, crops)

    large = success(LARGE_BUDGET_255, steps)
    yield Gate(
        "a large budget succeeds",
        large >= NEARLY_ALL,
        f"success {large:.3f} at {LARGE_BUDGET_255:g}/255, {steps} steps",
    )
    few, many = success(NOISE_BUDGET_255, max(1, steps // 4)), success(NOISE_BUDGET_255, steps)
    yield Gate(
        "more steps never help the defender",
        many >= few - _SLACK,
        f"success {few:.3f} with {max(1, steps // 4)} steps, {many:.3f} with {steps}, "
        f"at {NOISE_BUDGET_255:g}/255",
    )
    clean, noisy = accuracy(trial, trial.probes), accuracy(trial, _noise(trial, seed))
    yield Gate(
        "noise of the same size is nearly harmless",
        noisy >= clean - NOISE_COSTS_AT_MOST,
        f"accuracy {clean:.3f} clean, {noisy:.3f} under random signs of {NOISE_BUDGET_255:g}/255",
    )
    if not defence.random:  # else two evaluations differ by what they draw
        yield gradients_agree(defence, few_rows.first(GRADIENT_ROWS), seed, device)


def _noise(trial: Trial, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, trial.probes.shape, generator=generator) * 2 - 1
    return (trial.probes + signs * int(NOISE_BUDGET_255)).clamp(0, 255).to(torch.uint8)


def gradients_agree(defence: Defence, trial: Trial, seed: int, device: torch.device) -> Gate:
    """Slopes along random directions against finite differences; how much of the gradient is zero.

    In float64, so that steps can be too small to reach the next kink of a rectifier.
    """
    exact = copy.deepcopy(defence).double()
    with torch.no_grad():
        templates = exact(trial.references.to(device).double())
    objective = Objective(exact, templates, trial.goal)
    crops = trial.probes.to(device).double()
    _, gradient = objective.gradient(crops)
    generator = torch.Generator().manual_seed(seed)
    wrong = []
    for _ in range(_DIRECTIONS):
        direction = torch.randn(crops.shape, generator=generator, dtype=crops.dtype).to(device)
        with torch.no_grad():
            ahead = objective.loss(crops + _STEP * direction)
            behind = objective.loss(crops - _STEP * direction)
        slope, expected = (ahead - behind) / (2 * _STEP), (gradient * direction).sum((1, 2, 3))
        wrong.append(float((slope - expected).abs().sum() / expected.abs().sum()))
    zero = float((gradient == 0).float().mean())
    worst = float(np.median(wrong))
    return Gate(
        "gradients agree with finite differences",
        worst < 0.01 and zero < 0.5,
        f"median difference {worst:.1%} over {_DIRECTIONS} directions; {zero:.1%} of the values are 0",
    )


def check_results(results: Sequence[Result]) -> Iterator[Gate]:
    """The gates that can be read off the records of one defence and of ``none``."""
    adaptive = [result for result in results if result.threat_model is ThreatModel.ADAPTIVE]
    worst = [result for result in adaptive if result.attack == WORST]
    for pooled in worst:
        of_the_same = (pooled.goal, pooled.eps_255, pooled.n)
        # An attack of fewer pairs (least budgets, say) is of others and says nothing of these.
        same = [r for r in adaptive if (r.goal, r.eps_255, r.n) == of_the_same]
        direct = 1.0 - min((r.accuracy for r in same if r is not pooled), default=1.0)
        wanted = 1.0 - pooled.accuracy
        yield Gate(
            "direct optimisation finds what the pool finds",
            direct >= SHARE_FOUND_DIRECTLY * wanted,
            f"{pooled.defence}, {pooled.goal}, {pooled.eps_255:g}/255: best single adaptive attack "
            f"{direct:.3f}, pool {wanted:.3f}",
        )


def adaptive_without_defence(results: Sequence[Result]) -> Iterator[Gate]:
    """Against ``none`` the adaptive attacker is the one who knows the embedder: the same success."""
    bare = [result for result in results if result.defence == "none"]
    for adaptive in bare:
        if adaptive.threat_model is not ThreatModel.ADAPTIVE or adaptive.attack == WORST:
            continue
        for embedder in bare:
            alike = (embedder.goal, embedder.eps_255) == (adaptive.goal, adaptive.eps_255)
            family = embedder.attack.partition("-")[0] == adaptive.attack.partition("-")[0]
            if embedder.threat_model is ThreatModel.EMBEDDER and alike and family:
                yield Gate(
                    "adaptive against none is T2a",
                    adaptive.accuracy <= embedder.accuracy + _SLACK,
                    f"{adaptive.attack}, {adaptive.goal}, {adaptive.eps_255:g}/255: {adaptive.accuracy:.3f}, "
                    f"T2a {embedder.attack} {embedder.accuracy:.3f}",
                )
