"""The decision: what names somebody, what does not, and what no lucky frame may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decide import WeightedEmbedding, decide
from pipeline.types import Embedding, FloatArray, Match, Outcome, TemplateKey, Thresholds

KEY = TemplateKey("embedder@00000000", "none")
THRESHOLDS = Thresholds(match=0.5, margin=0.1)


class ListIndex:
    """Subjects with one template each, compared one by one."""

    key = KEY
    gallery_epoch = 7

    def __init__(self, templates: Mapping[str, FloatArray]) -> None:
        self._templates = templates

    def search(self, probe: Embedding, count: int) -> list[Match]:
        matches = [Match(name, float(probe.vector @ vector)) for name, vector in self._templates.items()]
        return sorted(matches, key=lambda m: (-m.similarity, m.subject_id))[:count]


def unit(*values: float) -> FloatArray:
    vector = np.array(values, np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def crop(*values: float, quality: float = 1.0) -> WeightedEmbedding:
    return WeightedEmbedding(Embedding(unit(*values), KEY), quality)


ADA_AND_BO = ListIndex({"ada": unit(1, 0, 0), "bo": unit(0, 1, 0)})


def outcome(evidence: Sequence[WeightedEmbedding], index: ListIndex = ADA_AND_BO) -> Outcome:
    return decide(evidence, index, THRESHOLDS).outcome


def test_no_evidence_is_low_quality() -> None:
    verdict = decide([], ADA_AND_BO, THRESHOLDS)
    assert (verdict.outcome, verdict.candidate_id) == (Outcome.LOW_QUALITY, None)


def test_a_crop_that_the_embedder_can_make_nothing_of_does_not_decide() -> None:
    """Three crops look equally sharp; the embedder does not believe what it says of two of them."""
    sure = WeightedEmbedding(Embedding(unit(1, 0, 0), KEY, confidence=0.9), 1.0)
    unsure = WeightedEmbedding(Embedding(unit(0, 1, 0), KEY, confidence=0.05), 1.0)
    verdict = decide([sure, unsure, unsure], ADA_AND_BO, THRESHOLDS)
    assert (verdict.outcome, verdict.subject_id) == (Outcome.KNOWN, "ada")
    assert verdict.votes == pytest.approx(0.9, abs=1e-6)
    as_sharp = decide([crop(1, 0, 0), crop(0, 1, 0), crop(0, 1, 0)], ADA_AND_BO, THRESHOLDS)
    assert as_sharp.candidate_id == "bo"


def test_an_empty_gallery_knows_nobody() -> None:
    verdict = decide([crop(1, 0, 0)], ListIndex({}), THRESHOLDS)
    assert (verdict.outcome, verdict.candidate_id, verdict.similarity) == (Outcome.UNKNOWN, None, None)


def test_a_clear_match_is_known() -> None:
    verdict = decide([crop(1, 0.1, 0)], ADA_AND_BO, THRESHOLDS)
    assert (verdict.outcome, verdict.subject_id, verdict.candidate_id) == (Outcome.KNOWN, "ada", "ada")


def test_an_unknown_face_still_has_its_nearest_candidate() -> None:
    verdict = decide([crop(0.3, 0, 1)], ADA_AND_BO, THRESHOLDS)
    assert (verdict.outcome, verdict.subject_id, verdict.candidate_id) == (Outcome.UNKNOWN, None, "ada")


def test_two_subjects_too_close_are_ambiguous() -> None:
    assert outcome([crop(1, 0.95, 0)]) is Outcome.AMBIGUOUS


def test_one_lucky_frame_does_not_name_a_stranger() -> None:
    lucky = [crop(1, 0, 0), crop(0.45, 0, 1), crop(0.45, 0, 1)]
    verdict = decide(lucky, ADA_AND_BO, THRESHOLDS)
    assert verdict.similarity is not None
    assert verdict.similarity > THRESHOLDS.match  # the mean alone would have named ada
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.votes == pytest.approx(1 / 3, abs=1e-6)


def test_a_bad_frame_weighs_little() -> None:
    assert outcome([crop(1, 0, 0, quality=0.9), crop(0, 0, 1, quality=0.05)]) is Outcome.KNOWN


def test_crops_that_cancel_out_are_unknown() -> None:
    assert outcome([crop(1, 0, 0), crop(-1, 0, 0)]) is Outcome.UNKNOWN


def test_a_watch_list_can_be_stricter() -> None:
    strict = Thresholds(match=0.5, margin=0.1, by_subject={"ada": 0.999})
    assert decide([crop(1, 0.1, 0)], ADA_AND_BO, strict).outcome is Outcome.UNKNOWN


def measured(*values: float, shift: float, quality: float = 1.0) -> WeightedEmbedding:
    return WeightedEmbedding(Embedding(unit(*values), KEY, shift), quality)


WITH_EVIDENCE = Thresholds(match=0.5, margin=0.1, evidence=0.4)


@pytest.mark.parametrize(
    "vector",
    [(1, 0.1, 0), (1, 0.95, 0), (0.3, 0, 1)],
    ids=["known", "ambiguous", "unknown"],
)
def test_a_suspected_attack_outranks_the_others_and_keeps_the_candidate(
    vector: tuple[float, float, float],
) -> None:
    usual = decide([crop(*vector)], ADA_AND_BO, WITH_EVIDENCE)
    verdict = decide([measured(*vector, shift=0.7)], ADA_AND_BO, WITH_EVIDENCE)
    assert verdict.outcome is Outcome.SUSPECTED_ATTACK
    assert (verdict.subject_id, verdict.candidate_id) == (None, "ada")
    assert verdict.attack_evidence == 0.7
    assert verdict.reason == "purification changes the face by 0.700, more than 0.400"
    said = ("outcome", "subject_id", "attack_evidence", "reason")
    assert replace(verdict, **{name: getattr(usual, name) for name in said}) == usual


def test_an_attack_is_suspected_where_nobody_is_enrolled() -> None:
    verdict = decide([measured(1, 0, 0, shift=0.7)], ListIndex({}), WITH_EVIDENCE)
    assert (verdict.outcome, verdict.candidate_id) == (Outcome.SUSPECTED_ATTACK, None)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.4])
def test_up_to_the_threshold_evidence_is_told_and_changes_nothing(shift: float) -> None:
    usual = decide([crop(1, 0.1, 0)], ADA_AND_BO, WITH_EVIDENCE)
    verdict = decide([measured(1, 0.1, 0, shift=shift)], ADA_AND_BO, WITH_EVIDENCE)
    assert verdict == replace(usual, attack_evidence=shift)


def test_uncalibrated_nothing_is_suspected() -> None:
    verdict = decide([measured(1, 0.1, 0, shift=2.0)], ADA_AND_BO, THRESHOLDS)
    assert (verdict.outcome, verdict.attack_evidence) == (Outcome.KNOWN, 2.0)


@pytest.mark.parametrize("evidence", [[], [crop(1, 0, 0)]], ids=["no crop", "not measured"])
def test_without_a_measurement_nothing_is_suspected(evidence: list[WeightedEmbedding]) -> None:
    verdict = decide(evidence, ADA_AND_BO, replace(WITH_EVIDENCE, evidence=0.0))
    assert verdict.attack_evidence is None
    assert verdict.outcome in (Outcome.LOW_QUALITY, Outcome.KNOWN)


vectors = st.tuples(*[st.floats(-1, 1).filter(lambda v: abs(v) > 0.01)] * 3)
tracks = st.lists(st.tuples(vectors, st.floats(0, 1)), min_size=1, max_size=6)


@given(tracks)
def test_the_similarity_is_the_weighted_mean_and_never_above_the_best_crop(
    track: list[tuple[tuple[float, float, float], float]],
) -> None:
    evidence = [crop(*vector, quality=quality) for vector, quality in track]
    verdict = decide(evidence, ADA_AND_BO, THRESHOLDS)
    if verdict.candidate_id is None or verdict.similarity is None:
        return
    template = unit(1, 0, 0) if verdict.candidate_id == "ada" else unit(0, 1, 0)
    each = [float(item.embedding.vector @ template) for item in evidence]
    mean = np.average(each, weights=[item.weight for item in evidence])
    assert verdict.similarity == pytest.approx(mean, abs=1e-5)
    assert verdict.similarity <= max(each) + 1e-5


@given(tracks)
def test_every_track_ends_in_one_outcome_without_a_gap(
    track: list[tuple[tuple[float, float, float], float]],
) -> None:
    verdict = decide([crop(*v, quality=q) for v, q in track], ADA_AND_BO, THRESHOLDS)
    named = verdict.outcome is Outcome.KNOWN
    assert named == (verdict.subject_id is not None)
    if named:
        assert verdict.similarity is not None
        assert verdict.similarity >= verdict.threshold
        assert verdict.votes >= THRESHOLDS.votes
