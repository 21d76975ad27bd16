"""Attack evidence: how it is measured on a crop, fused over a track, and calibrated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from pipeline.decide import WeightedEmbedding, decide
from pipeline.embed.embedder import NetworkEmbedder, PurifiedNetwork
from pipeline.embed.evidence import (
    EXPOSURE_SHIFT,
    NOISE_SHIFT,
    USUAL_LUMA,
    EvidenceEmbedder,
    explained_shift,
    misexposure_255,
    noise_255,
    purification_shift,
)
from pipeline.embed.runtimes import TorchRuntime
from pipeline.errors import UsageError
from pipeline.evidence import ERRORS_NEEDED, calibrate_evidence, track_evidence
from pipeline.purify.pin import NoPurification
from pipeline.seams import FaceEmbedder
from pipeline.types import ByteArray, Embedding, Match, Outcome, TemplateKey, Thresholds
from tests.contracts.embedder import EmbedderContract, vectors

BARE = TemplateKey("toy@00000000", "none")
PURIFIED = TemplateKey("toy@00000000", "smooth@11111111")
DIM = 16
EPS = 8.0


class Toy(nn.Module):
    """A fixed random projection of the crop, which sees every pixel."""

    weight: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        coarse = torch.randn(DIM, 3, 7, 7, generator=generator).repeat_interleave(16, 2)
        fine = 5.0 * torch.randn(DIM, 3, 112, 112, generator=generator)
        self.register_buffer("weight", coarse.repeat_interleave(16, 3) + fine)

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        return functional.normalize(functional.conv2d(crops_rgb / 127.5 - 1, self.weight).flatten(1), dim=1)


class Smooth(nn.Module):
    """Keeps the means of 8x8 blocks, in which toy faces differ, and nothing finer."""

    def forward(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        coarse = functional.avg_pool2d(crops_rgb, 8)
        return coarse.repeat_interleave(8, 2).repeat_interleave(8, 3)


def toy_face(person: int) -> ByteArray:
    """uint8 (112, 112, 3): coarse cells under a little noise."""
    chance = np.random.default_rng(person)
    cells = chance.uniform(40, 215, (7, 7, 3)).repeat(16, 0).repeat(16, 1)
    return np.asarray(np.clip(cells + chance.normal(0, 3, (112, 112, 3)), 0, 255), np.uint8)


def attacked(face: ByteArray) -> ByteArray:
    """The crop within `EPS` whose bare embedding is least like the clean one's, to first order."""
    pixels = torch.from_numpy(face.astype(np.float32)).permute(2, 0, 1)[None].requires_grad_(True)
    network = Toy()
    (gradient,) = torch.autograd.grad((network(pixels) * network(255 - pixels.detach())).sum(), pixels)
    moved = (pixels.detach() + EPS * gradient.sign()).clamp(0, 255).round()
    return moved[0].permute(1, 2, 0).numpy().astype(np.uint8)


def network_embedder(key: TemplateKey, purifier: nn.Module) -> NetworkEmbedder:
    return NetworkEmbedder(key, DIM, TorchRuntime(PurifiedNetwork(purifier, Toy()), device="cpu", batch=4))


@pytest.fixture(scope="module")
def toy() -> EvidenceEmbedder:
    return EvidenceEmbedder(network_embedder(PURIFIED, Smooth()), network_embedder(BARE, NoPurification()))


class TestEvidenceEmbedder(EmbedderContract):
    """An embedder like any other, which also fills in the shift."""

    @pytest.fixture
    def embedder(self, toy: EvidenceEmbedder) -> FaceEmbedder:
        return toy

    @pytest.fixture
    def crops(self) -> list[ByteArray]:
        return [toy_face(person) for person in range(5)]

    def test_the_vectors_are_the_purified_ones_to_the_bit(
        self, embedder: FaceEmbedder, crops: list[ByteArray]
    ) -> None:
        purified = network_embedder(PURIFIED, Smooth()).embed(crops)
        assert np.array_equal(vectors(embedder.embed(crops)), vectors(purified))
        assert {item.purification_shift for item in purified} == {None}

    def test_the_shift_is_the_distance_to_the_bare_embedding(
        self, embedder: FaceEmbedder, crops: list[ByteArray]
    ) -> None:
        bare = vectors(network_embedder(BARE, NoPurification()).embed(crops))
        cosines = (vectors(embedder.embed(crops)) * bare).sum(axis=1)
        shifts = [item.purification_shift for item in embedder.embed(crops)]
        explained = [explained_shift(crop) for crop in crops]
        assert shifts == pytest.approx(np.maximum(1.0 - cosines - explained, 0.0), abs=1e-5)


