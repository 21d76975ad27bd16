"""A whole evaluation in small: everything of a plan is attacked, recorded, kept, and taken up again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.embed.evidence import explained_shift
from pipeline.errors import UsageError
from pipeline.purify.fit import BasisKind, FitOptions, fit_pin
from pipeline.purify.load import sampling
from pipeline.purify.paper import initial_selector
from pipeline.purify.pin import NoPurification, Pin
from pipeline.purify.selector import Threshold, TopK
from pipeline.robustness.attackers import (
    Attacker,
    adaptive_attackers,
    embedder_attackers,
    evidence_penalty,
    explained,
    gain_steering,
    identity_backward,
    surrogate_attackers,
)
from pipeline.robustness.attacks.gradient import Fgsm, Pgd
from pipeline.robustness.defence import Defence, all_pairs, verify
from pipeline.robustness.evaluate import Evaluation
from pipeline.robustness.examples import ExampleStore, attacked
from pipeline.robustness.faces import FacePack
from pipeline.robustness.objective import Network
from pipeline.robustness.plan import SMOKE
from pipeline.robustness.protocol import Split
from pipeline.robustness.recorder import Pools
from pipeline.robustness.results import CLEAN, WORST, Result
from pipeline.robustness.threat import Goal, ThreatModel
from pipeline.robustness.trial import Scorer, open_set_trial, pair_trial
from tests.toys import ToyEmbedder

CPU = torch.device("cpu")


def fitted_pin(pack: FacePack, components: int) -> Pin:
    rows = pack.rows_of(Split.TRAIN) + pack.rows_of(Split.SELECT)
    fitted = fit_pin((pack.crop(row) for row in rows), FitOptions(components, components // 4))
    pin = Pin("pin", fitted.mean, fitted.basis, TopK(components, components), components // 4)
    return pin.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network() -> ToyEmbedder:
    return ToyEmbedder().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def defence(pack: FacePack, network: ToyEmbedder) -> Defence:
    return Defence("pin", "toy", fitted_pin(pack, 40), network)


@pytest.fixture(scope="module")
def bare(network: ToyEmbedder) -> Defence:
    return Defence("none", "toy", NoPurification(), network)


def evaluation(pack: FacePack, folder: Path | None, told: list[str]) -> Evaluation:
    return Evaluation(
        plan=SMOKE,
        pack=pack,
        surrogates={"pin-20": fitted_pin(pack, 20)},
        others={"other": ToyEmbedder(1).eval().requires_grad_(False)},
        store=ExampleStore(folder),
        device=CPU,
        command="pinwatch robustness run",
        tell=told.append,
    )


@pytest.fixture(scope="module")
def results(
    pack: FacePack, defence: Defence, bare: Defence, tmp_path_factory: pytest.TempPathFactory
) -> list[Result]:
    folder = tmp_path_factory.mktemp("examples")
    defences = [bare, defence]
    first = [result for found in evaluation(pack, folder, []).run(defences) for result in found.results]
    again = [result for found in evaluation(pack, folder, []).run(defences) for result in found.results]
    assert again == first, "what was kept gives the same records"
    return first


def of(results: list[Result], model: ThreatModel, defence: str = "pin") -> list[Result]:
    return [result for result in results if result.threat_model is model and result.defence == defence]


def test_every_threat_model_is_measured(results: list[Result]) -> None:
    assert {result.threat_model for result in results if result.defence == "pin"} == set(ThreatModel)
    assert {result.goal for result in results} == {None, *Goal}
    assert [result.attack for result in results].count(CLEAN) == 2


def test_every_identity_is_recorded_once(results: list[Result]) -> None:
    identities = [result.identity for result in results]
    assert len(set(identities)) == len(identities)


def test_the_worst_case_is_no_better_than_any_example_it_pools(results: list[Result]) -> None:
    found = of(results, ThreatModel.ADAPTIVE)
    weaker = [r for model in ThreatModel.ADAPTIVE.includes for r in of(results, model)]
    for worst in (result for result in found if result.attack == WORST):
        pooled = [r for r in weaker if (r.goal, r.eps_255) == (worst.goal, worst.eps_255)]
        assert len(pooled) > 5
        assert worst.accuracy <= min(result.accuracy for result in pooled)


def test_least_budgets_are_a_curve_that_only_falls(results: list[Result]) -> None:
    found = [r for r in of(results, ThreatModel.ADAPTIVE) if r.attack.startswith("minimum-")]
    assert {result.goal for result in found} == {Goal.DODGE, Goal.IMPERSONATE}
    for goal in (Goal.DODGE, Goal.IMPERSONATE):
        curve = sorted((result for result in found if result.goal is goal), key=lambda r: r.eps_255)
        assert [result.eps_255 for result in curve] == list(range(1, SMOKE.minimum_most_255 + 1))
        accuracies = [result.accuracy for result in curve]
        assert accuracies == sorted(accuracies, reverse=True)
        assert accuracies[0] <= curve[0].clean_accuracy


def test_everybody_is_verified_without_an_attack(pack: FacePack, results: list[Result]) -> None:
    (found,) = [r for r in of(results, ThreatModel.CORRUPTION) if r.attack.startswith("TAR at FMR")]
    people = [photo.rpartition("_")[0] for photo in pack.photos]
    rows = pack.rows_of(Split.SCORE)
    genuine = sum(people[a] == people[b] for a in rows for b in rows if a < b)
    assert found.n == genuine
    assert found.accuracy == found.clean_accuracy > 0.5


def test_examples_of_those_who_do_not_know_the_purifier_are_made_once(
    pack: FacePack, defence: Defence, bare: Defence, tmp_path: Path
) -> None:
    attacker = embedder_attackers(defence.network, [Pgd(1)])[0]
    trial = pair_trial(pack, Split.SCORE, Goal.DODGE, 2, 0)
    store = ExampleStore(tmp_path)
    one = store.get("toy", attacker, trial, 8.0, seed=0, device=CPU)
    files = sorted(tmp_path.iterdir())
    assert torch.equal(store.get("toy", attacker, trial, 8.0, seed=0, device=CPU), one)
    assert sorted(tmp_path.iterdir()) == files
    store.get("toy", attacker, trial, 4.0, seed=0, device=CPU)
    store.get("toy", attacker, trial.first(1), 8.0, seed=0, device=CPU)
    assert len(list(tmp_path.iterdir())) == len(files) + 2


def test_attacks_work_on_the_toy(pack: FacePack, bare: Defence) -> None:
    """The toy can be fooled, or nothing here would mean anything."""
    trial = pair_trial(pack, Split.SCORE, Goal.DODGE, None, 0)
    threshold = verify(bare, pack, pack.pairs_of(Split.SELECT), CPU).threshold
    scorer = Scorer(bare, CPU)
    clean = scorer.right(trial, trial.probes, threshold)
    crops = attacked(Attacker(ThreatModel.EMBEDDER, Pgd(10), bare.network), trial, 32.0, 0, CPU)
    under = scorer.right(trial, crops, threshold)
    assert clean.mean() > 0.8
    assert under.mean() < 0.2
    assert (crops.int() - trial.probes.int()).abs().max() <= 32


def test_bpda_has_the_values_of_the_defence_and_the_gradient_of_the_embedder(
    pack: FacePack, defence: Defence
) -> None:
    crops = pack.batch([0, 1])
    approximate = identity_backward(defence)
    assert torch.allclose(approximate(crops), defence(crops), atol=1e-5)
    leaf = crops.clone().requires_grad_(True)
    approximate(leaf)[:, 0].sum().backward()  # type: ignore[no-untyped-call]
    purified = defence.purifier(crops).detach().requires_grad_(True)
    defence.network(purified)[:, 0].sum().backward()
    assert leaf.grad is not None
    assert purified.grad is not None
    assert torch.allclose(leaf.grad, purified.grad, atol=1e-7)


def test_penalties_are_what_they_say(pack: FacePack, defence: Defence) -> None:
    crops = pack.batch([0, 1])
    raw, purified = defence.network(crops), defence(crops)
    dark, bright = crops * 0.3, 255 - crops * 0.2
    for some in (crops, dark.floor(), bright.floor()):
        of_bytes = [explained_shift(crop.permute(1, 2, 0).byte().numpy()) for crop in some]
        assert torch.allclose(explained(some), torch.tensor(of_bytes), rtol=1e-4)
    shift = 1 - (raw * purified).sum(1) - explained(crops)
    assert torch.allclose(evidence_penalty(defence)(crops), shift, atol=1e-5)
    assert isinstance(defence.purifier, Pin)
    assert torch.allclose(gain_steering(defence.purifier)(crops), torch.tensor([-1.0, -1.0]))


def test_there_is_no_way_round_a_purifier_that_is_not_there(bare: Defence, defence: Defence) -> None:
    ways = SMOKE.confined_attack
    assert len(adaptive_attackers(bare, [Pgd(1)], ways, Pgd(1))) == 1
    labels = [attacker.label for attacker in adaptive_attackers(defence, [Pgd(1)], ways, Pgd(1))]
    assert len(set(labels)) == len(labels) == 5
    assert len(adaptive_attackers(defence, [Pgd(1)], None, Pgd(1))) == 1


def test_all_pairs_are_every_photograph_against_every_other(pack: FacePack, bare: Defence) -> None:
    found = all_pairs(bare, pack, pack.rows_of(Split.SCORE), CPU)
    assert (len(found.genuine), len(found.impostor)) == (6 * 3, 18 * 17 // 2 - 6 * 3)
    assert found.genuine.mean() > found.impostor.mean() + 0.3
    assert found.accuracy(found.threshold) > 0.9


def test_trials_are_drawn_by_seed(pack: FacePack) -> None:
    one, same, other = (pair_trial(pack, Split.SCORE, Goal.IMPERSONATE, 4, seed) for seed in (0, 0, 1))
    assert torch.equal(one.probes, same.probes)
    assert one.people != other.people
    assert all(len(set(people)) == 2 for people in one.people)
    assert torch.equal(one.first(2).probes, one.probes[:2])


def test_strangers_are_not_in_the_gallery(pack: FacePack, bare: Defence) -> None:
    trial = open_set_trial(pack, Split.SCORE, 5, 4, 0)
    assert (len(trial), len(trial.references)) == (4, 5)
    assert len(trial.first(2).references) == 5
    assert Scorer(bare, CPU).similarities(trial, trial.probes).shape == (4,)


def test_pools_hold_a_row_wrong_for_good() -> None:
    pools = Pools(clean={Goal.DODGE: np.array([True, True, False])})
    pools.add(Goal.DODGE, 8.0, ThreatModel.TRANSFER, np.array([True, False, True]))
    models = ThreatModel.EMBEDDER.includes
    assert pools.worst(Goal.DODGE, 8.0, models).tolist() == [True, False, False]
    assert pools.worst(Goal.DODGE, 4.0, models).tolist() == [True, True, False]


def test_a_larger_budget_pools_what_a_smaller_one_did() -> None:
    pools = Pools(clean={Goal.DODGE: np.array([True, True, True])})
    pools.add(Goal.DODGE, 4.0, ThreatModel.EMBEDDER, np.array([False, True, True]))
    pools.add(Goal.DODGE, 8.0, ThreatModel.EMBEDDER, np.array([True, False, True]))
    assert pools.worst(Goal.DODGE, 4.0, [ThreatModel.EMBEDDER]).tolist() == [False, True, True]
    assert pools.worst(Goal.DODGE, 8.0, [ThreatModel.EMBEDDER]).tolist() == [False, False, True]


def test_other_weights_are_attacked_anew(pack: FacePack, defence: Defence, tmp_path: Path) -> None:
    trial, store = pair_trial(pack, Split.SCORE, Goal.DODGE, 2, 0), ExampleStore(tmp_path)
    retrained = Defence(defence.name, defence.embedder, defence.purifier, ToyEmbedder(3).eval())
    for each in (defence, retrained):
        (attacker,) = adaptive_attackers(each, [Pgd(1)], None, Pgd(1))
        store.get("toy+pin", attacker, trial, 8.0, seed=0, device=CPU)
    assert len(list(tmp_path.iterdir())) == 2


def hard(pack: FacePack, network: ToyEmbedder, level: float) -> Defence:
    pin = fitted_pin(pack, 40)
    pin.selector = Threshold(level)
    return Defence("threshold", "toy", pin, network)


def test_hard_masks_are_attacked_as_if_they_were_smooth(pack: FacePack, network: ToyEmbedder) -> None:
    defence = hard(pack, network, 0.5)
    _, attacker = adaptive_attackers(defence, [Pgd(1)], None, Pgd(2))
    crops = pack.batch([0, 1])
    assert torch.equal(attacker.network(crops), defence(crops))

    def slope(chain: Network) -> torch.Tensor:
        leaf = crops.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(chain(leaf)[:, 0].sum(), leaf)
        return gradient

    assert not torch.allclose(slope(attacker.network), slope(defence), rtol=0.01)


def test_what_samples_is_averaged_over(pack: FacePack, network: ToyEmbedder) -> None:
    fitted = fit_pin((pack.crop(row) for row in range(24)), FitOptions(12, 3, BasisKind.EIGEN))
    selector = initial_selector(12, 0, width=1 / 32)
    pin = Pin("paper", fitted.mean, fitted.basis, selector, 3).eval().requires_grad_(False)
    sampled = Defence("paper+sampled", "toy", sampling(pin, 0), network)
    crops = pack.batch([0])
    assert not Defence("paper", "toy", pin, network).random
    assert sampled.random
    assert not torch.equal(sampled(crops), sampled(crops))
    assert SMOKE.averaging().way_attack().name == "pgd-2x1-eot8"
    with pytest.raises(UsageError, match="kind paper"):
        sampling(NoPurification(), 0)


def test_what_was_not_corrupted_has_no_worst_corruption(pack: FacePack, bare: Defence) -> None:
    plan = replace(SMOKE, severities=(), budgets_255=(), adaptive_budgets_255=(), strangers=0, patch_pairs=0)
    brief = replace(evaluation(pack, None, []), plan=replace(plan, query_pairs=0, minimum_pairs=0))
    (found,) = brief.run([bare])
    assert WORST not in {result.attack for result in found.results}


def test_the_gallery_is_attacked_under_every_threat_model_of_gradients(results: list[Result]) -> None:
    worst = [r for r in results if r.goal is Goal.ANYONE and r.attack == WORST and r.defence == "pin"]
    assert {result.threat_model for result in worst} == set(ThreatModel.ADAPTIVE.includes)


def test_surrogates_are_attacked_singly_and_together(pack: FacePack, network: ToyEmbedder) -> None:
    surrogates = {f"pin-{count}": fitted_pin(pack, count) for count in (10, 20)}
    attackers = surrogate_attackers(network, surrogates, [Pgd(1), Fgsm()], Pgd(2))
    assert [attacker.label for attacker in attackers] == [
        "pgd-1x1 through pin-10",
        "fgsm through pin-10",
        "pgd-1x1 through pin-20",
        "fgsm through pin-20",
        "pgd-2x1 through all of them",
    ]
    first, second = pack.batch([0]), pack.batch([1])
    together = attackers[-1].network
    cosines = [(chain.network(first) * chain.network(second)).sum() for chain in attackers[:4:2]]
    assert torch.allclose((together(first) * together(second)).sum(), torch.stack(cosines).mean(), atol=1e-6)


def test_what_few_rows_have_is_pooled_over_those_rows() -> None:
    pools = Pools(clean={Goal.DODGE: np.array([True, True, True])})
    pools.add(Goal.DODGE, 2.0, ThreatModel.EMBEDDER, np.array([False, True, True]))
    pools.add(Goal.DODGE, 2.0, ThreatModel.ADAPTIVE, np.array([True, True]))
    assert pools.worst(Goal.DODGE, 2.0, ThreatModel.ADAPTIVE.includes).tolist() == [False, True]
    assert pools.worst(Goal.DODGE, 2.0, ThreatModel.EMBEDDER.includes).tolist() == [False, True, True]
