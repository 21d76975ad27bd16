"""Attacks defences by the protocol of docs/robustness.md and says what withstood.

One embedder at a time, with the purifiers that are put before it. Examples of attackers who do not
know the purifier are made once and held against every defence; those of attackers who do, for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from pipeline.robustness.attackers import (
    Attacker,
    embedder_attackers,
    surrogate_attackers,
    transfer_attackers,
)
from pipeline.robustness.defence import Defence, verify
from pipeline.robustness.examples import ExampleStore
from pipeline.robustness.faces import FacePack
from pipeline.robustness.objective import Network
from pipeline.robustness.plan import Plan
from pipeline.robustness.protocol import Split
from pipeline.robustness.results import Result
from pipeline.robustness.threat import VERIFICATION_GOALS
from pipeline.robustness.trial import Trial, pair_trial
from pipeline.robustness.under_attack import Conditions, UnderAttack

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """What came of one defence.

    Attributes:
        defence: Which.
        threshold: Similarity from which on it says "the same person": that of most right decisions on the
            clean pairs of those who select.
        results: The records.
    """

    defence: Defence
    threshold: float
    results: list[Result]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Everything that is held against the defences of one embedder.

    Attributes:
        plan: Sizes.
        pack: Crops and pairs; thresholds come from `SELECT`, attacks are on `split`.
        surrogates: T2b: purifiers of the attacker's own, by name, fitted to nobody of `split`.
        others: T1: other embedders, by name.
        store: Where examples are kept.
        device: Where networks run; those handed in must be there.
        command: What to write into the records.
        split: Who is attacked: `SCORE`, or `SELECT` while something is being chosen.
        tell: Told what is being done.
    """

    plan: Plan
    pack: FacePack
    surrogates: Mapping[str, nn.Module]
    others: Mapping[str, Network]
    store: ExampleStore
    device: torch.device
    command: str
    split: Split = Split.SCORE
    tell: Tell = lambda message: None

    def run(self, defences: Sequence[Defence]) -> Iterator[Evaluated]:
        """The records of each defence; a stopped run goes on from the kept examples."""
        trials = self.trials()
        transferred = self.transferred(defences[0]) if defences else []
        for defence in defences:
            self.tell(f"{defence.embedder}+{defence.name}: threshold")
            pairs = self.pack.pairs_of(Split.SELECT)
            threshold = verify(defence, self.pack, pairs, self.device).threshold
            results = list(self._under_attack(defence, threshold, transferred).run(trials))
            yield Evaluated(defence, threshold, results)

    def trials(self) -> list[Trial]:
        """What the attackers of pairs are set to, a trial a goal."""
        plan = self.plan
        return [pair_trial(self.pack, self.split, goal, plan.pairs, plan.seed) for goal in VERIFICATION_GOALS]

    def _under_attack(
        self, defence: Defence, threshold: float, transferred: Sequence[Attacker]
    ) -> UnderAttack:
        """One defence that decides at `threshold`, and those who attack it."""
        conditions = Conditions(
            self.plan, self.pack, self.split, self.store, self.device, self.command, self.tell
        )
        return UnderAttack(defence, threshold, transferred, conditions)

    def transferred(self, defence: Defence) -> list[Attacker]:
        """Those who do not know the purifier: they, and their examples, serve for every defence."""
        plan, network = self.plan, defence.network
        others = {name: other for name, other in self.others.items() if name != defence.embedder}
        return [
            *transfer_attackers(others, plan.transfer_attack()),
            *embedder_attackers(network, plan.embedder_attacks()),
            *surrogate_attackers(network, self.surrogates, plan.surrogate_attacks(), plan.ensemble_attack()),
        ]
