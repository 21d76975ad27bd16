"""Patches stay in their region, are pictures, and do what nothing bounds them from doing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.align import ARCFACE_TEMPLATE
from pipeline.robustness.attacks.base import Attack
from pipeline.robustness.attacks.patch import PatchAttack, Region
from pipeline.robustness.objective import Objective
from pipeline.robustness.threat import Goal
from tests.contracts.attack import AttackContract, random_crops, run, toy_objective

SHARES = {Region.GLASSES: 0.073, Region.FOREHEAD: 0.080, Region.MASK: 0.249}
"""As the docstrings say."""


def covers(region: Region, landmark: int) -> bool:
    x, y = ARCFACE_TEMPLATE[landmark].round().astype(int)
    return bool(region.mask()[y, x])


class TestRegions:
    @pytest.mark.parametrize("region", list(Region))
    def test_the_share_of_the_crop_is_the_documented_one(self, region: Region) -> None:
        assert region.mask().shape == (112, 112)
        assert region.mask().dtype == np.bool_
        assert float(region.mask().mean()) == pytest.approx(SHARES[region], abs=5e-4)

    def test_glasses_leave_the_eyes_clear_and_surround_them(self) -> None:
        assert not any(covers(Region.GLASSES, landmark) for landmark in range(5))
        for x, y in ARCFACE_TEMPLATE[:2].round().astype(int):
            mask = Region.GLASSES.mask()
            assert mask[y, :x].any()
            assert mask[y, x:].any()
            assert mask[:y, x].any()
            assert mask[y:, x].any()

    def test_the_sticker_is_above_the_eyes(self) -> None:
        rows = np.nonzero(Region.FOREHEAD.mask().any(axis=1))[0]
        assert rows.min() > 0
        assert rows.max() < ARCFACE_TEMPLATE[:2, 1].min() - 10

    def test_the_mask_covers_nose_and_mouth_and_not_the_eyes(self) -> None:
        assert [covers(Region.MASK, landmark) for landmark in range(5)] == [False, False, True, True, True]


@pytest.mark.parametrize("region", list(Region))
class TestPatchKeepsTheContract(AttackContract):
    @pytest.fixture
    def attack(self, region: Region) -> Attack:
        return PatchAttack(region, steps=12)

    @pytest.mark.parametrize("eps_255", [0.0, 8.0])
    def test_the_result_is_a_picture_within_the_budget(self, attack: Attack, eps_255: float) -> None:
        """The budget of a patch is its region; `eps_255` means nothing to it."""
        assert isinstance(attack, PatchAttack)
        crops = random_crops(2)
        attacked = run(attack, crops, toy_objective(Goal.DODGE, 2), eps_255)
        outside = ~torch.from_numpy(attack.region.mask())
        assert torch.equal(attacked[..., outside], crops[..., outside])
        assert torch.equal(attacked, attacked.round())
        assert ((attacked >= 0) & (attacked <= 255)).all()
        assert (attacked - crops).abs().max() > 200


class TestPatch:
    def test_the_budget_is_ignored(self) -> None:
        attack, crops = PatchAttack(Region.FOREHEAD, steps=5), random_crops(1)
        objective = toy_objective(Goal.DODGE, 1)
        assert torch.equal(run(attack, crops, objective, 0.0), run(attack, crops, objective, 16.0))

    def test_where_painting_the_region_black_is_best_it_becomes_black(self) -> None:
        def brightness(crops: torch.Tensor) -> torch.Tensor:
            angle = crops.mean((1, 2, 3)) / 255.0
            return torch.stack([angle.sin(), angle.cos()], dim=1)

        objective = Objective(brightness, torch.tensor([[1.0, 0.0]]), Goal.DODGE)
        attacked = run(PatchAttack(Region.MASK, steps=60), random_crops(1), objective)
        assert (attacked[..., torch.from_numpy(Region.MASK.mask())] == 0).all()

    def test_more_starts_are_never_worse(self) -> None:
        crops, objective = random_crops(4), toy_objective(Goal.IMPERSONATE, 4)
        once = objective.loss(run(PatchAttack(Region.GLASSES, steps=10), crops, objective))
        often = objective.loss(run(PatchAttack(Region.GLASSES, steps=10, starts=3), crops, objective))
        assert (often >= once - 1e-6).all()
        assert often.mean() > once.mean()

    def test_a_crop_that_no_patch_improves_is_handed_back(self) -> None:
        def changed(crops: torch.Tensor) -> torch.Tensor:
            return 1e3 * (crops - 100.0).abs().mean((1, 2, 3))

        crops = torch.full((1, 3, 112, 112), 100.0)
        objective = Objective(
            toy_objective(Goal.DODGE, 1).network, torch.ones(1, 16) / 4, Goal.DODGE, penalty=changed
        )
        assert torch.equal(run(PatchAttack(Region.FOREHEAD, steps=3), crops, objective), crops)

    def test_names_tell_region_and_strength(self) -> None:
        assert PatchAttack(Region.MASK, steps=50, starts=2).name == "patch-mask-50x2"
