"""MI, DI and TI: the contract, the formulas, and that each part does what it is for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from pipeline.robustness.attacks.base import Attack
from pipeline.robustness.attacks.momentum import MomentumIterative, resized_and_padded, smoothed
from pipeline.robustness.objective import Objective
from pipeline.robustness.threat import Goal
from tests.contracts.attack import AttackContract, RowsAloneContract, random_crops, run, toy_objective


class TestMi(AttackContract, RowsAloneContract):
    @pytest.fixture
    def attack(self) -> Attack:
        return MomentumIterative(5)


class TestDiTiMi(AttackContract, RowsAloneContract):
    @pytest.fixture
    def attack(self) -> Attack:
        return MomentumIterative(5, input_diversity=True, translation_kernel=5)


@pytest.mark.parametrize(
    ("attack", "name"),
    [
        (MomentumIterative(), "mi-fgsm-10"),
        (MomentumIterative(20, decay=0.0), "fgsm-20"),
        (MomentumIterative(input_diversity=True, decay=0.0), "di-fgsm-10"),
        (MomentumIterative(input_diversity=True, translation_kernel=7, samples=4), "ti-di-mi-fgsm-10-eot4"),
    ],
)
def test_names_say_what_is_composed(attack: MomentumIterative, name: str) -> None:
    assert attack.name == name


@pytest.mark.parametrize("samples", [1, 3])
def test_passes_are_as_many_as_stated(samples: int) -> None:
    objective, passes = toy_objective(Goal.DODGE, 1), []

    def counted(crops: torch.Tensor) -> torch.Tensor:
        passes.append(1)
        return objective.network(crops)

    attack = MomentumIterative(4, input_diversity=True, samples=samples)
    run(attack, random_crops(1), Objective(counted, objective.templates, Goal.DODGE))
    assert len(passes) == attack.passes


def test_old_directions_outvote_a_new_one() -> None:
    """A network whose slope turns at half of the way: without momentum the attack stays there."""

    def network(crops: torch.Tensor) -> torch.Tensor:
        change = crops.mean((1, 2, 3)) - 100.0
        return (change - 1.5 * torch.relu(change - 4.0) + 4.0 * torch.relu(change - 6.0)).unsqueeze(1)

    crops = torch.full((1, 3, 112, 112), 100.0)
    objective = Objective(network, torch.ones(1, 1), Goal.IMPERSONATE)
    without, with_momentum = (
        run(MomentumIterative(8, decay=decay), crops, objective, 8.0) for decay in (0.0, 1.0)
    )
    assert (without - crops).max() <= 5
    assert torch.equal(with_momentum, crops + 8)


def test_a_gradient_of_zero_changes_nothing() -> None:
    crops = random_crops(1)
    objective = Objective(lambda crops: 0 * crops.flatten(1)[:, :1], torch.ones(1, 1), Goal.IMPERSONATE)
    assert torch.equal(run(MomentumIterative(3), crops, objective), crops)


def test_smoothing_is_the_mean_over_shifts_weighted_by_a_gaussian() -> None:
    gradient = torch.zeros(1, 3, 112, 112)
    gradient[0, 1, 50, 60] = 1.0
    kernel = smoothed(gradient, 5)
    assert torch.equal(kernel[:, [0, 2]], torch.zeros(1, 2, 112, 112))
    assert float(kernel.sum()) == pytest.approx(1.0)
    assert kernel[0, 1].argmax() == 50 * 112 + 60
    assert (kernel[0, 1, 48:53, 58:63] > 0).all()
    assert kernel[0, 1].count_nonzero() == 25
    # Two pixels of a kernel of five are three standard deviations.
    ratio = float(kernel[0, 1, 50, 62] / kernel[0, 1, 50, 60])
    assert ratio == pytest.approx(float(torch.exp(torch.tensor(-4.5))), rel=1e-4)
    assert smoothed(gradient, 1) is gradient


def test_resized_crops_keep_what_they_show_at_another_size_and_place() -> None:
    crops, generator = torch.full((2, 3, 112, 112), 200.0), torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(20):
        resized = resized_and_padded(crops, 0.9, generator)
        assert resized.shape == crops.shape
        assert torch.equal(resized[0], resized[1])
        rows, columns = (resized[0, 0] > 0).nonzero(as_tuple=True)
        height, width = (int(at.max() - at.min()) + 1 for at in (rows, columns))
        assert height == width
        assert 101 <= height <= 112
        assert len(rows) == height * width
        assert (resized[resized > 0] - 200).abs().max() < 1e-3
        seen.add((height, int(rows.min()), int(columns.min())))
    assert len(seen) > 10


def test_gradients_flow_through_resizing() -> None:
    leaf = random_crops(1).requires_grad_(True)
    resized = resized_and_padded(leaf, 0.9, torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(resized.sum(), leaf)
    assert (gradient > 0).float().mean() > 0.95


@pytest.mark.parametrize(
    "make",
    [
        lambda: MomentumIterative(0),
        lambda: MomentumIterative(translation_kernel=4),
        lambda: MomentumIterative(translation_kernel=0),
        lambda: MomentumIterative(decay=-1.0),
        lambda: MomentumIterative(smallest_side=0.0),
        lambda: MomentumIterative(diversity_share=1.5),
    ],
)
def test_attacks_that_cannot_be_are_refused(make: Callable[[], MomentumIterative]) -> None:
    with pytest.raises(ValueError):
        make()
