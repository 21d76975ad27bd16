"""FGSM and PGD: the contract, closed forms, and what steps, restarts, samples and subspaces are for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from gallery.find import find_faces
from gallery.photo import read_photo
from pipeline.align import align
from pipeline.detect.load import load_detector
from pipeline.embed.load import load_network
from pipeline.models import Catalogue, ModelKind
from pipeline.robustness.attacks.base import Attack, quantised, uniform_start, usable_budget
from pipeline.robustness.attacks.gradient import Confine, Fgsm, Pgd
from pipeline.robustness.objective import Network, Objective
from pipeline.robustness.threat import Goal
from tests.contracts.attack import (
    AttackContract,
    RowsAloneContract,
    assert_within,
    random_crops,
    run,
    toy_network,
    toy_objective,
)


def pooled_span(side: int) -> Confine:
    """Projection onto pictures that are constant over squares of `side` px: symmetric, idempotent, local."""

    def confine(changes: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(functional.avg_pool2d(changes, side), scale_factor=side, mode="nearest")

    return confine


def linear_network(seed: int = 0) -> tuple[Network, torch.Tensor]:
    """crops -> (N, 1), a weighted mean of the values; and the weights (3, 112, 112)."""
    weights = torch.randn(3, 112, 112, generator=torch.Generator().manual_seed(seed))
    return (lambda crops: (crops * weights).mean((1, 2, 3)).unsqueeze(1)), weights


class Counted:
    """A network that counts its evaluations and remembers whether it saw anything but pictures."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.passes = 0
        self.only_pictures = True

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        self.only_pictures &= torch.equal(crops, crops.round())
        return self._network(crops)


class TestFgsm(AttackContract, RowsAloneContract):
    @pytest.fixture
    def attack(self) -> Attack:
        return Fgsm()


class TestPgd(AttackContract, RowsAloneContract):
    @pytest.fixture
    def attack(self) -> Attack:
        return Pgd(5, 2)


class TestPgdFromTheCrop(AttackContract, RowsAloneContract):
    @pytest.fixture
    def attack(self) -> Attack:
        return Pgd(5, random_start=False)


class TestPgdConfined(AttackContract, RowsAloneContract):
    @pytest.fixture
    def attack(self) -> Attack:
        return Pgd(5, samples=2, confine=pooled_span(4))


@pytest.mark.parametrize(
    "attack",
    [Fgsm(), Pgd(4), Pgd(4, 3), Pgd(4, 2, samples=3), Pgd(4, random_start=False, samples=2)],
    ids=lambda a: a.name,
)
def test_passes_are_as_many_as_stated_and_at_pictures_only(attack: Fgsm | Pgd) -> None:
    objective = toy_objective(Goal.DODGE, 2)
    network = Counted(objective.network)
    run(attack, random_crops(2), Objective(network, objective.templates, Goal.DODGE))
    assert network.passes == attack.passes
    assert network.only_pictures


@pytest.mark.parametrize("eps_255", [1.0, 2.7, 8.0])
@pytest.mark.parametrize("attack", [Fgsm(), Pgd(10, 2)], ids=lambda a: a.name)
def test_a_linear_network_is_solved_exactly(attack: Attack, eps_255: float) -> None:
    network, weights = linear_network()
    crops = random_crops(2)
    attacked = run(attack, crops, Objective(network, torch.ones(2, 1), Goal.IMPERSONATE), eps_255)
    assert torch.equal(attacked, (crops + int(eps_255) * weights.sign()).clamp(0, 255))


@pytest.mark.parametrize("goal", list(Goal))
def test_more_steps_and_more_restarts_are_better(goal: Goal) -> None:
    crops, objective = random_crops(3), toy_objective(goal, 3)
    losses = [
        objective.loss(run(attack, crops, objective, 4.0)).mean()
        for attack in (Fgsm(), Pgd(4), Pgd(16), Pgd(16, 3))
    ]
    assert losses[0] < losses[1] < losses[2] < losses[3]


def test_restarts_keep_for_each_row_the_best_of_all() -> None:
    crops, objective = random_crops(4), toy_objective(Goal.DODGE, 4)
    one, three = (objective.loss(run(Pgd(5, runs), crops, objective, 3.0)) for runs in (1, 3))
    assert (three >= one).all()
    assert (three > one).any()


def test_a_crop_that_is_its_own_template_is_dodged() -> None:
    crops, network = random_crops(2), toy_network()
    objective = Objective(network, network(crops), Goal.DODGE)
    assert (objective.similarity(run(Pgd(10), crops, objective)) < 0.5).all()


def test_steps_of_less_than_one_unit_add_up() -> None:
    crops, objective = random_crops(2), toy_objective(Goal.DODGE, 2)
    attacked = run(Pgd(25, step_share=0.1, random_start=False), crops, objective, 2.0)
    assert (attacked - crops).abs().max() == 2
    assert (objective.loss(attacked) > objective.loss(run(Fgsm(), crops, objective, 2.0))).all()


def test_a_gradient_that_is_not_a_number_does_not_stop_an_attack() -> None:
    plain = toy_objective(Goal.DODGE, 2)

    def network(crops: torch.Tensor) -> torch.Tensor:
        # The square root's slope at 0 is infinite, and times 0 that is not a number: in the top 20 rows.
        change = (crops - crops.detach())[:, :, :20].square().sqrt()
        return plain.network(crops + functional.pad(change, (0, 0, 0, 92)))

    crops = random_crops(2)
    broken = Objective(network, plain.templates, Goal.DODGE)
    assert broken.gradient(crops)[1].isnan().any()
    attacked = run(Pgd(10), crops, broken)
    assert torch.isfinite(attacked).all()
    assert (broken.loss(attacked) > broken.loss(crops) + 0.3).all()


