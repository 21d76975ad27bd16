"""From a track's evidence to one outcome.

The similarity of a track to a subject is the quality-weighted mean of its crops' cosine
similarities to that subject. Cosine similarity is linear in the probe, so that mean is one search
with the mean of the embeddings. The mean is never longer than 1: a track of crops that disagree
among themselves scores lower than any of them alone, and fusing never raises an impostor above a
threshold that was set on single crops.

Besides, every crop votes by itself, for a subject or for *unknown*: a single lucky crop among
others that look like nobody must not name a stranger.

Where attack evidence was measured, too much of it outranks whatever the similarities say: nobody is
named, and the candidate stays for the operator to see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.evidence import track_evidence
from pipeline.seams import GalleryIndex
from pipeline.types import Embedding, FloatArray, Match, Outcome, Thresholds, Verdict

MIN_WEIGHT = 1e-3
"""A usable crop of quality 0 still counts a little, so that the weights never add up to nothing."""


@dataclass(frozen=True, slots=True)
class WeightedEmbedding:
    """One crop's embedding and the weight it has in its track.

    The weight is the picture's quality, 0..1, times the embedder's own confidence, where it has one: a
    crop that looks sharp and that the embedder can make nothing of, as blurred or attacked ones are,
    must not decide.
    """

    embedding: Embedding
    quality: float

    @property
    def weight(self) -> float:
        confidence = self.embedding.confidence
        return max(self.quality * (1.0 if confidence is None else confidence), MIN_WEIGHT)


def decide(evidence: Sequence[WeightedEmbedding], index: GalleryIndex, thresholds: Thresholds) -> Verdict:
    """The outcome of a track, or of one photograph's face as a track of one.

    Args:
        evidence: The track's crops in the order of their sequence; may be empty.
        index: The gallery to compare with.
        thresholds: When a similarity names somebody, and when a face is a suspected attack.

    Returns:
        `low_quality` without evidence; `suspected_attack` if the attack evidence was measured and is
        above its threshold; else `known`, `ambiguous` or `unknown`. The candidate is the nearest
        subject wherever the gallery has one. Similarities and attack evidence are rounded to 6
        decimals: beyond those, float32 sums depend on the machine.

    Raises:
        TemplateKeyMismatch: a crop was embedded by another model than the gallery's templates.
    """
    verdict = _decide_who(evidence, index, thresholds)
    return _with_attack_evidence(verdict, track_evidence(evidence), thresholds.evidence)


def _with_attack_evidence(verdict: Verdict, measured: float | None, threshold: float | None) -> Verdict:
    """The verdict with its attack evidence, which outranks it if it is above the threshold."""
    if measured is None or threshold is None or measured <= threshold:
        return replace(verdict, attack_evidence=measured)
    return replace(
        verdict,
        outcome=Outcome.SUSPECTED_ATTACK,
        subject_id=None,
        attack_evidence=measured,
        reason=f"purification changes the face by {measured:.3f}, more than {threshold:.3f}",
    )


def _decide_who(
    evidence: Sequence[WeightedEmbedding], index: GalleryIndex, thresholds: Thresholds
) -> Verdict:
    """The outcome by the similarities alone."""
    if not evidence:
        return _without_candidate(Outcome.LOW_QUALITY, thresholds, "no crop was good enough to compare")
    ranked = nearest_subjects(evidence, index, 2)
    if not ranked:
        return _without_candidate(Outcome.UNKNOWN, thresholds, "nobody is enrolled")
    best = ranked[0]
    runner_up = ranked[1].similarity if len(ranked) > 1 else None
    margin = None if runner_up is None else round(best.similarity - runner_up, 6)
    threshold = thresholds.for_subject(best.subject_id)
    votes = _share_of_votes(best.subject_id, evidence, index, thresholds)
    outcome, reason = _judge(best, margin, threshold, votes, thresholds)
    return Verdict(
        outcome=outcome,
        subject_id=best.subject_id if outcome is Outcome.KNOWN else None,
        candidate_id=best.subject_id,
        similarity=best.similarity,
        runner_up=runner_up,
        margin=margin,
        threshold=threshold,
        threshold_origin=thresholds.origin,
        votes=votes,
        reason=reason,
    )


def _without_candidate(outcome: Outcome, thresholds: Thresholds, reason: str) -> Verdict:
    return Verdict(
        outcome, None, None, None, None, None, thresholds.match, thresholds.origin, votes=0.0, reason=reason
    )


def nearest_subjects(evidence: Sequence[WeightedEmbedding], index: GalleryIndex, count: int) -> list[Match]:
    """The subjects nearest to a track, with the quality-weighted mean of its crops' similarities.

    Args:
        evidence: At least one crop.
        index: The gallery.
        count: How many at most, the nearest first.
    """
    vector, norm = weighted_mean(evidence)
    if vector is None:
        return []
    probe = Embedding(vector, evidence[0].embedding.key)
    return [Match(m.subject_id, round(m.similarity * norm, 6)) for m in index.search(probe, count)]


def weighted_mean(evidence: Sequence[WeightedEmbedding]) -> tuple[FloatArray | None, float]:
    """The mean of a track's embeddings by their weights: its direction and its length.

    Args:
        evidence: At least one crop.

    Returns:
        float32 (D,) of unit norm, ``None`` where the crops cancel out and look like nobody; and 0..1.
    """
    weights = np.array([item.weight for item in evidence], np.float64)
    vectors = np.stack([item.embedding.vector for item in evidence]).astype(np.float64)
    mean = (weights[:, None] * vectors).sum(axis=0) / weights.sum()
    norm = float(np.linalg.norm(mean))
    return None if norm < MIN_WEIGHT else (mean / norm).astype(np.float32), norm


def _share_of_votes(
    subject_id: str, evidence: Sequence[WeightedEmbedding], index: GalleryIndex, thresholds: Thresholds
) -> float:
    """The share of the track's weight whose crops, each alone, name this subject."""
    threshold = thresholds.for_subject(subject_id)
    total = sum(item.weight for item in evidence)
    named = 0.0
    for item in evidence:
        nearest = index.search(item.embedding, 1)[0]
        if nearest.subject_id == subject_id and nearest.similarity >= threshold:
            named += item.weight
    return round(named / total, 6)


def _judge(
    best: Match, margin: float | None, threshold: float, votes: float, thresholds: Thresholds
) -> tuple[Outcome, str]:
    if best.similarity < threshold:
        return Outcome.UNKNOWN, f"similarity {best.similarity:.3f} is below the threshold {threshold:.3f}"
    if margin is not None and margin < thresholds.margin:
        return Outcome.AMBIGUOUS, f"leads the next subject by {margin:.3f}, less than {thresholds.margin:.3f}"
    if votes < thresholds.votes:
        return Outcome.UNKNOWN, f"crops with only {votes:.0%} of the weight name the candidate by themselves"
    return Outcome.KNOWN, f"similarity {best.similarity:.3f} reaches the threshold {threshold:.3f}"
