"""How much is measured: from a check that everything runs to what a release is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.robustness.attacks.apgd import Apgd
from pipeline.robustness.attacks.base import Attack
from pipeline.robustness.attacks.gradient import Confine, Fgsm, Pgd
from pipeline.robustness.attacks.minimum import MinimumSearch
from pipeline.robustness.attacks.momentum import MomentumIterative


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of an evaluation.

    Attributes:
        pairs: Attacked pairs a goal, ``None`` for all that are listed.
        adaptive_pairs: How many of them whoever knows the purifier attacks, ``None`` for all: what is made
            once serves every defence, what adapts is made for each.
        budgets_255: L-infinity budgets of those who do not know the purifier.
        adaptive_budgets_255: Of those who do.
        steps: Of each gradient attack that transfers.
        surrogate_momentum: Whether T2b tries momentum through each surrogate, and not only through all.
        adaptive_steps: Of each attack through the defence.
        restarts: Of the exact attack through the defence.
        long_steps: Of one more such attack, whose only strength is patience; 0 for none.
        samples: Draws that an attacker averages over at each step where the purifier is random (EOT).
        averaged: Of them in this plan: 1, since nothing is random by default (see :meth:`averaging`).
        ways: Whether the other ways of an adaptive attacker are tried (BPDA, span, steering, evidence).
        severities: Of the corruptions, 1 to 5.
        patch_pairs: Pairs a goal for patches, 0 for none.
        patch_steps: Their gradient steps.
        query_pairs: Pairs a goal for attacks by queries, 0 for none.
        score_queries: Budget of an attacker who is told similarities.
        decision_queries: Of one who is told decisions only.
        query_budget_255: Their L-infinity budget.
        minimum_pairs: Pairs a goal whose least sufficient budget is searched for, 0 for none.
        minimum_most_255: The largest budget of that search, a whole number.
        strangers: Who try to match anyone of the gallery, 0 for none.
        gallery: How many people that has.
        seed: Of everything random.
    """

    pairs: int | None = None
    adaptive_pairs: int | None = None
    budgets_255: tuple[float, ...] = (2.0, 4.0, 8.0)
    adaptive_budgets_255: tuple[float, ...] = (2.0, 4.0)
    steps: int = 20
    surrogate_momentum: bool = True
    adaptive_steps: int = 40
    restarts: int = 2
    long_steps: int = 100
    samples: int = 8
    averaged: int = 1
    ways: bool = True
    severities: tuple[int, ...] = (1, 3, 5)
    patch_pairs: int = 100
    patch_steps: int = 100
    query_pairs: int = 50
    score_queries: int = 5_000
    decision_queries: int = 10_000
    query_budget_255: float = 8.0
    minimum_pairs: int = 100
    minimum_most_255: int = 16
    strangers: int = 200
    gallery: int = 1_000
    seed: int = 0

    def embedder_attacks(self) -> Sequence[Attack]:
        """Those of T2a."""
        steps = self.steps
        return (Fgsm(), Pgd(steps), MomentumIterative(steps), Apgd(steps))

    def transfer_attack(self) -> Attack:
        """That of T1: momentum, diverse inputs and translations, which make examples transfer."""
        return MomentumIterative(self.steps, input_diversity=True, translation_kernel=5)

    def surrogate_attacks(self) -> Sequence[Attack]:
        """Those of T2b through each surrogate."""
        pgd = Pgd(self.steps)
        return (pgd, self.ensemble_attack()) if self.surrogate_momentum else (pgd,)

    def ensemble_attack(self) -> Attack:
        """That of T2b through all surrogates together."""
        return MomentumIterative(self.steps)

    def averaging(self) -> Plan:
        """The same against a purifier that draws random numbers."""
        return replace(self, averaged=self.samples)

    def adaptive_attacks(self) -> Sequence[Attack]:
        """Those of T4 on the exact gradient."""
        steps, samples = self.adaptive_steps, self.averaged
        patient = (Pgd(self.long_steps, samples=samples),) if self.long_steps else ()
        return (Pgd(steps, self.restarts, samples=samples), Apgd(steps, samples=samples), *patient)

    def way_attack(self) -> Attack:
        """That of T4's other ways."""
        return Pgd(self.adaptive_steps, samples=self.averaged)

    def minimum_search(self) -> MinimumSearch:
        """That of T4 for the least budget that suffices."""
        return MinimumSearch(self.way_attack(), self.minimum_most_255)

    def confined_attack(self, confine: Confine) -> Attack:
        """That of T4 within the span of the purifier's basis."""
        return Pgd(self.adaptive_steps, samples=self.averaged, confine=confine)


FULL = Plan()
"""What a release is judged by; hours on two cores, minutes on a GPU."""

SMALL = Plan(
    pairs=100,
    adaptive_pairs=50,
    budgets_255=(2.0, 4.0, 8.0),
    steps=10,
    surrogate_momentum=False,
    adaptive_steps=20,
    restarts=1,
    long_steps=0,
    ways=False,
    severities=(3,),
    patch_pairs=10,
    patch_steps=30,
    query_pairs=0,
    minimum_pairs=0,
    strangers=40,
)
"""What two cores do in some ten minutes a defence; wide intervals, no queries."""

SMALL_ADAPTIVE = replace(
    SMALL,
    ways=True,
    long_steps=100,
    minimum_pairs=20,
    query_pairs=10,
    score_queries=1_000,
    decision_queries=1_000,
)
"""Small, and what takes longer: other ways and more steps of whoever knows all, least budgets, queries."""

SMALL_TRANSFER = replace(SMALL, budgets_255=(4.0, 8.0), adaptive_budgets_255=(), patch_pairs=0, strangers=0)
"""Small, and only those who do not know the purifier: minutes a defence, once their examples are made."""

SMALL_WHITE_BOX = replace(
    SMALL, pairs=50, budgets_255=(2.0, 4.0), long_steps=100, severities=(), patch_pairs=0, strangers=0
)
"""Of small only the pairs that whoever knows the purifier attacks, for comparing embedders behind it."""

SMOKE = Plan(
    pairs=4,
    budgets_255=(8.0,),
    adaptive_budgets_255=(8.0,),
    steps=2,
    adaptive_steps=2,
    restarts=1,
    long_steps=3,
    severities=(3,),
    patch_pairs=2,
    patch_steps=2,
    query_pairs=2,
    minimum_pairs=2,
    score_queries=20,
    decision_queries=200,
    strangers=3,
    gallery=6,
)
"""Shows that everything runs; its figures mean nothing."""

PLANS = {
    "full": FULL,
    "small": SMALL,
    "small-transfer": SMALL_TRANSFER,
    "small-white-box": SMALL_WHITE_BOX,
    "small-adaptive": SMALL_ADAPTIVE,
    "smoke": SMOKE,
}
