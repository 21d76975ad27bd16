"""Attack evidence: whether what purification took out of a track's faces was an attack.

A perturbation that was made to move an embedding lies mostly outside the immune space, so that
purification removes it and the embeddings with and without purification disagree; those of a clean
face agree, up to the detail that purification costs it. The idea of comparing a network's answers to
an input and to a squeezed input is from Xu, Evans, Qi (Feature Squeezing, NDSS 2018).

It tells of attacks made against the network without its purifier. Who differentiates through the
purifier can hold both embeddings together, and leaves no evidence here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import UsageError
from pipeline.types import Embedding

ERRORS_NEEDED = 30
"""An error rate is claimed only where so many errors are to be expected (the rule of 30)."""


class WeighedCrop(Protocol):
    """One crop of a track, with the weight that it has in the track's decision."""

    @property
    def embedding(self) -> Embedding: ...
    @property
    def weight(self) -> float: ...


def track_evidence(crops: Sequence[WeighedCrop]) -> float | None:
    """The attack evidence of a track: the mean of its crops' purification shifts, weighted by quality.

    The weights are those of the decision. Whoever attacks a part of a track's crops moves its similarity
    by that part, and its evidence by the same part: what cannot change the outcome need not be seen, and
    what can is. Calibration must use this very function, so that it also says what a clean track gives.

    - Not the largest shift: its clean values grow with the number of crops, so that one threshold cannot
      hold a false alarm rate for short and long tracks. The mean of several is never above a threshold
      that each of them is below.
    - Not the median, which is blind to attacks on less than half of the weight. A third of it can be
      enough to push a thin match below its threshold.
    - Not only the best few crops: a crop that votes and is not measured is where an attack would hide.
      A track sends few as it is.

    A blurred crop has little that purification could take away, so it shifts less than a sharp one when
    it is clean; its low weight keeps it from hiding an attack on the others.

    Args:
        crops: The track's crops, in the order of their sequence.

    Returns:
        0..2, rounded to 6 decimals as similarities are; ``None`` where no crop was measured.
    """
    measured = [
        (crop.embedding.purification_shift, crop.weight)
        for crop in crops
        if crop.embedding.purification_shift is not None
    ]
    if not measured:
        return None
    total = sum(weight for _, weight in measured)
    return round(sum(shift * weight for shift, weight in measured) / total, 6)


@dataclass(frozen=True, slots=True)
class EvidenceThreshold:
    """From which evidence on a track is a suspected attack.

    Attributes:
        threshold: Evidence above it (not at it) is a suspected attack.
        false_alarm_rate: The share of unattacked tracks above it, as far as the negatives can tell.
        negatives: How many unattacked tracks it rests on.
    """

    threshold: float
    false_alarm_rate: float
    negatives: int


def calibrate_evidence(negatives: npt.NDArray[np.float64]) -> EvidenceThreshold:
    """The threshold with the lowest false alarm rate that the negatives can support.

    By the rule of 30 (Doddington et al., Speech Communication 31, 2000) an error rate can be claimed
    only where 30 errors are to be expected: 30 / N. The threshold is the lowest that at most 30 of the
    negatives exceed, so the (1 - 30 / N) quantile.

    Args:
        negatives: float (N,): :func:`track_evidence` of N tracks or photographs that nobody attacked.

    Raises:
        ValueError: not one finite value in 0..2 a track.
        UsageError: 30 or fewer, which support nothing.
    """
    values = np.asarray(negatives, np.float64)
    if values.ndim != 1 or not ((values >= 0.0) & (values <= 2.0)).all():
        raise ValueError(f"negatives must be one value in 0..2 a track, got {values.shape}")
    count = len(values)
    if count <= ERRORS_NEEDED:
        raise UsageError(
            f"{count} unattacked tracks support no threshold of attack evidence: more than {ERRORS_NEEDED} "
            "are needed, and hundreds for a low false alarm rate"
        )
    threshold = float(np.sort(values)[count - ERRORS_NEEDED - 1])
    return EvidenceThreshold(threshold, ERRORS_NEEDED / count, count)