@pytest.mark.parametrize(
    ("bare", "complaint"),
    [
        (TemplateKey("other@00000000", "none"), "not the same network"),
        (TemplateKey("toy@00000000", "none", "arcface-224-v1"), "not the same network"),
        (PURIFIED, "both are smooth@11111111"),
    ],
    ids=["another network", "another geometry", "the same purifier"],
)
def test_what_cannot_be_compared_is_refused(bare: TemplateKey, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        EvidenceEmbedder(network_embedder(PURIFIED, Smooth()), network_embedder(bare, NoPurification()))


def test_the_shift_stays_in_its_bounds() -> None:
    one = np.array([0.6, 0.8], np.float32)
    assert purification_shift(one, one, 0.0) == pytest.approx(0.0, abs=1e-9)
    assert purification_shift(one, np.array([-0.8, 0.6], np.float32), 0.0) == pytest.approx(1.0)
    assert purification_shift(one, -one, 0.0) == pytest.approx(2.0, abs=1e-9)
    nearly = np.array([0.6, 0.80000001], np.float32) * np.float32(1.0005)
    assert 0.0 <= purification_shift(one, nearly, 0.0) <= 2.0
    assert purification_shift(one, nearly, 50.0) == 0.0


def test_what_is_explained_is_taken_off() -> None:
    one, other = np.array([0.6, 0.8], np.float32), np.array([-0.8, 0.6], np.float32)
    assert purification_shift(one, other, 0.2) == pytest.approx(0.8)


@pytest.mark.parametrize(("luma", "outside"), [(60, 40), (100, 0), (125, 0), (150, 0), (190, 40)])
def test_exposure_explains_a_part_of_the_shift(luma: int, outside: int) -> None:
    """A face may be as dark or bright as most are; beyond that each grey level explains as much."""
    assert USUAL_LUMA == (100, 150)
    crop = np.full((112, 112, 3), luma, np.uint8)
    assert misexposure_255(crop) == outside
    assert explained_shift(crop) == pytest.approx(EXPOSURE_SHIFT * outside)


def test_noise_and_exposure_add_up() -> None:
    crop = np.random.default_rng(0).integers(0, 80, (112, 112, 3), dtype=np.uint8)
    both = NOISE_SHIFT * noise_255(crop) + EXPOSURE_SHIFT * misexposure_255(crop)
    assert min(noise_255(crop), misexposure_255(crop)) > 10
    assert explained_shift(crop) == pytest.approx(both)


@pytest.mark.parametrize("sigma", [2.0, 10.0, 25.0])
def test_noise_is_measured_in_grey_levels(sigma: float) -> None:
    """The same noise in all three colours is noise of that strength in luma; edges hardly count."""
    random = np.random.default_rng(0)
    picture = np.full((112, 112), 120.0)
    picture[:, 50:] = 60.0
    noisy = np.clip(np.rint(picture + sigma * random.standard_normal(picture.shape)), 0, 255)
    crop = np.repeat(noisy.astype(np.uint8)[..., np.newaxis], 3, axis=2)
    assert noise_255(crop) == pytest.approx(sigma, rel=0.1)
    clean = np.repeat(picture.astype(np.uint8)[..., np.newaxis], 3, axis=2)
    assert noise_255(clean) == 0.0


def test_an_embedding_refuses_a_shift_that_cannot_be() -> None:
    for shift in (-0.1, 2.1, float("nan")):
        with pytest.raises(ValueError, match="purification_shift"):
            Embedding(np.array([1.0, 0.0], np.float32), BARE, shift)


class Anybody:
    """A gallery of one, whom everybody resembles."""

    key = PURIFIED
    gallery_epoch = 1

    def search(self, probe: Embedding, count: int) -> list[Match]:
        return [Match("ada", 0.9)][:count]


def test_an_attacked_face_is_suspected_and_clean_ones_are_not(toy: EvidenceEmbedder) -> None:
    """From pixels to the outcome, with a threshold calibrated on clean faces."""
    clean = toy.embed([toy_face(person) for person in range(200)])
    negatives = np.array([track_evidence([WeightedEmbedding(item, 1.0)]) for item in clean], np.float64)
    calibrated = calibrate_evidence(negatives)
    thresholds = Thresholds(match=0.5, margin=0.1, evidence=calibrated.threshold)
    others = [toy_face(person) for person in range(1000, 1020)]
    asked = {"clean": others, "attacked": [attacked(face) for face in others]}
    suspected = {}
    for name, faces in asked.items():
        verdicts = [
            decide([WeightedEmbedding(item, 1.0)], Anybody(), thresholds) for item in toy.embed(faces)
        ]
        assert {verdict.candidate_id for verdict in verdicts} == {"ada"}
        suspected[name] = sum(verdict.outcome is Outcome.SUSPECTED_ATTACK for verdict in verdicts)
    assert suspected["attacked"] == 20
    assert suspected["clean"] <= 8, f"expected {20 * calibrated.false_alarm_rate:.0f}"


def track(*crops: tuple[float | None, float]) -> list[WeightedEmbedding]:
    """Crops given as (shift, quality)."""
    vector = np.array([1.0, 0.0], np.float32)
    return [WeightedEmbedding(Embedding(vector, PURIFIED, shift), quality) for shift, quality in crops]


def test_nothing_measured_is_no_evidence() -> None:
    assert track_evidence([]) is None
    assert track_evidence(track((None, 0.5), (None, 1.0))) is None


def test_one_crop_is_its_own_evidence_rounded_as_similarities_are() -> None:
    assert track_evidence(track((0.12345678, 0.3))) == 0.123457


def test_crops_that_were_not_measured_are_left_out() -> None:
    assert track_evidence(track((0.25, 0.5), (None, 1.0))) == 0.25


shifts = st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1)), min_size=1, max_size=8)


