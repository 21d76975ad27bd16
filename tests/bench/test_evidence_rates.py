"""Attack evidence of toy people: measured, recorded by thresholds, and printed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.evidence_crops import Condition, Measured, Size, unattacked_of
from bench.evidence_rates import Recorder, Threshold, measure, number_or_all, thresholds_of
from bench.pin_card import unattacked, versions
from pipeline.embed.evidence import explained_shift
from pipeline.robustness.defence import Defence
from pipeline.robustness.detection_rates import DetectionRate, TakenOff
from pipeline.robustness.examples import ExampleStore
from pipeline.robustness.faces import FacePack
from pipeline.robustness.protocol import Split
from pipeline.robustness.results import CLEAN
from pipeline.robustness.threat import Goal, ThreatModel
from tests.toys import FOLDS, PEOPLE_A_FOLD, PHOTOS_A_PERSON, ToyEmbedder, toy_pack, toy_photo

PHOTOS = PEOPLE_A_FOLD * PHOTOS_A_PERSON
SMALL = Size(photographs=8, pairs=6, steps=2, seed=3)
COMMAND = f"python -m bench.evidence_rates {SMALL}"


class Blur(nn.Module):
    """Keeps the means of blocks."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self._side = side

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(functional.avg_pool2d(crops_rgb, self._side), scale_factor=self._side)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> FacePack:
    return toy_pack(tmp_path_factory.mktemp("faces") / "faces.npz")


@pytest.fixture(scope="module")
def defence() -> Defence:
    return Defence("blur", "toy", Blur(4), ToyEmbedder().eval().requires_grad_(False))


@pytest.fixture(scope="module")
def measured(pack: FacePack, defence: Defence) -> list[DetectionRate]:
    tracks = ("some.mp4", np.array([0.0, 0.1, 1.9]))
    surrogates = {"coarse": Blur(8), "coarser": Blur(16)}
    store = ExampleStore(None)
    found = measure(pack, defence, surrogates, store, SMALL, command=COMMAND, tracks=tracks)
    return [rate for rates in found for rate in rates]


def crops_of(shift: list[float], people: list[str]) -> Measured:
    """Crops of which nothing is explained."""
    nothing = np.zeros(len(shift))
    return Measured(np.array(shift), nothing, nothing, nothing, tuple((name,) for name in people))


def test_photographs_are_all_or_a_seeded_choice(pack: FacePack, defence: Defence) -> None:
    whole = unattacked_of(pack, Split.SELECT, defence, Size())
    some, again, otherwise = (
        unattacked_of(pack, Split.SELECT, defence, Size(photographs=8, seed=seed))[CLEAN]
        for seed in (0, 0, 1)
    )
    assert list(whole) == [name for name, _ in versions(np.stack([toy_photo(0, 1)]))]
    assert {len(one.people) for one in whole.values()} == {PHOTOS}
    first = FOLDS.index(4) * PEOPLE_A_FOLD
    names = {f"Person{person}" for person in range(first, first + PEOPLE_A_FOLD)}
    assert {name for (name,) in whole[CLEAN].people} == names
    assert np.array_equal(some.shift, again.shift)
    assert len(some.people) == 8
    assert some.people != otherwise.people


def test_a_crop_is_measured_as_the_program_does(defence: Defence) -> None:
    crop = toy_photo(0, 1)
    of = Measured.of(defence, torch.from_numpy(crop).permute(2, 0, 1)[None], (("Person0",),))
    pixels = torch.from_numpy(crop).permute(2, 0, 1)[None].float()
    shift = 1 - float((defence(pixels) * defence.network(pixels)).sum())
    assert of.evidence(TakenOff.NOTHING) == pytest.approx([shift], abs=1e-6)
    assert of.evidence(TakenOff.ALL) == pytest.approx([max(shift - explained_shift(crop), 0)], abs=1e-6)
    assert of.luma == pytest.approx([(crop @ np.array([77, 150, 29]) / 256).mean()])


def test_versions_together_are_the_unattacked_crops() -> None:
    crops = np.stack([toy_photo(0, 1), toy_photo(1, 1)])
    assert np.array_equal(unattacked(crops), np.concatenate([changed for _, changed in versions(crops)]))


