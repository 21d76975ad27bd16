"""The gates hold where attacks work, and fail where something hides the gradient."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from pipeline.purify.pin import NoPurification
from pipeline.robustness.defence import Defence, verify
from pipeline.robustness.faces import FacePack
from pipeline.robustness.gates import adaptive_without_defence, check, check_results
from pipeline.robustness.protocol import Split
from pipeline.robustness.results import WORST, Result
from pipeline.robustness.threat import Goal, ThreatModel
from pipeline.robustness.trial import pair_trial
from tests.toys import ToyEmbedder

CPU = torch.device("cpu")
RESULT = Result(
    "none", "toy", ThreatModel.ADAPTIVE, Goal.DODGE, "pgd-20x1", 4.0, 50, 0.2, 0.1, 0.3, 0.9, 0, "run"
)


class Rounding(nn.Module):
    """Hides the gradient without being a defence."""

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return (crops / 4.0).round() * 4.0


def gates_of(pack: FacePack, purifier: nn.Module) -> dict[str, bool]:
    defence = Defence("purifier", "toy", purifier, ToyEmbedder().eval().requires_grad_(False))
    trial = pair_trial(pack, Split.SCORE, Goal.DODGE, 6, 0)
    threshold = verify(defence, pack, pack.pairs_of(Split.SELECT), CPU).threshold
    return {gate.name: gate.held for gate in check(defence, trial, threshold, steps=12, seed=0, device=CPU)}


def test_they_hold_without_a_defence(pack: FacePack) -> None:
    gates = gates_of(pack, NoPurification())
    assert len(gates) == 4
    assert all(gates.values()), gates


def test_hidden_gradients_are_noticed(pack: FacePack) -> None:
    gates = gates_of(pack, Rounding())
    assert not gates["gradients agree with finite differences"]
    assert not gates["a large budget succeeds"]


@pytest.mark.parametrize(("direct", "pooled", "held"), [(0.2, 0.2, True), (0.2, 0.1, False)])
def test_direct_optimisation_must_find_what_the_pool_finds(direct: float, pooled: float, held: bool) -> None:
    exact = dataclasses.replace(RESULT, accuracy=direct)
    worst = dataclasses.replace(RESULT, attack=WORST, accuracy=pooled)
    assert [gate.held for gate in check_results([exact, worst])] == [held]


def test_an_attack_of_other_pairs_says_nothing_of_the_pool() -> None:
    exact = dataclasses.replace(RESULT, accuracy=0.2)
    worst = dataclasses.replace(RESULT, attack=WORST, accuracy=0.1)
    few = dataclasses.replace(RESULT, attack="minimum-16-pgd-20x1", n=20, accuracy=0.1)
    assert [gate.held for gate in check_results([exact, few, worst])] == [False]


@pytest.mark.parametrize(("embedder", "held"), [(0.2, True), (0.1, False)])
def test_adaptive_against_none_is_the_one_who_knows_the_embedder(embedder: float, held: bool) -> None:
    known = dataclasses.replace(
        RESULT, threat_model=ThreatModel.EMBEDDER, attack="pgd-10x1", accuracy=embedder
    )
    assert [gate.held for gate in adaptive_without_defence([RESULT, known])] == [held]
