"""Which of the averaged weights are kept: those that withstand most on fold 4, which trains nobody.

The last weights of a training under attack are not its most robust ones (Rice, Wong, Kolter, ICML 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from pipeline.robustness.attackers import Attacker
from pipeline.robustness.attacks.apgd import Apgd
from pipeline.robustness.defence import Defence, verify
from pipeline.robustness.examples import attacked
from pipeline.robustness.faces import FacePack
from pipeline.robustness.protocol import Split
from pipeline.robustness.threat import VERIFICATION_GOALS, ThreatModel
from pipeline.robustness.trial import Scorer, Trial, pair_trial

ATTACK = Apgd(10)
EPS_255 = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """The best so far.

    Attributes:
        step: After how many.
        accuracy: What they withstand, 0..1: see :meth:`Selection.withstood`.
        weights: The averaged weights, on the CPU.
    """

    step: int
    accuracy: float
    weights: dict[str, torch.Tensor]


class Selection:
    """Attacks pairs of fold 4 through purifier and student; see :func:`can_select`.

    Args:
        pack: Crops and pairs.
        purifier: Before the student.
        pairs: At most so many a goal.
        seed: Of their choice and of the attack's starts.
        device: Where purifier and student are.
    """

    def __init__(
        self, pack: FacePack, purifier: nn.Module, *, pairs: int, seed: int, device: torch.device
    ) -> None:
        self._pack, self._purifier = pack, purifier
        self._seed, self._device = seed, device
        self._trials = [pair_trial(pack, Split.SELECT, goal, pairs, seed) for goal in VERIFICATION_GOALS]

    @property
    def pairs(self) -> int:
        """Of the goal that has fewer."""
        return min(map(len, self._trials))

    def withstood(self, student: nn.Module) -> float:
        """Share of the pairs that are decided rightly without and under attack, of the worse goal.

        The threshold is that of most right decisions on fold 4's pairs without an attack.
        """
        defence = Defence("selection", "student", self._purifier, student)
        pairs = self._pack.pairs_of(Split.SELECT)
        threshold = verify(defence, self._pack, pairs, self._device).threshold
        return min(self._share(defence, trial, threshold) for trial in self._trials)

    def _share(self, defence: Defence, trial: Trial, threshold: float) -> float:
        attacker = Attacker(ThreatModel.ADAPTIVE, ATTACK, defence)
        crops = attacked(attacker, trial, EPS_255, self._seed, self._device)
        scorer = Scorer(defence, self._device)
        right = [scorer.right(trial, probes, threshold) for probes in (trial.probes, crops)]
        return float((right[0] & right[1]).mean())


def can_select(pack: FacePack) -> bool:
    """Whether `pack` has genuine and impostor pairs of fold 4."""
    return {pair.same for pair in pack.pairs_of(Split.SELECT)} == {True, False}
