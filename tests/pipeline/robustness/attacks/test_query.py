"""Attacks that only ask: what they ask is counted, what they find is true, and they find what is easy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from pipeline.embed.load import load_network
from pipeline.models import Catalogue, ModelKind
from pipeline.robustness.attacks.base import Attack
from pipeline.robustness.attacks.decision import HopSkipJump
from pipeline.robustness.attacks.query import Oracle, QueryAttack, QueryResult
from pipeline.robustness.attacks.square import SquareAttack
from pipeline.robustness.objective import Network, Objective
from pipeline.robustness.threat import Goal
from tests.contracts.attack import (
    AttackContract,
    assert_within,
    random_crops,
    run,
    toy_network,
    toy_objective,
)

NEVER = -2.0
"""A threshold that no similarity is below: dodging cannot succeed."""


@dataclass
class Counting:
    """A network that notes how many crops it saw, and refuses to be differentiated."""

    network: Network = field(default_factory=toy_network)
    crops: int = 0

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        self.crops += len(crops)
        return self.network(crops)


def darker_half(crops: torch.Tensor) -> torch.Tensor:
    """Unit vectors (N, 2) at an angle that is 0 for grey and falls or grows by 4 degrees a grey level.

    Similarity to (1, 0) depends on the mean of the left half alone and falls both ways: an embedder
    for which the best attack is known.
    """
    angle = (crops[..., :56].mean((1, 2, 3)) - 128.0) * (4.0 * torch.pi / 180.0)
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def grey(count: int) -> torch.Tensor:
    return torch.full((count, 3, 112, 112), 128.0)


def at_angle(degrees: float, count: int) -> torch.Tensor:
    """Templates for `darker_half`."""
    angle = torch.full((count,), degrees * torch.pi / 180.0)
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def search(attack: QueryAttack, crops: torch.Tensor, objective: Objective, eps_255: float) -> QueryResult:
    return attack.search(crops, objective, eps_255, torch.Generator().manual_seed(0))


class TestSquareKeepsTheContract(AttackContract):
    @pytest.fixture
    def attack(self) -> Attack:
        return SquareAttack(60)


class TestHopSkipJumpKeepsTheContract(AttackContract):
    @pytest.fixture
    def attack(self) -> Attack:
        return HopSkipJump(threshold=0.1, queries=150, probes=10)

    @pytest.mark.parametrize("goal", list(Goal))
    def test_the_loss_grows_and_in_no_row_falls(self, attack: Attack, goal: Goal) -> None:
        """Who sees decisions alone can lose similarity without knowing, but never the decision."""
        crops, objective = random_crops(3), toy_objective(goal, 3)
        before = objective.succeeded(objective.similarity(crops), 0.1)
        after = objective.succeeded(objective.similarity(run(attack, crops, objective)), 0.1)
        assert after[before].all()


class TestSquare:
    def test_every_query_is_counted(self) -> None:
        network = Counting()
        objective = replace(toy_objective(Goal.DODGE, 3), network=network)
        result = search(SquareAttack(37, threshold=NEVER), random_crops(3), objective, 8.0)
        assert result.queries.tolist() == [37, 37, 37]
        assert network.crops == 3 * 37
        assert not result.succeeded.any()
        assert result.distance_255.isinf().all()

    def test_who_is_through_asks_no_more(self) -> None:
        network = Counting(darker_half)
        templates = torch.cat([at_angle(0, 1), at_angle(180, 1), at_angle(0, 1)])
        objective = Objective(network, templates, Goal.DODGE)
        result = search(SquareAttack(500, threshold=0.9), grey(3), objective, 16.0)
        assert result.succeeded.tolist() == [True, True, True]
        assert result.queries[1] == 1, "one row is as wanted to begin with"
        assert torch.equal(result.crops[1], grey(1)[0])
        assert (result.queries[[0, 2]] > 2).all()
        assert network.crops == result.queries.sum() < 500

    def test_what_it_reports_is_what_the_picture_does(self) -> None:
        crops, objective = random_crops(4), toy_objective(Goal.DODGE, 4)
        threshold = float(objective.similarity(crops).median()) - 0.1
        result = search(SquareAttack(80, threshold), crops, objective, 8.0)
        assert_within(result.crops, crops, 8.0)
        similarity = objective.similarity(result.crops)
        assert torch.equal(result.succeeded, similarity < threshold)
        assert result.succeeded.any()
        assert (result.distance_255[result.succeeded] <= 8.0).all()

    def test_it_impersonates(self) -> None:
        objective = Objective(darker_half, at_angle(40, 2), Goal.IMPERSONATE)
        result = search(SquareAttack(300, threshold=0.99), grey(2), objective, 16.0)
        assert result.succeeded.all()
        assert (objective.similarity(result.crops) >= 0.99).all()

    def test_more_queries_are_never_worse_for_the_mean(self) -> None:
        crops, objective = random_crops(4), toy_objective(Goal.DODGE, 4)
        losses = [
            float(objective.loss(search(SquareAttack(queries), crops, objective, 8.0).crops).mean())
            for queries in (1, 10, 200)
        ]
        assert losses[0] == pytest.approx(float(objective.loss(crops).mean()))
        assert losses[0] < losses[1] < losses[2]

    def test_a_penalty_is_heeded(self) -> None:
        def redness(crops: torch.Tensor) -> torch.Tensor:
            return crops[:, 0].mean((1, 2))

        plain = toy_objective(Goal.DODGE, 1)
        penalised = replace(plain, penalty=redness)
        without = search(SquareAttack(100), random_crops(1), plain, 8.0).crops
        heeding = search(SquareAttack(100), random_crops(1), penalised, 8.0).crops
        assert redness(heeding) < redness(without) - 1.0

    def test_a_budget_between_whole_numbers_is_rounded_down(self) -> None:
        crops = random_crops(1, low=20, high=230)
        attacked = search(SquareAttack(30), crops, toy_objective(Goal.DODGE, 1), 7.9).crops
        assert (attacked - crops).abs().max() == 7.0

    def test_squares_shrink_with_the_share_of_the_budget_used(self) -> None:
        long, short = SquareAttack(10_000, share=0.05), SquareAttack(1_000, share=0.05)
        assert long.side_px(5, 112) == 25  # sqrt(0.05) of 112
        assert long.side_px(9_999, 112) == 1
        sides = [long.side_px(query, 112) for query in range(1, 10_000)]
        assert sides == sorted(sides, reverse=True)
        assert [short.side_px(query, 112) for query in range(1, 1_000)] == sides[9::10]


class TestHopSkipJump:
    def test_every_query_is_counted_and_none_is_asked_beyond_the_limit(self) -> None:
        network = Counting()
        objective = replace(toy_objective(Goal.DODGE, 2), network=network)
        result = search(HopSkipJump(0.1, queries=211, probes=10), random_crops(2), objective, 0.0)
        assert result.queries.tolist() == [211, 211]
        assert network.crops == 2 * 211

    def test_it_comes_as_near_as_one_can(self) -> None:
        # At 0.9 the mean of the left half has to move by 6.46 grey levels, and so at best has each value.
        objective = Objective(darker_half, at_angle(0, 2), Goal.DODGE)
        starts = torch.stack([torch.full((3, 112, 112), 160.0), random_crops(1, low=90, high=120)[0]])
        result = search(HopSkipJump(0.9, starts, queries=800, probes=20), grey(2), objective, 0.0)
        assert not result.succeeded.any()
        assert ((result.distance_255 > 6.4) & (result.distance_255 < 7.5)).all()
        assert torch.equal(result.crops, grey(2)), "with a budget of zero nothing is handed over"

    def test_it_ends_at_the_budget_with_a_picture_that_is_decided_as_wanted(self) -> None:
        objective = Objective(Counting(darker_half), at_angle(0, 2), Goal.DODGE)
        result = search(HopSkipJump(0.9, grey(2) + 42.0, queries=2_000, probes=20), grey(2), objective, 7.0)
        assert result.succeeded.all()
        assert_within(result.crops, grey(2), 7.0)
        assert (result.queries < 2_000).all()
        assert (result.distance_255 <= 7.0).all()
        with torch.no_grad():
            assert (objective.similarity(result.crops) < 0.9).all()

    def test_what_does_not_fit_the_budget_is_cut_to_it_and_said_to_have_failed(self) -> None:
        objective = Objective(darker_half, at_angle(0, 1), Goal.DODGE)
        result = search(HopSkipJump(0.9, grey(1) + 42.0, queries=300, probes=20), grey(1), objective, 3.0)
        assert not result.succeeded.any()
        assert result.distance_255 > 6.4
        assert_within(result.crops, grey(1), 3.0)
        assert objective.similarity(result.crops) > 0.9

    def test_impersonation_starts_from_a_face_of_the_target(self) -> None:
        objective = Objective(darker_half, at_angle(60, 2), Goal.IMPERSONATE)
        target = torch.full((2, 3, 112, 112), 143.0)
        result = search(HopSkipJump(0.9, target, queries=2_000, probes=20), grey(2), objective, 10.0)
        assert result.succeeded.all()
        assert (objective.similarity(result.crops) >= 0.9).all()

    def test_without_a_start_it_fails_and_leaves_the_crop_alone(self) -> None:
        network = Counting(darker_half)
        objective = Objective(network, at_angle(180, 2), Goal.IMPERSONATE)
        result = search(HopSkipJump(0.9, grey(2) + 1.0), grey(2), objective, 8.0)
        assert not result.succeeded.any()
        assert result.queries.tolist() == [2, 2]
        assert torch.equal(result.crops, grey(2))
        assert result.distance_255.isinf().all()

    def test_a_crop_that_is_decided_as_wanted_costs_one_query(self) -> None:
        objective = Objective(darker_half, at_angle(180, 1), Goal.DODGE)
        result = search(HopSkipJump(0.5), grey(1), objective, 8.0)
        assert result.succeeded.all()
        assert result.queries.tolist() == [1]
        assert result.distance_255.tolist() == [0.0]
        assert torch.equal(result.crops, grey(1))

    def test_starts_for_other_crops_are_refused(self) -> None:
        attack = HopSkipJump(0.5, grey(2))
        with pytest.raises(ValueError, match="one a crop"):
            search(attack, grey(3), Objective(darker_half, at_angle(0, 3), Goal.DODGE), 8.0)


class TestOracle:
    def test_it_answers_for_some_rows_with_their_own_templates(self) -> None:
        objective = Objective(darker_half, torch.cat([at_angle(0, 1), at_angle(90, 1)]), Goal.DODGE)
        oracle = Oracle(objective, 2, 3)
        assert oracle.similarity(grey(1), torch.tensor([1])) == pytest.approx(0.0, abs=1e-6)
        assert oracle.queries.tolist() == [0, 1]

    def test_it_refuses_scores_and_says_no_label_once_the_queries_are_used_up(self) -> None:
        oracle = Oracle(Objective(darker_half, at_angle(180, 2), Goal.DODGE), 2, 1)
        oracle.similarity(grey(1), torch.tensor([0]))
        assert oracle.decided_as_wanted(grey(2), torch.tensor([0, 1]), 0.5).tolist() == [False, True]
        with pytest.raises(RuntimeError, match="more than 1 queries"):
            oracle.similarity(grey(1), torch.tensor([0]))
        assert oracle.queries.tolist() == [1, 1]

    def test_no_queries_are_no_attack(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            SquareAttack(0)(grey(1), toy_objective(Goal.DODGE, 1), 8.0, torch.Generator())


@pytest.mark.assets
def test_a_dozen_questions_move_a_real_embedder(models: Path) -> None:
    network = load_network(Catalogue.load([models]).open("mobilefacenet", ModelKind.EMBEDDER))
    crops = random_crops(1, low=100, high=150)
    objective = Objective(network, network(crops), Goal.DODGE)
    result = search(SquareAttack(12), crops, objective, 8.0)
    assert objective.similarity(result.crops) < 0.98
