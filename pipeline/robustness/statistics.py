"""How sure a measured accuracy is, where pairs share people; rates and thresholds of verification.

Photographs of one person are alike in what makes them hard, so that pairs which share a person are
not independent, and an interval that treats them so is too narrow. Fogliato, Patil and Perona
(arXiv 2306.01198, 2023) compare intervals for this case.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from pipeline.errors import UsageError

RESAMPLES = 2000

_WEIGHTS_AT_ONCE = 2_000_000  # of resamples x pairs: 16 MB


@dataclass(frozen=True, slots=True)
class Interval:
    """Ends of a confidence interval, in the unit of what it is of."""

    low: float
    high: float


def wilson_interval(right: float, n: float, level: float = 0.95) -> Interval:
    """Score interval of a share: `right` of `n` independent trials (Wilson, JASA 1927).

    Raises:
        ValueError: `right` is not in 0..n, or `n` is not positive.
    """
    if not 0 <= right <= n or n <= 0:
        raise ValueError(f"right must be in 0 to n, and n positive: got {right} of {n}")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, shrink = right / n, 1 / (1 + z * z / n)
    middle = shrink * (share + z * z / (2 * n))
    half = shrink * z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # rounding must not put the share itself outside
    return Interval(max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)))


def person_interval(
    correct: npt.ArrayLike,
    people: Sequence[tuple[str, ...]],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Interval:
    """:func:`person_intervals` of one array, bool (N,)."""
    (interval,) = person_intervals(
        np.asarray(correct)[np.newaxis], people, seed=seed, resamples=resamples, level=level
    )
    return interval


def person_intervals(
    correct: npt.ArrayLike,
    people: Sequence[tuple[str, ...]],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> list[Interval]:
    """Percentile bootstrap of accuracies that resamples people, not pairs; all rows share the resamples.

    Each resample draws as many people as there are, with replacement. A genuine pair weighs what its
    person's multiplicity is, an impostor pair the product of its two people's. For genuine pairs this
    is the usual bootstrap of clusters. For impostor pairs it is the pigeonhole bootstrap (Owen, Annals
    of Applied Statistics 1(2), 2007), which errs towards wide: what two people contribute each is
    counted rightly, what is the pair's own up to three times over in the variance.

    Resampling says nothing about errors that did not happen: where all pairs are right, or all wrong,
    every resample is as well, and the percentiles have no width. The interval is therefore never
    narrower than Wilson's: it is widened to hold Wilson's interval of N independent pairs, and, where
    all pairs are alike, Wilson's of as many pairs as share nobody (:func:`independent_pairs`), which is
    close to the rule of three.

    Args:
        correct: bool (K, N): K conditions of the same N pairs.
        people: Of each pair: one name or twice the same (genuine), or two (impostor).
        seed: Of the resamples: the same seed and people give the same resamples.
        resamples: How many.
        level: Of confidence.

    Returns:
        K intervals in 0..1, each with the accuracy of its row inside.

    Raises:
        ValueError: the shapes do not fit, there are no pairs, or too few people to resample.
    """
    right = np.asarray(correct)
    if right.dtype != np.bool_ or right.ndim != 2:
        raise ValueError(f"correct must be bool of K x N, got {right.dtype} of {right.shape}")
    if right.shape[1] != len(people) or not people:
        raise ValueError(
            f"correct has {right.shape[1]} pairs and people {len(people)}: one each, at least one"
        )
    accuracies = np.concatenate(list(_resampled(right, people, seed, resamples)))
    if not len(accuracies):
        raise ValueError("no resample holds a pair: there are too few people for an interval")
    tail = (1 - level) / 2
    low, high = np.quantile(accuracies, (tail, 1 - tail), axis=0)
    alone = independent_pairs(people)
    return [
        _widened(Interval(float(low[row]), float(high[row])), right[row], alone, level)
        for row in range(len(right))
    ]


def independent_pairs(people: Sequence[tuple[str, ...]]) -> int:
    """How many pairs, at the least, can be chosen so that no two share a person.

    Chosen greedily, genuine pairs first: of genuine pairs this is the number of people.
    """
    used: set[str] = set()
    count = 0
    for pair in sorted((set(pair) for pair in people), key=len):
        if used.isdisjoint(pair):
            used |= pair
            count += 1
    return count


def threshold_at_fmr(impostor: npt.ArrayLike, fmr: float) -> float:
    """The lowest threshold that at most the share `fmr` of `impostor` reaches (similarity >= threshold).

    A rate that rests on fewer than some 30 false matches is itself uncertain (rule of 30).

    Raises:
        UsageError: there are fewer than 1 / `fmr` scores: the rate could not be seen.
        ValueError: `fmr` is not in 0..1, or a score is not a number.
    """
    scores = _scores("impostor", impostor)
    if not 0 < fmr <= 1:
        raise ValueError(f"fmr must be above 0 and at most 1, not {fmr}")
    allowed = math.floor(fmr * len(scores) + 1e-9)  # 0.29 * 100 is 28.999...
    if allowed < 1:
        raise UsageError(
            f"a false match rate of {fmr:g} cannot be seen in {len(scores)} impostor pairs: "
            f"they support {1 / len(scores):.2g} at best"
        )
    if allowed == len(scores):
        return float(scores.min())
    return math.nextafter(float(np.sort(scores)[-allowed - 1]), math.inf)


def tar_at_fmr(genuine: npt.ArrayLike, impostor: npt.ArrayLike, fmr: float) -> float:
    """Share of `genuine` similarities accepted at :func:`threshold_at_fmr` (true accept rate, 1 - FNMR).

    Raises:
        UsageError, ValueError: as :func:`threshold_at_fmr`.
    """
    return float(np.mean(_scores("genuine", genuine) >= threshold_at_fmr(impostor, fmr)))


def best_accuracy_threshold(scores: npt.ArrayLike, same: npt.ArrayLike) -> float:
    """The threshold of most right decisions (`score` >= threshold means the same person).

    It lies midway between the two neighbouring scores, since anywhere between them is as good on these
    pairs and the middle is furthest from both; of several equally good ones it is the lowest.

    Args:
        scores: float (N,), similarities.
        same: bool (N,), whether the pair is genuine.

    Raises:
        ValueError: the shapes do not fit, or a score is not a number.
    """
    values, genuine = _scores("scores", scores), np.asarray(same)
    if genuine.dtype != np.bool_ or genuine.shape != values.shape:
        raise ValueError(f"same must be bool of {values.shape}, got {genuine.dtype} of {genuine.shape}")
    steps = np.unique(values)
    middles = (steps[:-1] + steps[1:]) / 2
    # between two neighbouring floats there is nothing, and the lower one must stay below the threshold
    middles = np.where(middles > steps[:-1], middles, steps[1:])
    thresholds = np.array([steps[0], *middles, math.nextafter(steps[-1], math.inf)])
    impostors_below = np.searchsorted(np.sort(values[~genuine]), thresholds, side="left")
    genuine_below = np.searchsorted(np.sort(values[genuine]), thresholds, side="left")
    return float(thresholds[np.argmax(impostors_below - genuine_below)])


def _resampled(
    right: npt.NDArray[np.bool_], people: Sequence[tuple[str, ...]], seed: int, resamples: int
) -> Iterator[npt.NDArray[np.float64]]:
    """float64 (R, K), piece by piece: accuracies of the resamples that hold a pair at all."""
    first, second, genuine, count = _numbered(people)
    random = np.random.default_rng(seed)
    columns = right.T.astype(np.float64)
    piece = max(1, _WEIGHTS_AT_ONCE // len(people))
    for start in range(0, resamples, piece):
        size = min(piece, resamples - start)
        drawn = random.multinomial(count, np.full(count, 1 / count), size=size)
        weights = (drawn[:, first] * np.where(genuine, 1, drawn[:, second])).astype(np.float64)
        total = weights.sum(axis=1, keepdims=True)
        holds = total[:, 0] > 0
        yield (weights[holds] @ columns) / total[holds]


def _numbered(
    people: Sequence[tuple[str, ...]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_], int]:
    """Numbers of each pair's first and last person, whether they are one, and how many people there are."""
    wrong = next((pair for pair in people if len(pair) not in (1, 2)), None)
    if wrong is not None:
        raise ValueError(f"a pair shows one or two people, not {wrong!r}")
    # by name, not by order of appearance: the resamples must not depend on the order of the pairs
    number = {name: index for index, name in enumerate(sorted({name for pair in people for name in pair}))}
    first = np.array([number[pair[0]] for pair in people], np.int64)
    second = np.array([number[pair[-1]] for pair in people], np.int64)
    return first, second, first == second, len(number)


def _widened(percentiles: Interval, right: npt.NDArray[np.bool_], alone: int, level: float) -> Interval:
    """The interval that holds the percentiles, Wilson's interval, and the accuracy."""
    share = float(right.mean())
    n = alone if share in (0.0, 1.0) else len(right)
    wilson = wilson_interval(share * n, n, level)
    return Interval(min(percentiles.low, wilson.low), max(percentiles.high, wilson.high))


def _scores(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    scores = np.asarray(values, np.float64)
    if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
        raise ValueError(f"{name} must be finite numbers, one a pair and at least one")
    return scores
