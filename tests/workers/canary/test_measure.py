"""What a measurement finds, with small networks: who is attacked, held against whom, and in which order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.robustness.threat import ThreatModel
from tests.toys import toy_photo
from tests.workers.canary.faces import QUICK, Toy, faces, real_gallery, session
from workers.canary.attackers import AttackPlan, attackers_of, cosine_purifiers
from workers.canary.measure import TOGETHER
from workers.canary.numbers import Numbers
from workers.canary.records import Measured
from workers.canary.sample import digest_of, in_turn

SEED = 5
PEOPLE = 3


@pytest.fixture(scope="module")
def measured(toy: Toy) -> Measured:
    return session(toy.networks).measure(faces(PEOPLE), SEED, 100.0)


def test_every_probe_under_every_condition(measured: Measured) -> None:
    conditions = Counter(result.condition for result in measured.results)
    assert set(conditions.values()) == {2 * PEOPLE}
    assert Counter((one.threat_model, one.goal, one.purified) for one in conditions) == Counter(
        [
            *[("T0", "none", purified) for purified in (True, False)],
            *[("T2a", goal, purified) for goal in ("dodge", "impersonate") for purified in (True, False)],
            *[(model, goal, True) for model in ("T2b", "T4") for goal in ("dodge", "impersonate")],
        ]
    )
    assert {one.eps_255 for one in conditions if one.threat_model is ThreatModel.EMBEDDER} == {8.0}
    assert (
        measured.circumstances.probed == measured.circumstances.probes == len(measured.probed) == 2 * PEOPLE
    )


def test_the_attack_succeeds_without_the_purifier_and_not_as_a_whole_behind_it(measured: Measured) -> None:
    numbers = Numbers.of(measured.results)
    shares = [numbers.attacked(ThreatModel.EMBEDDER, purified) for purified in (False, True)]
    clean = [numbers.clean(purified) for purified in (False, True)]
    assert None not in shares
    assert [share.value for share in clean if share is not None] == [1.0, 1.0]
    bare, behind = (share.value for share in shares if share is not None)
    assert bare <= 0.25
    assert behind >= bare + 0.25


def test_evidence_is_measured_behind_the_purifier_only(measured: Measured) -> None:
    assert {one.suspected is None for one in measured.results if not one.condition.purified} == {True}
    assert {one.suspected is None for one in measured.results if one.condition.purified} == {False}


def test_the_same_seed_finds_the_same(toy: Toy, measured: Measured) -> None:
    again = session(toy.networks).measure(faces(PEOPLE), SEED, 0.0)
    first = [one for one in measured.results if one.photo_id in again.probed]
    assert again.results == first


def test_without_a_purifier_there_is_only_who_knows_the_embedder(toy: Toy) -> None:
    found = session(toy.without).measure(faces(2), SEED, 100.0)
    assert {one.condition.threat_model for one in found.results} == {
        ThreatModel.CORRUPTION,
        ThreatModel.EMBEDDER,
    }
    assert not any(one.condition.purified for one in found.results)
    assert (found.circumstances.purifier, found.circumstances.bare) == ("none", None)


def test_one_canary_alone_is_only_told_apart_from_the_gallery(toy: Toy) -> None:
    found = session(toy.networks, plan=QUICK).measure(faces(1, 2), SEED, 100.0)
    assert {one.condition.goal for one in found.results} == {"none", "dodge"}


def test_nobody_to_attack(toy: Toy) -> None:
    with pytest.raises(UsageError, match="there are no canaries to attack"):
        session(toy.networks).measure([], SEED, 1.0)


def test_a_budget_that_is_used_up_ends_between_two_groups(toy: Toy) -> None:
    found = session(toy.networks, plan=QUICK).measure(faces(PEOPLE), SEED, 0.0)
    assert len(found.probed) == TOGETHER
    assert {one.photo_id for one in found.results} == set(found.probed)


def test_distractors_are_everybody_but_who_looks_like_a_canary(toy: Toy) -> None:
    embedder = toy.networks.plain
    real = real_gallery(
        embedder,
        [("same", toy_photo(0, 9)), ("same", toy_photo(77, 1)), ("other", toy_photo(50, 1))],
    )
    before = real.vectors.copy(), real.template_ids.copy()
    of = session(toy.networks, real, QUICK).measure(faces(2), SEED, 0.0).circumstances
    assert (of.distractors, of.left_out, of.gallery_epoch) == (1, 1, 7)
    assert np.array_equal(before[0], real.vectors)
    assert np.array_equal(before[1], real.template_ids)


def test_a_distractor_can_be_named_and_that_is_a_false_name(toy: Toy) -> None:
    """A probe that shows somebody of the real gallery: whoever it is said to be."""
    real = real_gallery(toy.networks.plain, [("other", toy_photo(50, 1))])
    swapped = [
        replace(face, crop_rgb=toy_photo(50, 2)) if face.photo_id == "p0-1" else face for face in faces(2)
    ]
    found = session(toy.networks, real, QUICK).measure(swapped, SEED, 100.0)
    clean = {
        one.photo_id: one for one in found.results if one.condition.goal == "none" and one.condition.purified
    }
    assert (clean["p0-1"].correct, clean["p0-1"].false_name) == (False, True)
    assert (clean["p0-2"].correct, clean["p0-2"].false_name) == (True, False)


def test_those_that_waited_longest_come_first() -> None:
    waiting = [replace(face, probed_at=None if "p1" in face.photo_id else "2023") for face in faces(3)]
    order = [probe.face.photo_id for probe in in_turn(waiting, SEED)]
    assert order == ["p1-1", "p1-2", "p0-1", "p0-2", "p2-1", "p2-2"]
    assert all(probe.target != probe.face.canary_id for probe in in_turn(waiting, SEED))
    assert {probe.target for seed in range(20) for probe in in_turn(waiting, seed)} == {"c0", "c1", "c2"}


def test_over_a_day_all_have_their_turn(toy: Toy) -> None:
    everyone = faces(5)
    turns: Counter[str] = Counter()
    for hour in range(6):
        probed = session(toy.without, plan=QUICK).measure(everyone, hour, 0.0).probed
        turns.update(probed)
        everyone = [replace(f, probed_at=f"{hour}") if f.photo_id in probed else f for f in everyone]
    assert len(turns) == 10
    assert max(turns.values()) - min(turns.values()) <= 1


def test_another_canary_is_another_set() -> None:
    assert digest_of(faces(2)) == digest_of(list(reversed(faces(2)))) != digest_of(faces(3))


def test_who_attacks_a_purifier(toy: Toy) -> None:
    networks = toy.networks
    found = attackers_of(networks.network, networks.purifier, AttackPlan())
    assert [(one.threat_model, one.label) for one in found] == [
        ("T2a", "pgd-10x1"),
        ("T2b", "mi-fgsm-10 through all of them"),
        ("T4", "pgd-10x1"),
    ]
    assert list(cosine_purifiers()) == ["cosines-800", "cosines-300"]


@pytest.mark.parametrize("wrong", [{"eps_255": 0.0}, {"adaptive_eps_255": 256.0}, {"steps": 0}])
def test_what_is_no_attack(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="budgets must be"):
        AttackPlan(**wrong)  # type: ignore[arg-type]
