"""From what was decided rightly to records with intervals, and the worst case over pools of examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.robustness.defence import Verification
from pipeline.robustness.results import Result
from pipeline.robustness.statistics import person_interval, threshold_at_fmr
from pipeline.robustness.threat import Goal, ThreatModel
from pipeline.robustness.trial import Trial

Flags = npt.NDArray[np.bool_]
"""bool (N,): which rows were decided as they should be."""


@dataclass(slots=True)
class Pools:
    """What one defence got right, by goal, budget and threat model, for each set of examples.

    Attributes:
        clean: Without an attack.
        under: Under attack.
    """

    clean: dict[Goal, Flags] = field(default_factory=dict)
    under: dict[tuple[Goal, float, ThreatModel], list[Flags]] = field(default_factory=dict)

    def add(self, goal: Goal, eps_255: float, model: ThreatModel, right: Flags) -> None:
        """One more set of examples."""
        self.under.setdefault((goal, eps_255, model), []).append(right)

    def worst(self, goal: Goal, eps_255: float, models: Sequence[ThreatModel]) -> Flags:
        """Right without an attack and under every example of `models`: of the first rows, which all have.

        What lies within a smaller budget lies within this one as well. It can be the better attack: a
        selector that takes more away where there is more noise is at its weakest between them.
        """
        found = [self.clean[goal]]
        for (of_goal, budget_255, model), pool in self.under.items():
            if of_goal is goal and budget_255 <= eps_255 and model in models:
                found += pool
        rows = min(map(len, found))
        return np.asarray(np.stack([flags[:rows] for flags in found]).all(axis=0), np.bool_)


@dataclass(frozen=True, slots=True)
class Recorder:
    """Makes records of one defence.

    Attributes:
        defence: Name of the purifier.
        embedder: Name of the embedder.
        seed: Of the evaluation, and of the bootstrap.
        command: What made the records.
    """

    defence: str
    embedder: str
    seed: int
    command: str

    def of_all_pairs(self, found: Verification, fmr: float) -> Result:
        """True accept rate over every genuine pair, where `fmr` of all impostor pairs are accepted."""
        right = found.genuine >= threshold_at_fmr(found.impostor, fmr)
        attack = f"TAR at FMR {fmr:g}, all pairs"
        return self._result(None, attack, 0.0, ThreatModel.CORRUPTION, right, right, found.people)

    def of_goal(
        self,
        trial: Trial,
        attack: str,
        eps_255: float,
        model: ThreatModel,
        *,
        right: Flags,
        clean: Flags,
    ) -> Result:
        """A record of one goal; whoever is decided wrongly without an attack counts as wrong."""
        return self._result(trial.goal, attack, eps_255, model, right & clean, clean, trial.people)

    def of_all_goals(
        self,
        trials: Sequence[Trial],
        attack: str,
        *,
        right: Mapping[Goal, Flags],
        clean: Mapping[Goal, Flags],
    ) -> Result:
        """A record of all pairs, where nobody attacks: the corruptions, or nothing at all."""
        flags = np.concatenate([right[trial.goal] for trial in trials])
        before = np.concatenate([clean[trial.goal] for trial in trials])
        people = [people for trial in trials for people in trial.people]
        return self._result(None, attack, 0.0, ThreatModel.CORRUPTION, flags, before, people)

    def _result(  # noqa: PLR0917 - the fields of a record, in their order
        self,
        goal: Goal | None,
        attack: str,
        eps_255: float,
        model: ThreatModel,
        right: Flags,
        clean: Flags,
        people: Sequence[tuple[str, ...]],
    ) -> Result:
        interval = person_interval(right, people, seed=self.seed)
        return Result(
            defence=self.defence,
            embedder=self.embedder,
            threat_model=model,
            goal=goal,
            attack=attack,
            eps_255=eps_255,
            n=len(right),
            accuracy=float(right.mean()),
            ci_low=interval.low,
            ci_high=interval.high,
            clean_accuracy=float(clean.mean()),
            seed=self.seed,
            command=self.command,
        )