def test_a_confined_perturbation_stays_in_the_subspace_but_for_rounding() -> None:
    crops, objective = random_crops(2, low=40, high=215), toy_objective(Goal.DODGE, 2)
    confine = pooled_span(8)

    def outside(attack: Attack) -> torch.Tensor:
        change = run(attack, crops, objective, 20.0) - crops
        return (change - confine(change)).square().mean().sqrt()

    assert outside(Pgd(10, confine=confine)) <= 0.5
    assert outside(Pgd(10)) > 4


def test_confinement_is_what_survives_a_projection() -> None:
    confine, inner = pooled_span(8), toy_network()

    def purified(crops: torch.Tensor) -> torch.Tensor:
        return inner(confine(crops))

    crops = random_crops(3)
    objective = Objective(inner, inner(confine(crops)) + 0.05, Goal.DODGE)
    defended = Objective(purified, objective.templates, Goal.DODGE)
    unaware, aware = Pgd(15), Pgd(15, confine=confine)
    assert (
        defended.loss(run(aware, crops, objective)).mean()
        > defended.loss(run(unaware, crops, objective)).mean() + 0.1
    )


class Noisy:
    """A network whose input gets noise, anew at each call, that drowns one evaluation's gradient."""

    def __init__(self, network: Network, sigma_255: float) -> None:
        self._network = network
        self._sigma_255 = sigma_255
        self._generator = torch.Generator().manual_seed(0)

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(crops.shape, generator=self._generator)
        return self._network(crops + self._sigma_255 * noise)


def test_averaging_helps_against_a_network_that_draws_random_numbers() -> None:
    plain, crops = toy_objective(Goal.DODGE, 2), random_crops(2)
    losses = []
    for samples in (1, 8):
        objective = Objective(Noisy(plain.network, 40.0), plain.templates, Goal.DODGE)
        attacked = run(Pgd(8, samples=samples), crops, objective, 4.0)
        # Judged by fresh draws: what the attack saw of its own pictures is the luckiest of its draws.
        judge = Objective(Noisy(plain.network, 40.0), plain.templates, Goal.DODGE)
        losses.append(torch.stack([judge.loss(attacked) for _ in range(20)]).mean())
    assert losses[1] > losses[0] + 0.02


@pytest.mark.parametrize(
    "make",
    [
        lambda: Pgd(0),
        lambda: Pgd(1, 0),
        lambda: Pgd(1, samples=0),
        lambda: Pgd(1, step_share=0.0),
        lambda: Pgd(1, 2, random_start=False),
    ],
)
def test_attacks_that_cannot_be_are_refused(make: Callable[[], Pgd]) -> None:
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize(
    ("eps_255", "usable"),
    [(0.0, 0), (0.99, 0), (1.5, 1), (0.29 * 100, 29), (8.0, 8), (300.0, 255), (float("inf"), 255)],
)
def test_pictures_use_whole_budgets(eps_255: float, usable: float) -> None:
    crops = random_crops(1)
    assert usable_budget(eps_255) == usable
    pictures = quantised(crops + 1000.0, crops, eps_255)
    assert_within(pictures, crops, usable)
    assert torch.equal(pictures, (crops + usable).clamp(max=255))


@pytest.mark.parametrize("eps_255", [-1.0, float("nan")])
def test_a_budget_that_is_none_is_refused(eps_255: float) -> None:
    with pytest.raises(ValueError, match="eps_255"):
        usable_budget(eps_255)


def test_random_starts_fill_the_budget_and_are_the_same_for_all_rows() -> None:
    crops = random_crops(2, low=100, high=150)
    change = uniform_start(crops, 8.0, torch.Generator().manual_seed(0)) - crops
    assert torch.allclose(change[0], change[1], atol=1e-4)
    assert change.abs().max() == pytest.approx(8.0, abs=0.01)
    assert change.std() == pytest.approx(8 / 3**0.5, rel=0.02)


@pytest.mark.assets
def test_a_real_face_no_longer_matches_its_owner(assets: Path, models: Path) -> None:
    catalogue = Catalogue.load([models])
    detector = load_detector(catalogue.open("yunet", ModelKind.DETECTOR), size_px=640, min_score=0.6)
    network = load_network(catalogue.open("mobilefacenet", ModelKind.EMBEDDER))
    photos = sorted((assets / "faces" / "lfw-dev" / "Aaron_Sorkin").glob("*.jpg"))[:2]
    images_bgr = [read_photo(photo).image_bgr for photo in photos]
    crops_rgb = [align(image, find_faces(image, detector)[0].landmarks) for image in images_bgr]
    crops = torch.from_numpy(np.stack(crops_rgb)).permute(0, 3, 1, 2).float()
    enrolled, probe = crops[:1], crops[1:]
    objective = Objective(network, network(enrolled), Goal.DODGE)
    attacked = run(Pgd(4), probe, objective)
    assert_within(attacked, probe, 8.0)
    assert float(objective.similarity(probe)) > 0.4
    assert float(objective.similarity(attacked)) < 0.0
