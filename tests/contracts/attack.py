"""What every attack must do; subclass with an `attack` fixture."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from pipeline.robustness.attacks.base import Attack
from pipeline.robustness.objective import Network, Objective
from pipeline.robustness.threat import Goal

TOY_DIM = 16


def random_crops(count: int, seed: int = 0, low: int = 0, high: int = 255) -> torch.Tensor:
    """float32 (N, 3, 112, 112), whole numbers in `low`..`high`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high + 1, (count, 3, 112, 112), generator=generator).float()


def toy_network(seed: int = 0) -> Network:
    """A small embedder that is neither linear nor convex; unit vectors of 16 numbers."""
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randn(8, 3, 8, 8, generator=generator) / 60
    mixing = torch.randn(8 * 14 * 14, TOY_DIM, generator=generator) / 40

    def network(crops: torch.Tensor) -> torch.Tensor:
        features = torch.sin(functional.conv2d((crops - 127.5) / 20, patches, stride=8) * 2)
        return functional.normalize(torch.tanh(features.flatten(1) @ mixing), dim=1)

    return network


def toy_objective(goal: Goal, count: int, network: Network | None = None) -> Objective:
    """`goal` against the toy network: own noisy templates, those of others, or a gallery of five."""
    network = network or toy_network()
    own = random_crops(count)
    if goal is Goal.DODGE:
        noise = 20 * torch.randn(own.shape, generator=torch.Generator().manual_seed(9))
        return Objective(network, network(own + noise), goal)
    others = random_crops(5 if goal is Goal.ANYONE else count, seed=1)
    return Objective(network, network(others), goal)


def run(
    attack: Attack, crops: torch.Tensor, objective: Objective, eps_255: float = 8.0, seed: int = 0
) -> torch.Tensor:
    """One attack with a generator of its own."""
    return attack(crops, objective, eps_255, torch.Generator().manual_seed(seed))


def assert_within(attacked: torch.Tensor, crops: torch.Tensor, eps_255: float) -> None:
    """Pictures: whole numbers in 0..255, and no value further from the crop's than the budget."""
    assert attacked.shape == crops.shape
    assert attacked.dtype == torch.float32
    assert torch.equal(attacked, attacked.round())
    assert ((attacked >= 0) & (attacked <= 255)).all()
    assert ((attacked - crops).abs() <= eps_255).all()


class AttackContract:
    """Budget, pictures, repeatability, independence of rows, and that the attacker never loses by it."""

    def test_it_has_a_name(self, attack: Attack) -> None:
        assert attack.name

    @pytest.mark.parametrize("eps_255", [0.0, 0.5, 1.5, 8.0])
    def test_the_result_is_a_picture_within_the_budget(self, attack: Attack, eps_255: float) -> None:
        crops = random_crops(2)
        crops[:, :, :4], crops[:, :, 4:8] = 0.0, 255.0
        attacked = run(attack, crops, toy_objective(Goal.DODGE, 2), eps_255)
        assert_within(attacked, crops, eps_255)
        assert torch.equal(attacked, crops) == (eps_255 < 1)

    def test_the_input_is_left_alone(self, attack: Attack) -> None:
        crops, objective = random_crops(2), toy_objective(Goal.DODGE, 2)
        templates = objective.templates.clone()
        attacked = run(attack, crops, objective)
        attacked.zero_()
        assert torch.equal(crops, random_crops(2))
        assert torch.equal(objective.templates, templates)

    def test_the_result_carries_no_graph(self, attack: Attack) -> None:
        assert not run(attack, random_crops(1), toy_objective(Goal.DODGE, 1)).requires_grad

    @pytest.mark.parametrize("goal", list(Goal))
    def test_the_loss_grows_and_in_no_row_falls(self, attack: Attack, goal: Goal) -> None:
        crops, objective = random_crops(3), toy_objective(goal, 3)
        gained = objective.loss(run(attack, crops, objective)) - objective.loss(crops)
        assert (gained >= -1e-5).all()
        assert gained.mean() > 0

    def test_equal_seeds_give_equal_bits(self, attack: Attack) -> None:
        crops, objective = random_crops(2), toy_objective(Goal.IMPERSONATE, 2)
        assert torch.equal(run(attack, crops, objective, seed=3), run(attack, crops, objective, seed=3))

    def test_random_numbers_come_from_the_generator_alone(self, attack: Attack) -> None:
        before = torch.random.get_rng_state()
        run(attack, random_crops(1), toy_objective(Goal.DODGE, 1))
        assert torch.equal(before, torch.random.get_rng_state())

    @pytest.mark.parametrize("goal", list(Goal))
    def test_no_rows_give_no_rows(self, attack: Attack, goal: Goal) -> None:
        assert run(attack, random_crops(0), toy_objective(goal, 0)).shape == (0, 3, 112, 112)

    def test_a_row_does_not_depend_on_what_the_others_show(self, attack: Attack) -> None:
        crops, objective = random_crops(3), toy_objective(Goal.DODGE, 3)
        changed = crops.clone()
        changed[1:] = torch.tensor([0.0, 255.0, 128.0]).view(3, 1, 1)
        assert torch.equal(run(attack, changed, objective)[0], run(attack, crops, objective)[0])


class RowsAloneContract:
    """For attacks whose random numbers are shared by all rows: nor does the batch itself matter."""

    @pytest.mark.parametrize("goal", list(Goal))
    def test_a_row_alone_fares_as_in_a_batch(self, attack: Attack, goal: Goal) -> None:
        crops, objective = random_crops(3), toy_objective(goal, 3)
        together = run(attack, crops, objective)
        for row in range(3):
            index = torch.tensor([row])
            alone = run(attack, crops[index], objective.rows(index))
            # Sums of another batch shape may differ in the last bit, and with them signs of gradients near 0.
            assert (alone[0] != together[row]).float().mean() < 0.02
            assert objective.rows(index).loss(alone)[0] == pytest.approx(
                float(objective.loss(together)[row]), abs=0.01
            )
