"""One defence under every attack of a plan, from corruptions to those who know everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from pipeline.robustness.attackers import (
    Attacker,
    adaptive_attackers,
    patch_attackers,
    query_attackers,
)
from pipeline.robustness.corruptions import Corruption
from pipeline.robustness.defence import Defence, all_pairs
from pipeline.robustness.examples import ExampleStore, least_budgets
from pipeline.robustness.faces import FacePack
from pipeline.robustness.plan import Plan
from pipeline.robustness.protocol import Split
from pipeline.robustness.recorder import Flags, Pools, Recorder
from pipeline.robustness.results import CLEAN, UNBOUNDED_255, WORST, Result
from pipeline.robustness.statistics import threshold_at_fmr
from pipeline.robustness.threat import ThreatModel
from pipeline.robustness.trial import Scorer, Trial, open_set_trial

FPIR = 0.01
"""Of a stranger before the gallery: where the threshold of the open-set trial is set."""

FMR = 1e-3
"""At which all pairs are verified without an attack: the rate that face recognition is compared at."""

_EVERYBODY = 10**9


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """What is the same for every defence; see :class:`~pipeline.robustness.evaluate.Evaluation`."""

    plan: Plan
    pack: FacePack
    split: Split
    store: ExampleStore
    device: torch.device
    command: str
    tell: Callable[[str], None]


def adaptive_of(plan: Plan, defence: Defence) -> list[Attacker]:
    """T4, as far as the plan goes."""
    confined = plan.confined_attack if plan.ways else None
    return adaptive_attackers(defence, plan.adaptive_attacks(), confined, plan.way_attack())


class UnderAttack:
    """The records of one defence.

    Args:
        defence: What is attacked.
        threshold: Similarity from which on it says "the same person".
        transferred: Attackers who do not know the purifier.
        conditions: See there.
    """

    def __init__(
        self, defence: Defence, threshold: float, transferred: Sequence[Attacker], conditions: Conditions
    ) -> None:
        self._defence = defence
        self._threshold = threshold
        self._transferred = transferred
        self._of = conditions
        self._plan = conditions.plan.averaging() if defence.random else conditions.plan
        self._owner = f"{defence.embedder}+{defence.name}"
        self._adaptive = adaptive_of(self._plan, defence)
        self._pools = Pools()
        self._scorer = Scorer(defence, conditions.device)
        self._recorder = Recorder(defence.name, defence.embedder, self._plan.seed, conditions.command)

    def run(self, trials: Sequence[Trial]) -> Iterator[Result]:
        """Everything of the plan."""
        yield from self._without_attack(trials)
        for trial in trials:
            yield from self._gradient_attacks(trial)
            yield from self._patches(trial)
            yield from self._queries(trial)
            yield from self._least_budgets(trial)
        yield from self._open_set()

    def _without_attack(self, trials: Sequence[Trial]) -> Iterator[Result]:
        clean = self._pools.clean
        clean.update({trial.goal: self._right(trial, trial.probes) for trial in trials})
        yield self._recorder.of_all_goals(trials, CLEAN, right=clean, clean=clean)
        yield self._all_pairs()
        worst = dict(clean)
        for severity in self._plan.severities:
            for corruption in Corruption:
                self._of.tell(f"{self._owner}: {corruption} {severity}")
                right = {
                    trial.goal: self._right(trial, self._corrupted(trial, corruption, severity))
                    for trial in trials
                }
                worst = {goal: worst[goal] & right[goal] for goal in worst}
                yield self._recorder.of_all_goals(
                    trials, f"{corruption}-{severity}", right=right, clean=clean
                )
        if self._plan.severities:
            yield self._recorder.of_all_goals(trials, WORST, right=worst, clean=clean)

    def _all_pairs(self) -> Result:
        """Of everybody of the split, at a false match rate that so many pairs can support."""
        of = self._of
        found = all_pairs(self._defence, of.pack, of.pack.rows_of(of.split), of.device)
        return self._recorder.of_all_pairs(found, max(FMR, 1 / len(found.impostor)))

    def _corrupted(self, trial: Trial, corruption: Corruption, severity: int) -> torch.Tensor:
        crops = trial.probes.permute(0, 2, 3, 1).numpy()
        changed = corruption(crops, severity, self._plan.seed)
        return torch.from_numpy(changed).permute(0, 3, 1, 2).contiguous()

    def _gradient_attacks(self, trial: Trial, threshold: float | None = None) -> Iterator[Result]:
        """Those who do not know the purifier at every budget, those who do at theirs; then the worst."""
        plan = self._plan
        few = trial.first(plan.adaptive_pairs)
        for eps_255 in plan.budgets_255:
            yield from self._attacks(trial, self._transferred, self._defence.embedder, eps_255, threshold)
        for eps_255 in plan.adaptive_budgets_255:
            yield from self._attacks(few, self._adaptive, self._owner, eps_255, threshold)
        for model in ThreatModel.ADAPTIVE.includes:
            adapted = model is ThreatModel.ADAPTIVE
            for eps_255 in plan.adaptive_budgets_255 if adapted else plan.budgets_255:
                if (trial.goal, eps_255, model) in self._pools.under:
                    worst = self._pools.worst(trial.goal, eps_255, model.includes)
                    yield self._record(few if adapted else trial, WORST, eps_255, model, worst)

    def _attacks(
        self,
        trial: Trial,
        attackers: Iterable[Attacker],
        owner: str,
        eps_255: float,
        threshold: float | None,
    ) -> Iterator[Result]:
        for attacker in attackers:
            right = self._under(attacker, trial, owner, eps_255, threshold)
            self._pools.add(trial.goal, eps_255, attacker.threat_model, right)
            yield self._record(trial, attacker.label, eps_255, attacker.threat_model, right)

    def _patches(self, trial: Trial) -> Iterator[Result]:
        if self._plan.patch_pairs:
            attackers = patch_attackers(self._defence, self._plan.patch_steps)
            yield from self._few(trial.first(self._plan.patch_pairs), attackers, UNBOUNDED_255)

    def _queries(self, trial: Trial) -> Iterator[Result]:
        plan = self._plan
        if plan.query_pairs:
            attackers = query_attackers(
                self._defence, self._threshold, trial.goal, plan.score_queries, plan.decision_queries
            )
            yield from self._few(trial.first(plan.query_pairs), attackers, plan.query_budget_255)

    def _least_budgets(self, trial: Trial) -> Iterator[Result]:
        """Whoever knows everything looks for the least budget of each pair: a whole curve over budgets."""
        plan = self._plan
        if not plan.minimum_pairs:
            return
        few, search = trial.first(plan.minimum_pairs), plan.minimum_search()
        self._of.tell(f"{self._owner}: {ThreatModel.ADAPTIVE} {search.name} {few.goal}")
        needed = least_budgets(
            search, self._defence, few, self._threshold, seed=plan.seed, device=self._of.device
        )
        for eps_255 in range(1, search.eps_max_255 + 1):
            yield self._record(few, search.name, float(eps_255), ThreatModel.ADAPTIVE, needed > eps_255)

    def _few(self, few: Trial, attackers: Sequence[Attacker], eps_255: float) -> Iterator[Result]:
        """Attacks that cost too much for all pairs, each by itself and the worst of them."""
        worst = self._pools.clean[few.goal][: len(few)]
        for attacker in attackers:
            right = self._under(attacker, few, self._owner, eps_255)
            worst = worst & right
            yield self._record(few, attacker.label, eps_255, attacker.threat_model, right)
        yield self._record(few, WORST, eps_255, attackers[0].threat_model, worst)

    def _open_set(self) -> Iterator[Result]:
        """A stranger who wants to be anyone of the gallery; the threshold is set by other strangers."""
        plan, of = self._plan, self._of
        if not plan.strangers:
            return
        other = Split.SCORE if of.split is Split.SELECT else Split.SELECT
        others = open_set_trial(of.pack, other, plan.gallery, _EVERYBODY, plan.seed)
        nearest = self._scorer.similarities(others, others.probes)
        threshold = threshold_at_fmr(nearest, max(FPIR, 1 / len(nearest)))
        trial = open_set_trial(of.pack, of.split, plan.gallery, plan.strangers, plan.seed)
        self._pools.clean[trial.goal] = self._right(trial, trial.probes, threshold)
        yield from self._gradient_attacks(trial, threshold)

    def _under(
        self, attacker: Attacker, trial: Trial, owner: str, eps_255: float, threshold: float | None = None
    ) -> Flags:
        """What is right under this attacker's examples."""
        of = self._of
        of.tell(f"{owner}: {attacker.threat_model} {attacker.label} {trial.goal} {eps_255:g}/255")
        crops = of.store.get(owner, attacker, trial, eps_255, seed=self._plan.seed, device=of.device)
        return self._right(trial, crops, threshold)

    def _right(self, trial: Trial, crops: torch.Tensor, threshold: float | None = None) -> Flags:
        decides_at = self._threshold if threshold is None else threshold
        return self._scorer.right(trial, crops, decides_at)

    def _record(self, trial: Trial, attack: str, eps_255: float, model: ThreatModel, right: Flags) -> Result:
        clean = self._pools.clean[trial.goal][: len(trial)]
        return self._recorder.of_goal(trial, attack, eps_255, model, right=right, clean=clean)
