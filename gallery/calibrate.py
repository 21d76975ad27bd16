"""Measures, on the user's own gallery, how alike strangers look and how unlike one person can.

Every template is compared with every subject, as a probe would be: with the subject's best template,
never from the photograph that the probe came from. Against another subject that is an *impostor*
comparison, against its own a *genuine* one.

An error rate can be claimed only as far as it could have been seen: by the "rule of 30" (Doddington et
al., Speech Communication 31, 2000; also ISO/IEC 19795-1) at least 30 errors have to be expected, so no
FMR below 30 / impostor pairs. Comparisons of A's templates with B and of B's with A look at the same
faces twice, and so count once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gallery.histogram import Histogram
from gallery.records import Snapshot
from pipeline.errors import UsageError
from pipeline.evidence import ERRORS_NEEDED
from pipeline.types import FloatArray, TemplateKey

_PROBES_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Distributions:
    """Similarities of strangers and of one person's photographs.

    Attributes:
        key: What made the templates.
        subjects: How many subjects.
        templates: How many templates.
        impostor: One value for each template and each other subject.
        genuine: One value for each template whose subject has another photograph.
    """

    key: TemplateKey
    subjects: int
    templates: int
    impostor: Histogram
    genuine: Histogram

    @property
    def impostor_pairs(self) -> int:
        """Comparisons of different people, each pair of faces counted once."""
        return self.impostor.count // 2

    @property
    def lowest_fmr(self) -> float:
        """The lowest false match rate that this gallery can support."""
        return ERRORS_NEEDED / self.impostor_pairs if self.impostor_pairs else 1.0


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What a threshold costs.

    Attributes:
        wanted_fmr: The false match rate that was asked for.
        threshold: The lowest similarity with no higher rate here.
        fmr: What it is here, one stranger against one subject.
        fnmr: Share of genuine comparisons below the threshold; ``None`` without any.
        false_alarms_per_camera_day: Strangers named, for the number of tracks that was given.
    """

    wanted_fmr: float
    threshold: float
    fmr: float
    fnmr: float | None
    false_alarms_per_camera_day: float

    def as_json(self) -> dict[str, Any]:
        return {
            "wanted_fmr": self.wanted_fmr,
            "threshold": self.threshold,
            "fmr": self.fmr,
            "fnmr": self.fnmr,
            "false_alarms_per_camera_day": self.false_alarms_per_camera_day,
        }


def measure(snapshot: Snapshot, photo_ids: Sequence[str]) -> Distributions:
    """Compare all templates of a gallery with each other.

    Args:
        snapshot: The gallery.
        photo_ids: Which photograph each template was made from, N as in the snapshot: templates of one
            photograph (two people in it, or one enrolled twice) are not compared.

    Raises:
        UsageError: fewer than two subjects are enrolled.
    """
    subjects, owner = np.unique(np.array(snapshot.subject_ids, dtype=object), return_inverse=True)
    if len(subjects) < 2:
        raise UsageError(
            f"{len(subjects)} subjects are enrolled: calibration compares at least two people, "
            "and needs many to support a low false match rate"
        )
    photo = np.unique(np.array(photo_ids, dtype=object), return_inverse=True)[1]
    order = np.argsort(owner, kind="stable")
    owner, photo, vectors = owner[order], photo[order], snapshot.vectors[order]
    impostor, genuine = Histogram(), Histogram()
    for start in range(0, len(owner), _PROBES_AT_ONCE):
        block = slice(start, start + _PROBES_AT_ONCE)
        best = _best_by_subject(vectors[block], photo[block], vectors, photo, owner)
        own = owner[block, None] == np.arange(len(subjects))
        genuine.add(best[own & np.isfinite(best)])
        impostor.add(best[~own & np.isfinite(best)])
    return Distributions(snapshot.key, len(subjects), len(owner), impostor, genuine)


def operating_point(measured: Distributions, fmr: float, tracks_per_day: float) -> OperatingPoint:
    """The threshold for a wanted false match rate, and what to expect of it.

    A stranger is compared with every subject, so the expected false alarms of a camera grow with the
    gallery: tracks * (1 - (1 - FMR)^subjects). Every track is taken for a stranger's, which is the
    worst case.

    Args:
        measured: From :func:`measure`.
        fmr: Wanted false match rate of one stranger against one subject, 0..1.
        tracks_per_day: People who pass a camera in a day.

    Raises:
        UsageError: the gallery is too small to support this rate; the message says the lowest.
    """
    if not measured.lowest_fmr <= fmr < 1.0:
        raise UsageError(
            f"a false match rate of {fmr:g} cannot be supported: {measured.impostor_pairs} pairs of "
            f"different people support {measured.lowest_fmr:.2g} at best ({ERRORS_NEEDED} errors must be "
            "expected); ask for a higher rate, or enroll more people"
        )
    threshold = measured.impostor.threshold_for(fmr)
    seen = measured.impostor.share_from(threshold)
    named = 1.0 - (1.0 - seen) ** measured.subjects
    return OperatingPoint(
        wanted_fmr=fmr,
        threshold=threshold,
        fmr=seen,
        fnmr=None if not measured.genuine.count else 1.0 - measured.genuine.share_from(threshold),
        false_alarms_per_camera_day=tracks_per_day * named,
    )


def supported_rates(measured: Distributions) -> list[float]:
    """Round false match rates that the gallery supports, from the highest down."""
    rates = (mantissa * 10.0**-power for power in range(1, 10) for mantissa in (1.0, 0.3))
    return [rate for rate in rates if rate >= measured.lowest_fmr]


def report_json(
    measured: Distributions, points: Sequence[OperatingPoint], tracks_per_day: float
) -> dict[str, Any]:
    """Everything measured, as JSON values."""
    return {
        "key": str(measured.key),
        "subjects": measured.subjects,
        "templates": measured.templates,
        "impostor_pairs": measured.impostor_pairs,
        "genuine_comparisons": measured.genuine.count,
        "highest_impostor": measured.impostor.highest,
        "lowest_genuine": measured.genuine.lowest,
        "lowest_supported_fmr": measured.lowest_fmr,
        "tracks_per_day": tracks_per_day,
        "points": [point.as_json() for point in points],
    }


def _best_by_subject(
    probes: FloatArray,
    probe_photo: npt.NDArray[np.intp],
    vectors: FloatArray,
    photo: npt.NDArray[np.intp],
    owner: npt.NDArray[np.intp],
) -> FloatArray:
    """float32 (P, S): each probe's best similarity with each subject; -inf where photographs are shared.

    `owner` is sorted, so each subject's templates are neighbours.
    """
    similarities = probes @ vectors.T
    similarities[probe_photo[:, None] == photo] = -np.inf
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    return np.asarray(np.maximum.reduceat(similarities, starts, axis=1), np.float32)
