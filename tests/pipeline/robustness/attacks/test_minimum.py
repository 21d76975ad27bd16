"""The least budget: closed form of a linear network, whole numbers, rows of their own, proof by crop."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
import torch

from pipeline.robustness.attacks.base import Attack
from pipeline.robustness.attacks.gradient import Fgsm, Pgd
from pipeline.robustness.attacks.minimum import MinimumFound, MinimumSearch
from pipeline.robustness.objective import Objective
from pipeline.robustness.threat import Goal
from tests.contracts.attack import assert_within, random_crops, toy_objective

GOALS = list(Goal)


def search(
    attack: Attack, crops: torch.Tensor, objective: Objective, threshold: float, eps_max_255: int = 16
) -> MinimumFound:
    return MinimumSearch(attack, eps_max_255)(crops, objective, threshold, torch.Generator().manual_seed(0))


@dataclass(frozen=True, slots=True)
class Recorded:
    """An attack that remembers the budgets that it was given, and for how many rows."""

    inner: Attack
    calls: list[tuple[float, int]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.inner.name

    def __call__(
        self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
    ) -> torch.Tensor:
        self.calls.append((eps_255, len(crops)))
        return self.inner(crops, objective, eps_255, generator)


def linear() -> tuple[Objective, torch.Tensor]:
    """Five rows whose similarity falls by exactly 1 / 64 for each unit of budget, from (20 - 4 n) / 64."""
    signs = torch.where(torch.arange(112) % 2 == 0, 1.0, -1.0)
    offsets = torch.arange(5).float()

    def network(crops: torch.Tensor) -> torch.Tensor:
        return ((crops * signs).mean((1, 2, 3)) + 20).unsqueeze(1) / 64

    crops = torch.full((5, 3, 112, 112), 128.0) - 4.0 * offsets.view(-1, 1, 1, 1) * signs
    return Objective(network, torch.ones(5, 1), Goal.DODGE), crops


@pytest.mark.parametrize("attack", [Fgsm(), Pgd(5)], ids=lambda a: a.name)
def test_the_closed_form_of_a_linear_network(attack: Attack) -> None:
    objective, crops = linear()
    threshold = 5.5 / 64
    found = search(attack, crops, objective, threshold, 13)
    # Similarity must fall below 5.5: from 20, 16, 12, 8, 4.
    assert found.eps_255.tolist() == [math.inf, 11.0, 7.0, 3.0, 0.0]
    assert torch.equal(found.crops[[0, 4]], crops[[0, 4]])
    assert (objective.similarity(found.crops)[1:] < threshold).all()


def test_the_largest_budget_is_tried_and_may_be_what_is_needed() -> None:
    objective, crops = linear()
    found = search(Fgsm(), crops, objective, 5.5 / 64, 15)
    assert found.eps_255[0] == 15


@pytest.mark.parametrize("goal", GOALS)
def test_every_finite_budget_comes_with_a_crop_that_proves_it(goal: Goal) -> None:
    crops, objective = random_crops(4), toy_objective(goal, 4)
    threshold = 0.2 if goal is Goal.DODGE else 0.75
    found = search(Pgd(8), crops, objective, threshold)
    assert found.eps_255.isfinite().any()
    assert (found.eps_255 > 0).any()
    for row, eps_255 in enumerate(found.eps_255.tolist()):
        if math.isinf(eps_255):
            assert torch.equal(found.crops[row], crops[row])
            continue
        assert_within(found.crops[row], crops[row], eps_255)
        assert (found.crops[row] - crops[row]).abs().max() == eps_255
        similarity = objective.rows(torch.tensor([row])).similarity(found.crops[row : row + 1])
        assert objective.succeeded(similarity, threshold).all()


def test_one_unit_less_is_not_enough() -> None:
    crops, objective = random_crops(3), toy_objective(Goal.DODGE, 3)
    found = search(Fgsm(), crops, objective, 0.2)
    for row, eps_255 in enumerate(found.eps_255.tolist()):
        index = torch.tensor([row])
        assert 1 <= eps_255 < math.inf
        less = Fgsm()(crops[index], objective.rows(index), eps_255 - 1, torch.Generator())
        assert objective.rows(index).similarity(less) >= 0.2


@pytest.mark.parametrize("goal", GOALS)
def test_a_row_alone_fares_as_in_a_batch(goal: Goal) -> None:
    crops, objective = random_crops(3), toy_objective(goal, 3)
    threshold = 0.2 if goal is Goal.DODGE else 0.75
    together = search(Pgd(4), crops, objective, threshold)
    for row in range(3):
        index = torch.tensor([row])
        alone = search(Pgd(4), crops[index], objective.rows(index), threshold)
        assert alone.eps_255[0] == together.eps_255[row]


def test_no_row_is_attacked_more_often_than_bisection_needs() -> None:
    objective, crops = linear()
    attack = Recorded(Fgsm())
    search_of_16 = MinimumSearch(attack, 16)
    search_of_16(crops[:1], objective.rows(slice(0, 1)), 5.5 / 64, torch.Generator())
    assert [eps for eps, _ in attack.calls] == [16.0, 8.0, 12.0, 14.0, 15.0]
    assert len(attack.calls) == search_of_16.attempts


def test_rows_that_need_no_change_or_fail_altogether_cost_no_more_attempts() -> None:
    objective, crops = linear()
    attack = Recorded(Fgsm())
    search(attack, crops[[0, 4]], objective.rows(torch.tensor([0, 4])), 5.5 / 64, 8)
    assert attack.calls == [(8.0, 1)]


def test_what_an_attack_leaves_of_its_budget_is_not_counted() -> None:
    objective, crops = linear()

    @dataclass(frozen=True, slots=True)
    class Modest:
        name = "modest"

        def __call__(
            self, crops: torch.Tensor, objective: Objective, eps_255: float, generator: torch.Generator
        ) -> torch.Tensor:
            return Fgsm()(crops, objective, min(eps_255, 9.0), generator)

    attack = Recorded(Modest())
    found = search(attack, crops[2:3], objective.rows(slice(2, 3)), 5.5 / 64, 200)
    assert found.eps_255.tolist() == [7.0]
    assert [eps for eps, _ in attack.calls] == [200.0, 4.0, 6.0, 7.0]


def test_no_rows_and_the_input_is_left_alone() -> None:
    objective = toy_objective(Goal.DODGE, 0)
    found = search(Fgsm(), random_crops(0), objective, 0.3)
    assert found.eps_255.shape == (0,)
    crops = random_crops(2)
    search(Fgsm(), crops, toy_objective(Goal.DODGE, 2), 0.2)
    assert torch.equal(crops, random_crops(2))


def test_equal_seeds_give_equal_results_and_the_name_says_what_was_run() -> None:
    crops, objective = random_crops(2), toy_objective(Goal.DODGE, 2)
    first, second = (search(Pgd(3), crops, objective, 0.2) for _ in range(2))
    assert torch.equal(first.crops, second.crops)
    assert MinimumSearch(Pgd(3), 16).name == "minimum-16-pgd-3x1"


@pytest.mark.parametrize("eps_max_255", [0, 256])
def test_a_range_that_is_none_is_refused(eps_max_255: int) -> None:
    with pytest.raises(ValueError, match="eps_max_255"):
        MinimumSearch(Fgsm(), eps_max_255)
