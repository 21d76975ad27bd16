"""Auto-PGD: the contract, the paper's schedule, and how it fares against PGD with the same passes."""

from __future__ import annotations

import pytest
import torch

from pipeline.robustness.attacks.apgd import Apgd, checkpoints
from pipeline.robustness.attacks.base import Attack
from pipeline.robustness.attacks.gradient import Pgd
from pipeline.robustness.objective import Objective
from pipeline.robustness.threat import Goal
from tests.contracts.attack import AttackContract, RowsAloneContract, random_crops, run, toy_objective


class TestApgd(AttackContract, RowsAloneContract):
    @pytest.fixture
    def attack(self) -> Attack:
        return Apgd(5, 2)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (100, {22, 41, 57, 70, 80, 87, 93, 99}),
        (10, {3, 5, 6, 7, 8, 9, 10}),
        (1, {1}),
    ],
)
def test_lengths_are_checked_when_the_paper_says(steps: int, expected: set[int]) -> None:
    assert checkpoints(steps) == expected


@pytest.mark.parametrize("attack", [Apgd(1), Apgd(7), Apgd(4, 3, samples=2)], ids=lambda a: a.name)
def test_passes_are_as_many_as_stated(attack: Apgd) -> None:
    objective, passes = toy_objective(Goal.DODGE, 1), []

    def counted(crops: torch.Tensor) -> torch.Tensor:
        passes.append(1)
        assert torch.equal(crops, crops.round())
        return objective.network(crops)

    run(attack, random_crops(1), Objective(counted, objective.templates, Goal.DODGE))
    assert len(passes) == attack.passes


@pytest.mark.parametrize("goal", list(Goal))
def test_it_is_about_as_good_as_pgd_with_the_same_passes(goal: Goal) -> None:
    crops, objective = random_crops(4), toy_objective(goal, 4)
    apgd, pgd = Apgd(20), Pgd(20)
    assert apgd.passes == pgd.passes
    gained = [objective.loss(run(attack, crops, objective, 4.0)).mean() for attack in (apgd, pgd)]
    assert gained[0] > gained[1] - 0.05


def test_halved_steps_find_the_top_that_long_ones_jump_over() -> None:
    """A narrow ridge at a change of 5 of 16: only steps that get short come near it."""
    target = 100.0 + 5.0

    def network(crops: torch.Tensor) -> torch.Tensor:
        return -(crops - target).abs().mean((1, 2, 3)).unsqueeze(1)

    crops = torch.full((1, 3, 112, 112), 100.0)
    objective = Objective(network, torch.ones(1, 1), Goal.IMPERSONATE)
    missed = -float(objective.loss(run(Apgd(60), crops, objective, 16.0)))
    stubborn = -float(objective.loss(run(Pgd(60, step_share=1.0), crops, objective, 16.0)))
    assert missed < 0.6
    assert stubborn > 3


def test_restarts_keep_for_each_row_the_best_of_all() -> None:
    crops, objective = random_crops(4), toy_objective(Goal.DODGE, 4)
    one, three = (objective.loss(run(Apgd(6, runs), crops, objective, 3.0)) for runs in (1, 3))
    assert (three >= one).all()
    assert (three > one).any()


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="steps"):
        Apgd(0)