def test_a_threshold_holds_the_false_alarm_rate_where_it_was_set() -> None:
    chance = np.random.default_rng(0)
    select = crops_of(list(chance.uniform(0, 0.5, 1000)), ["one"] * 1000)
    score = crops_of(list(chance.uniform(0, 1.0, 1000)), ["other"] * 1000)
    found = thresholds_of(select, score)
    kinds = [(each.taken_off, each.calibrated_on) for each in found]
    assert kinds == [*((off, Split.SELECT) for off in TakenOff), (TakenOff.ALL, Split.SCORE)]
    assert (select.shift > found[2].threshold).mean() == pytest.approx(0.01)
    assert found[2].false_alarms_on_scored == pytest.approx(0.5, abs=0.05)
    assert found[3].false_alarms_on_scored == pytest.approx(0.01)


def test_intervals_are_of_people_not_of_crops() -> None:
    """Ten alike crops of a person say little more than one."""
    people = [f"person {n // 10}" for n in range(100)]
    by_person = crops_of([0.9 if n < 50 else 0.0 for n in range(100)], people)
    mixed = crops_of([0.9 if n % 2 else 0.0 for n in range(100)], people)
    recorder = Recorder("pin", "toy", [Threshold(TakenOff.ALL, Split.SELECT, 0.5, 0.02)], 0, COMMAND)
    (wide,), (narrow,) = (recorder.of_crops(Condition(CLEAN), crops) for crops in (by_person, mixed))
    assert wide.detected == narrow.detected == 0.5
    assert wide.ci_high - wide.ci_low > 2 * (narrow.ci_high - narrow.ci_low)


def test_every_condition_is_recorded_at_every_threshold(measured: list[DetectionRate]) -> None:
    identities = [rate.identity for rate in measured]
    assert len(set(identities)) == len(identities)
    assert {rate.threat_model for rate in measured} == {
        ThreatModel.CORRUPTION,
        ThreatModel.EMBEDDER,
        ThreatModel.SURROGATE,
        ThreatModel.ADAPTIVE,
    }
    attacked = [rate for rate in measured if rate.goal is not None]
    assert len(attacked) == 7 * 2 * 4  # attackers, goals, thresholds
    assert {rate.n for rate in attacked} == {SMALL.pairs}
    assert {rate.goal for rate in attacked} == {Goal.DODGE, Goal.IMPERSONATE}
    assert {(rate.seed, rate.command, rate.false_alarm_rate) for rate in measured} == {(3, COMMAND, 0.01)}


def test_false_alarms_are_those_of_all_versions_together(measured: list[DetectionRate]) -> None:
    unattacked = [
        r for r in measured if r.threat_model is ThreatModel.CORRUPTION and not r.attack.startswith("tracks")
    ]
    together = [rate for rate in unattacked if rate.attack == "clean and corrupted"]
    assert {rate.detected for rate in together} == {rate.false_alarms_on_scored for rate in together}
    for whole in together:
        parts = [
            rate
            for rate in unattacked
            if (rate.taken_off, rate.calibrated_on) == (whole.taken_off, whole.calibrated_on)
            and rate is not whole
        ]
        assert sum(part.n for part in parts) == whole.n
        assert np.mean([part.detected for part in parts]) == pytest.approx(whole.detected)


def test_tracks_of_a_clip_are_a_record_at_the_shipped_threshold(measured: list[DetectionRate]) -> None:
    (rate,) = [rate for rate in measured if rate.attack == "tracks of some.mp4"]
    assert (rate.taken_off, rate.calibrated_on) == (TakenOff.ALL, Split.SELECT)
    assert (rate.n, rate.highest) == (3, 1.9)
    assert rate.ci_low < rate.detected < rate.ci_high


def test_how_many_is_a_number_or_all() -> None:
    assert (number_or_all("all"), number_or_all("300")) == (None, 300)
    with pytest.raises(ValueError, match="invalid literal"):
        number_or_all("many")
    assert str(Size(pairs=None)) == "--photographs all --pairs all --steps 10 --seed 0"