@given(shifts)
def test_evidence_lies_between_the_least_and_the_most_moved_crop(
    crops: Sequence[tuple[float, float]],
) -> None:
    evidence = track_evidence(track(*crops))
    each = [shift for shift, _ in crops]
    assert evidence is not None
    assert min(each) - 1e-6 <= evidence <= max(each) + 1e-6


@given(shifts, st.data())
def test_a_crop_that_moves_more_never_lowers_the_evidence(
    crops: list[tuple[float, float]], data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(crops) - 1))
    more = [*crops]
    more[number] = (data.draw(st.floats(crops[number][0], 2)), crops[number][1])
    before, after = track_evidence(track(*crops)), track_evidence(track(*more))
    assert before is not None
    assert after is not None
    assert after >= before


def test_at_most_thirty_negatives_lie_above_the_threshold() -> None:
    negatives = np.random.default_rng(0).permutation(np.linspace(0.0, 1.0, 601))
    found = calibrate_evidence(negatives)
    assert (negatives > found.threshold).sum() == ERRORS_NEEDED
    assert found.false_alarm_rate == pytest.approx(30 / 601)
    assert found.negatives == 601
    assert found.threshold == pytest.approx(np.quantile(negatives, 1 - found.false_alarm_rate), abs=0.002)


def test_ties_at_the_threshold_are_no_alarms() -> None:
    found = calibrate_evidence(np.full(100, 0.2))
    assert found.threshold == 0.2
    assert decide(track((0.2, 1.0)), Anybody(), Thresholds(0.5, 0.1, evidence=0.2)).outcome is Outcome.KNOWN


def test_more_negatives_support_a_lower_rate() -> None:
    values = np.random.default_rng(1).uniform(0, 1, 1000)
    few, many = calibrate_evidence(values[:100]), calibrate_evidence(values)
    assert many.false_alarm_rate < few.false_alarm_rate
    assert many.threshold > few.threshold


@pytest.mark.parametrize("count", [0, 1, ERRORS_NEEDED])
def test_too_few_negatives_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match=f"{count} unattacked tracks"):
        calibrate_evidence(np.zeros(count))


@pytest.mark.parametrize("bad", [np.full(50, np.nan), np.full(50, -0.1), np.zeros((50, 2))])
def test_negatives_that_cannot_be_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="negatives"):
        calibrate_evidence(bad)
