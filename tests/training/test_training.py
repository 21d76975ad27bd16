"""Recipes in small: they learn, they are repeatable, and they go on where they were stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.errors import UsageError
from pipeline.purify.pin import NoPurification, Pin
from pipeline.robustness.faces import FacePack, encode_crop
from pipeline.robustness.protocol import Split, person_of
from tests.toys import ToyEmbedder, toy_photo
from training import harden
from training.adversarial import AdversarialOptions, AdversarialStage
from training.adversarial_loss import apart, inner_attack, misjudged, neighbourhood
from training.attack_pool import PIECE, AttackPool, PoolOptions, Surrogates
from training.bank import TeacherBank, make_bank
from training.fit_adaptive import untrained_pin
from training.people import People
from training.pin import PinOptions, PinProgress, PinTraining
from training.selection import Selection, can_select
from training.views import nuisance, view_batch

CPU = torch.device("cpu")
POOL = PoolOptions(examples=64, attack_steps=2)


def toy_embedder(seed: int = 0) -> ToyEmbedder:
    return ToyEmbedder(seed).eval().requires_grad_(False)


def rows_of(pack: FacePack) -> list[int]:
    return pack.rows_of(Split.TRAIN) + pack.rows_of(Split.SELECT)


def people_of(pack: FacePack) -> People:
    rows = rows_of(pack)
    return People(rows, [person_of(pack.photos[row]) for row in rows])


def make_pin(pack: FacePack) -> Pin:
    crops = [pack.crop(row) for row in rows_of(pack)]
    pin, _ = untrained_pin(lambda: crops, components=120, chroma_components=30)
    return pin.eval()


def other_photograph(pack: FacePack) -> FacePack:
    """The same people and names; on the first photograph of those who train is another picture."""
    encoded = list(pack.encoded)
    encoded[rows_of(pack)[0]] = encode_crop(toy_photo(0, 99))
    return replace(pack, encoded=tuple(encoded))


def make_pool(pack: FacePack, folder: Path, pin: Pin, embedder: str = "toy") -> AttackPool:
    basis = pin.luma_basis
    surrogates = Surrogates(pin.mean, basis)  # type: ignore[arg-type]
    networks = {embedder: toy_embedder()}
    return AttackPool(
        folder, pack, people_of(pack), networks, surrogates=surrogates, options=POOL, device=CPU
    )


def training(
    pack: FacePack, folder: Path, options: PinOptions, checkpoint: Path | None, embedder: str = "toy"
) -> PinTraining:
    pin = make_pin(pack)
    pool = make_pool(pack, folder, pin, embedder)
    assert list(pool.make())[-1] == pool.total == 2
    return PinTraining(
        pin,
        {embedder: toy_embedder()},
        pool,
        POOL.pieces,
        pack=pack,
        people=people_of(pack),
        options=options,
        checkpoint=checkpoint,
        device=CPU,
    )


def test_the_pool_is_within_its_budgets_and_made_once(pack: FacePack, tmp_path: Path) -> None:
    pool = make_pool(pack, tmp_path, make_pin(pack))
    list(pool.make())
    piece = pool.piece("toy", 1)
    assert piece.attacked.shape == (PIECE, 3, 112, 112)
    assert piece.genuine.sum() == PIECE // 2
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    list(pool.make())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_other_photographs_or_weights_make_another_pool(pack: FacePack, tmp_path: Path) -> None:
    pin = make_pin(pack)
    list(make_pool(pack, tmp_path, pin).make())
    first = {path.name for path in tmp_path.iterdir()}
    list(make_pool(other_photograph(pack), tmp_path, pin).make())
    list(make_pool(pack, tmp_path, pin, "toy@2").make())
    assert len({path.name for path in tmp_path.iterdir()}) == 3 * len(first)


def test_a_digest_is_of_names_places_and_crops(pack: FacePack) -> None:
    rows = rows_of(pack)
    assert pack.digest(rows) == replace(pack).digest(rows)
    renamed = replace(pack, photos=("Somebody_0001", *pack.photos[1:]))
    others = [renamed.digest(rows), other_photograph(pack).digest(rows), pack.digest(rows[1:])]
    assert len({pack.digest(rows), *others}) == 4


def test_the_inner_attack_keeps_each_rows_budget_and_helps_the_attacker(pack: FacePack) -> None:
    network, crops = toy_embedder(), pack.batch([0, 3, 6, 9])
    targets = network(pack.batch([1, 4, 0, 3]))
    sign, budget = torch.tensor([-1.0, -1.0, 1.0, 1.0]), torch.tensor([0.0, 3.5, 8.0, 1.0])
    generator = torch.Generator().manual_seed(0)
    attacked = inner_attack(network, crops, targets, sign, eps_255=budget, steps=4, generator=generator)
    change = (attacked - crops).abs().amax((1, 2, 3))
    assert torch.equal(attacked, attacked.round())
    assert (change <= budget).all()
    assert change[0] == 0
    gain = ((network(attacked) - network(crops)) * targets).sum(1) * sign
    assert (gain[1:] > 0).all()


def test_training_gains_under_attack_and_costs_little_otherwise(pack: FacePack, tmp_path: Path) -> None:
    run = training(pack, tmp_path, PinOptions(steps=40), None)
    reports: list[PinProgress] = list(run.run(report_every=10))
    assert len(reports) == 4
    assert reports[-1].attacked > reports[0].attacked
    assert reports[-1].clean_genuine > 0.7
    assert reports[-1].clean_impostor > 0.7


def test_a_stopped_training_ends_with_the_same_weights(pack: FacePack, tmp_path: Path) -> None:
    options = PinOptions(steps=6)
    whole = training(pack, tmp_path / "pool", options, None)
    list(whole.run())
    stopped = training(pack, tmp_path / "pool", options, tmp_path / "state")
    next(iter(stopped.run(report_every=3)))
    stopped.keep()
    resumed = training(pack, tmp_path / "pool", options, tmp_path / "state")
    assert resumed.step == 3
    list(resumed.run())
    for one, other in zip(weights_of(whole), weights_of(resumed), strict=True):
        assert torch.equal(one, other)


def weights_of(run: PinTraining) -> list[torch.Tensor]:
    return [value.detach() for value in run.selector.network.parameters()]


def test_a_checkpoint_of_another_recipe_is_refused(pack: FacePack, tmp_path: Path) -> None:
    training(pack, tmp_path / "pool", PinOptions(steps=6), tmp_path / "state").keep()
    with pytest.raises(UsageError, match="steps"):
        training(pack, tmp_path / "pool", PinOptions(steps=7), tmp_path / "state")
    with pytest.raises(UsageError, match="photographs"):
        training(other_photograph(pack), tmp_path / "pool", PinOptions(steps=6), tmp_path / "state")
    with pytest.raises(UsageError, match="embedders 'toy@2'"):
        training(pack, tmp_path / "pool", PinOptions(steps=6), tmp_path / "state", "toy@2")


def adversarial(
    pack: FacePack,
    checkpoint: Path | None,
    views: int = 48,
    *,
    embedder: str = "toy",
    purifier: NoPurification | Pin | None = None,
    select_every: int = 0,
) -> AdversarialStage:
    options = AdversarialOptions(
        views=views,
        batch=12,
        budget_max_255=16.0,
        attack_steps=2,
        last_attack_steps=2,
        learning_rate=2e-3,
        select_every=select_every,
        select_pairs=4,
    )
    bank = make_bank(toy_embedder(), pack, CPU)
    return AdversarialStage(
        ToyEmbedder(),
        purifier or NoPurification(),
        bank,
        pack,
        embedder=embedder,
        options=options,
        checkpoint=checkpoint,
        device=CPU,
    )


def test_the_adversarial_stage_learns(pack: FacePack) -> None:
    reports = list(adversarial(pack, None, views=12 * 60).run(report_every=15))
    assert reports[-1].attacked_loss < 0.9 * reports[0].attacked_loss


def test_the_adversarial_stage_goes_on_where_it_was(pack: FacePack, tmp_path: Path) -> None:
    whole = adversarial(pack, None)
    list(whole.run())
    stopped = adversarial(pack, tmp_path / "state")
    next(iter(stopped.run(report_every=2)))
    stopped.keep()
    resumed = adversarial(pack, tmp_path / "state")
    assert resumed.step == 2
    list(resumed.run())
    for name, value in whole.averaged.items():
        assert torch.equal(value, resumed.averaged[name]), name


class Scripted:
    """In place of the attacks on fold 4: what is withstood, in order."""

    pairs = 4

    def __init__(self, *withstood: float) -> None:
        self._left = list(withstood)

    def withstood(self, student: nn.Module) -> float:
        assert not any(weight.requires_grad for weight in student.parameters())
        return self._left.pop(0)


def scripted(stage: AdversarialStage, *withstood: float) -> AdversarialStage:
    stage._selection = Scripted(*withstood)  # type: ignore[assignment]
    return stage


def test_the_weights_that_withstand_most_are_kept(pack: FacePack) -> None:
    """Four steps, of which the second is the best, and the fourth no better than that."""
    whole = scripted(adversarial(pack, None, select_every=1), 0.2, 0.8, 0.4, 0.8)
    averaged = [
        {name: value.clone() for name, value in whole.averaged.items()} for _ in whole.run(report_every=1)
    ]
    assert len(averaged) == 4
    assert all(torch.equal(value, averaged[1][name]) for name, value in whole.weights.items())
    assert not all(torch.equal(value, averaged[3][name]) for name, value in whole.weights.items())
    assert "step 2, with which 80.0% of 4 pairs of fold 4 withstand apgd-10x1 at 2/255" in whole.choice


def test_a_stopped_stage_remembers_the_best_weights(pack: FacePack, tmp_path: Path) -> None:
    stopped = scripted(adversarial(pack, tmp_path / "state", select_every=1), 0.8, 0.4)
    next(iter(stopped.run(report_every=2)))
    stopped.keep()
    resumed = scripted(adversarial(pack, tmp_path / "state", select_every=1), 0.1, 0.1)
    list(resumed.run())
    assert resumed.selected is not None
    assert (resumed.selected.step, resumed.selected.accuracy) == (1, 0.8)
    assert all(torch.equal(value, stopped.weights[name]) for name, value in resumed.weights.items())


class Blurring(nn.Module):
    """Takes away whatever is small, and so most of a perturbation."""

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(crops, 9, 1, 4, count_include_pad=False)


def test_selection_attacks_fold_4_through_purifier_and_student(pack: FacePack) -> None:
    bare, blurred = (
        Selection(pack, purifier, pairs=50, seed=0, device=CPU) for purifier in (NoPurification(), Blurring())
    )
    assert bare.pairs == 15, "the fold has 18 genuine pairs and 15 impostors"
    assert bare.withstood(toy_embedder()) < 0.3
    assert blurred.withstood(toy_embedder()) > 0.7
    assert can_select(pack)
    assert not can_select(replace(pack, pairs=tuple(pair for pair in pack.pairs if pair.same)))


def test_selection_is_a_tenth_of_the_steps_unless_said_otherwise() -> None:
    options = AdversarialOptions(views=6400, batch=64)
    assert (options.steps, options.selection_interval) == (100, 10)
    assert replace(options, select_every=7).selection_interval == 7
    command = ["--faces", "faces.npz", "--models", "m", "--purifier", "pin", "--out", "o"]
    assert harden.parse(command).select_every is None
    assert harden.parse([*command, "--select-every", "7"]).select_every == 7


def test_without_pairs_of_fold_4_the_last_weights_are_taken(pack: FacePack) -> None:
    stage = adversarial(replace(pack, pairs=()), None, select_every=2)
    list(stage.run())
    assert all(torch.equal(value, stage.averaged[name]) for name, value in stage.weights.items())
    assert stage.choice == "the last averaged weights, for want of pairs of fold 4 to select by"
    assert adversarial(pack, None).choice == "the last averaged weights"


def test_the_adversarial_stage_goes_on_with_what_it_began_with(pack: FacePack, tmp_path: Path) -> None:
    adversarial(pack, tmp_path / "state").keep()
    with pytest.raises(UsageError, match="photographs"):
        adversarial(other_photograph(pack), tmp_path / "state")
    with pytest.raises(UsageError, match="embedder 'toy@2'"):
        adversarial(pack, tmp_path / "state", embedder="toy@2")
    with pytest.raises(UsageError, match="purifier 'pinwatch'"):
        adversarial(pack, tmp_path / "state", purifier=make_pin(pack))


def test_the_bank_knows_who_is_somebody_else(pack: FacePack) -> None:
    bank = make_bank(toy_embedder(), pack, CPU)
    index = torch.arange(len(bank))
    nearest = bank.nearest_others(index)
    own = [(nearest[n] - bank.upright[bank.person == bank.person[n]]).abs().sum(1).min() for n in index]
    assert min(float(distance) for distance in own) > 1e-3
    mirror = torch.zeros(len(bank), dtype=torch.bool)
    assert torch.equal(bank.targets(index, mirror), bank.upright)
    assert torch.equal(bank.targets(index, ~mirror), bank.mirrored)


def test_losses_are_zero_where_nothing_differs() -> None:
    vectors = nn.functional.normalize(torch.randn(4, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    assert torch.allclose(apart(vectors, vectors), torch.zeros(4), atol=1e-6)
    assert torch.allclose(neighbourhood(vectors, vectors, vectors), torch.zeros(4), atol=1e-6)
    assert (neighbourhood(vectors, vectors.flip(0), vectors) > 0.1).all()


def test_being_sure_of_what_is_wrong_costs() -> None:
    distance = torch.tensor([0.1, 0.6])
    assert float(misjudged(torch.tensor([0.9, 0.4]), distance)) == pytest.approx(0.0, abs=1e-9)
    assert float(misjudged(torch.tensor([0.9, 0.9]), distance)) == pytest.approx(0.125)
    assert float(misjudged(None, distance)) == 0.0


def test_views_are_pictures_and_depend_on_the_seed_alone() -> None:
    crop = toy_photo(0, 1)
    views = [nuisance(crop, np.random.default_rng(seed)) for seed in range(40)]
    again = [nuisance(crop, np.random.default_rng(seed)) for seed in range(40)]
    assert all(np.array_equal(a, b) for a, b in zip(views, again, strict=True))
    assert all(view.shape == crop.shape and view.dtype == np.uint8 for view in views)
    unchanged = sum(np.array_equal(view, crop) for view in views)
    assert 5 < unchanged < 35
    assert view_batch([crop, crop], np.random.default_rng(0)).shape == (2, 3, 112, 112)


def test_training_needs_two_people_and_two_photographs_of_one() -> None:
    with pytest.raises(UsageError, match="two people"):
        People([0, 1], ["Ann", "Ann"])
    with pytest.raises(UsageError, match="two photographs"):
        People([0, 1], ["Ann", "Bob"])


def test_pairs_are_of_one_person_or_of_two(pack: FacePack) -> None:
    people, random = people_of(pack), np.random.default_rng(0)
    for same in (True, False):
        pairs = [people.pair(same=same, random=random) for _ in range(20)]
        assert all((people.name(a) == people.name(b)) == same and a != b for a, b in pairs)


def test_the_bank_holds_only_those_who_train(pack: FacePack) -> None:
    bank: TeacherBank = make_bank(toy_embedder(), pack, CPU)
    assert sorted(bank.rows.tolist()) == pack.rows_of(Split.TRAIN)
