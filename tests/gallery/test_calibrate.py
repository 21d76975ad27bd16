"""Calibration: the distributions are what they say, and no rate is claimed that could not be seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.calibrate import Distributions, measure, operating_point, report_json, supported_rates
from gallery.calibration_plot import plot_distributions
from gallery.histogram import STEP, Histogram
from gallery.records import Snapshot
from pipeline.errors import StorageError, UsageError
from tests.gallery.fakes import KEY


def gallery(subjects: int, templates_each: int, *, noise: float = 0.5, seed: int = 0) -> Snapshot:
    random = np.random.default_rng(seed)
    people = np.repeat(random.normal(size=(subjects, 32)), templates_each, axis=0)
    vectors = people + noise * random.normal(size=people.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    count = len(vectors)
    # not sorted by subject: photographs of one person come at different times
    order = random.permutation(count)
    owners = np.repeat([f"s{n:04}" for n in range(subjects)], templates_each)[order]
    ids = np.arange(1, count + 1, dtype=np.int64)
    return Snapshot(KEY, 1, ids, tuple(owners.tolist()), vectors[order].astype(np.float32))


def photos(snapshot: Snapshot) -> list[str]:
    return [f"photo {template_id}" for template_id in snapshot.template_ids]


def slow(snapshot: Snapshot, photo_ids: list[str]) -> tuple[list[float], list[float]]:
    """The definition, word for word."""
    impostor: list[float] = []
    genuine: list[float] = []
    for probe in range(len(photo_ids)):
        for subject in sorted(set(snapshot.subject_ids)):
            others = [
                n
                for n, owner in enumerate(snapshot.subject_ids)
                if owner == subject and photo_ids[n] != photo_ids[probe]
            ]
            if others:
                best = float((snapshot.vectors[others] @ snapshot.vectors[probe]).max())
                (genuine if subject == snapshot.subject_ids[probe] else impostor).append(best)
    return impostor, genuine


def test_the_distributions_are_those_of_the_definition() -> None:
    some = gallery(13, 3)
    group_photo = [name if n % 7 else "group" for n, name in enumerate(photos(some))]
    measured = measure(some, group_photo)
    impostor, genuine = slow(some, group_photo)
    assert (measured.impostor.count, measured.genuine.count) == (len(impostor), len(genuine))
    assert measured.impostor.highest == pytest.approx(max(impostor), abs=1e-6)
    assert measured.genuine.lowest == pytest.approx(min(genuine), abs=1e-6)
    for threshold in (-0.2, 0.0, 0.3, 0.7):
        assert measured.impostor.share_from(threshold) == pytest.approx(
            np.mean(np.array(impostor) >= threshold)
        )
        assert measured.genuine.share_from(threshold) == pytest.approx(
            np.mean(np.array(genuine) >= threshold)
        )
    assert (measured.subjects, measured.templates) == (13, 39)


def test_pairs_of_people_are_counted_once() -> None:
    some = gallery(50, 1)
    measured = measure(some, photos(some))
    assert measured.impostor_pairs == 50 * 49 // 2
    assert measured.genuine.count == 0
    assert measured.genuine.lowest is None


def test_a_rate_below_thirty_errors_is_refused_and_the_lowest_is_said() -> None:
    some = gallery(50, 1)
    measured = measure(some, photos(some))
    assert measured.lowest_fmr == pytest.approx(30 / 1225)
    operating_point(measured, 30 / 1225, 1000)
    with pytest.raises(UsageError, match=r"rate of 0\.02 .* 1225 pairs .* support 0\.024 at best"):
        operating_point(measured, 0.02, 1000)
    assert supported_rates(measured) == pytest.approx([0.1, 0.03])


def test_the_threshold_is_the_lowest_that_keeps_the_rate() -> None:
    some = gallery(60, 2)
    measured = measure(some, photos(some))
    impostor, genuine = (np.array(values) for values in slow(some, photos(some)))
    point = operating_point(measured, 0.02, 500)
    assert np.mean(impostor >= point.threshold) == pytest.approx(point.fmr)
    assert point.fmr <= 0.02 < np.mean(impostor >= point.threshold - 2 * STEP) + 1 / len(impostor)
    assert point.fnmr == pytest.approx(np.mean(genuine < point.threshold))
    assert point.false_alarms_per_camera_day == pytest.approx(500 * (1 - (1 - point.fmr) ** 60))


def test_a_gallery_of_one_cannot_be_calibrated() -> None:
    some = gallery(1, 5)
    with pytest.raises(UsageError, match="1 subjects are enrolled"):
        measure(some, photos(some))


def test_the_report_holds_what_was_measured() -> None:
    some = gallery(60, 2)
    measured = measure(some, photos(some))
    report = report_json(measured, [operating_point(measured, 0.05, 100)], 100)
    assert report["impostor_pairs"] == 60 * 59 * 2 // 2
    assert report["highest_impostor"] == measured.impostor.highest
    assert report["points"][0]["wanted_fmr"] == 0.05


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=60), st.floats(0, 1))
def test_a_threshold_never_lets_more_through_than_was_asked(values: list[float], share: float) -> None:
    histogram = Histogram()
    histogram.add(np.array(values, np.float32))
    threshold = histogram.threshold_for(share)
    assert histogram.share_from(threshold) <= share
    decided = [round(float(np.float32(value)), 6) >= threshold for value in values]
    assert np.mean(decided) <= histogram.share_from(threshold)
    if threshold > -1:
        assert histogram.share_from(round(threshold - STEP, 4)) > share


def drawn(measured: Distributions, target: Path) -> bytes:
    plot_distributions(measured, operating_point(measured, 0.05, 100), target)
    return target.read_bytes()


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    some = gallery(60, 2)
    measured = measure(some, photos(some))
    assert drawn(measured, tmp_path / "plot.png").startswith(b"\x89PNG")
    with pytest.raises(StorageError, match="cannot write the plot"):
        drawn(measured, tmp_path / "nowhere" / "plot.png")
    with pytest.raises(StorageError, match="cannot write the plot"):
        drawn(measured, tmp_path / "plot.docx")
