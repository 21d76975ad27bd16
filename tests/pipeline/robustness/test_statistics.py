"""Intervals hold the truth as often as they say, also where people are in several pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.robustness.statistics import (
    Interval,
    best_accuracy_threshold,
    independent_pairs,
    person_interval,
    person_intervals,
    tar_at_fmr,
    threshold_at_fmr,
    wilson_interval,
)

Pairs = list[tuple[str, ...]]


def naive_interval(correct: npt.NDArray[np.bool_], seed: int) -> Interval:
    """The bootstrap that takes pairs for independent."""
    drawn = np.random.default_rng(seed).binomial(len(correct), correct.mean(), size=400) / len(correct)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(float(low), float(high))


def coverage(intervals: list[Interval], truth: float) -> float:
    return float(np.mean([interval.low <= truth <= interval.high for interval in intervals]))


def test_where_people_differ_the_interval_holds_the_truth_and_that_of_pairs_does_not() -> None:
    """Some people are easy and some are hard, and each is in six genuine pairs."""
    random = np.random.default_rng(0)
    people: Pairs = [(f"p{pair % 80}",) for pair in range(480)]
    ours, naive = [], []
    for trial in range(150):
        easy = random.beta(0.7, 0.3, size=80)  # mean 0.7
        correct = random.random(480) < np.tile(easy, 6)
        ours.append(person_interval(correct, people, seed=trial, resamples=250))
        naive.append(naive_interval(correct, trial))
    assert 0.91 <= coverage(ours, 0.7) <= 0.985
    assert coverage(naive, 0.7) < 0.75


def test_of_impostor_pairs_the_interval_holds_the_truth_at_least_as_often() -> None:
    """Each person is in six impostor pairs and is easily mistaken, or not; the pair adds its own chance."""
    random = np.random.default_rng(1)
    numbers = np.array([(n, (n + step) % 80) for n in range(80) for step in (1, 3, 7)])
    people: Pairs = [(f"p{a}", f"p{b}") for a, b in numbers]
    ours, naive = [], []
    for trial in range(150):
        easy = random.beta(0.7, 0.3, size=80)
        correct = random.random(len(people)) < easy[numbers].mean(axis=1)
        ours.append(person_interval(correct, people, seed=trial, resamples=250))
        naive.append(naive_interval(correct, trial))
    assert coverage(ours, 0.7) >= 0.95
    assert coverage(naive, 0.7) < 0.92


def test_without_shared_people_it_is_the_usual_interval() -> None:
    random = np.random.default_rng(2)
    correct = random.random(1000) < 0.8
    people: Pairs = [(f"p{pair}",) for pair in range(1000)]
    ours, wilson = person_interval(correct, people, seed=0), wilson_interval(int(correct.sum()), 1000)
    assert ours.low == pytest.approx(wilson.low, abs=0.004)
    assert ours.high == pytest.approx(wilson.high, abs=0.004)


def test_an_impostor_pair_weighs_the_product_of_its_people() -> None:
    """One pair that is wrong among people who are otherwise right: the resamples can be listed by hand."""
    people: Pairs = [("a", "b"), ("b", "b"), ("a",)]
    correct = np.array([False, True, True])
    # a and b drawn: (2, 0), (1, 1), (0, 2) with chances 1/4, 1/2, 1/4; right: 1, 2/3, 1
    interval = person_interval(correct, people, seed=0, level=0.2)
    wilson = wilson_interval(2, 3, 0.2)
    assert interval.high == 1.0  # 60 % quantile of 1, 2/3, 2/3, 1
    assert interval.low == pytest.approx(min(wilson.low, 2 / 3))


@pytest.mark.parametrize("right", [True, False])
def test_where_nothing_differs_the_width_is_that_of_the_people(right: bool) -> None:
    people: Pairs = [(f"p{pair % 30}",) for pair in range(300)]
    interval = person_interval(np.full(300, right), people, seed=0, resamples=200)
    assert interval == wilson_interval(30 if right else 0, 30)
    assert interval.high - interval.low == pytest.approx(3 / 30, abs=0.02)  # rule of three


def test_pairs_that_share_nobody_are_counted() -> None:
    assert independent_pairs([("a", "b"), ("b", "c"), ("c", "d")]) == 2
    assert independent_pairs([("a", "b"), ("a",), ("b", "b")]) == 2
    assert independent_pairs([("a",), ("a", "a"), ("b",)]) == 2


@given(st.data())
def test_every_interval_holds_its_accuracy(data: st.DataObject) -> None:
    names = st.sampled_from("abcdefg")
    people = data.draw(st.lists(st.tuples(names, names) | st.tuples(names), min_size=1, max_size=20))
    row = st.lists(st.booleans(), min_size=len(people), max_size=len(people))
    correct = np.array(data.draw(st.lists(row, min_size=1, max_size=3)), bool)
    try:
        intervals = person_intervals(correct, people, seed=0, resamples=50)
    except ValueError as error:
        assert "too few people" in str(error)  # noqa: PT017 - either is right
        return
    for interval, share in zip(intervals, correct.mean(axis=1), strict=True):
        assert 0 <= interval.low <= share <= interval.high <= 1
        assert interval.low < interval.high


def test_rows_are_as_if_alone_and_the_seed_and_nothing_else_decides() -> None:
    random = np.random.default_rng(3)
    people: Pairs = [(f"p{pair % 20}", f"p{pair % 13}") for pair in range(200)]
    correct = random.random((3, 200)) < 0.6
    together = person_intervals(correct, people, seed=5, resamples=300)
    alone = [person_interval(row, people, seed=5, resamples=300) for row in correct]
    assert [ends for one in together for ends in (one.low, one.high)] == pytest.approx(
        [ends for one in alone for ends in (one.low, one.high)]
    )
    order = random.permutation(200)
    shuffled = person_interval(correct[0][order], [people[n] for n in order], seed=5, resamples=300)
    assert (shuffled.low, shuffled.high) == pytest.approx((alone[0].low, alone[0].high))
    assert person_interval(correct[0], people, seed=6, resamples=300) != alone[0]


def test_many_pairs_are_resampled_piece_by_piece_with_the_same_result() -> None:
    """Of so many pairs, all the weights of 200 resamples are not held at once."""
    count = 30_000
    people: Pairs = [(f"p{pair % 500}",) for pair in range(count)]
    correct = np.arange(count) % 500 < 250  # half of the people are always right
    interval = person_interval(correct, people, seed=0, resamples=200)
    assert interval.low == pytest.approx(0.5 - 1.96 * 0.5 / 500**0.5, abs=0.015)
    assert interval.high == pytest.approx(0.5 + 1.96 * 0.5 / 500**0.5, abs=0.015)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="correct must be bool"):
        person_interval(np.zeros(2), [("a",), ("b",)], seed=0)
    with pytest.raises(ValueError, match="2 pairs and people 1"):
        person_interval(np.zeros(2, bool), [("a",)], seed=0)
    with pytest.raises(ValueError, match="one or two people"):
        person_interval(np.zeros(1, bool), [("a", "b", "c")], seed=0)
    with pytest.raises(ValueError, match="got 4 of 3"):
        wilson_interval(4, 3)


def test_wilson_is_the_published_interval() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (right, n), ends in published.items():
        interval = wilson_interval(right, n)
        assert (interval.low, interval.high) == pytest.approx(ends, abs=5e-5)


SCORES = st.lists(
    st.sampled_from([-0.5, 0.0, 0.1, 0.2, 0.3, 0.9]) | st.floats(-1, 1), min_size=1, max_size=30
)


@given(SCORES, SCORES, st.floats(0.01, 1))
def test_a_threshold_never_lets_more_through_than_was_asked_and_none_below_it_does(
    genuine: list[float], impostor: list[float], fmr: float
) -> None:
    if fmr * len(impostor) < 1:
        with pytest.raises(UsageError, match="cannot be seen in"):
            threshold_at_fmr(impostor, fmr)
        return
    threshold = threshold_at_fmr(impostor, fmr)
    scores = np.array(impostor)
    assert np.mean(scores >= threshold) <= fmr + 1e-9
    lower = scores[scores < threshold]
    assert not len(lower) or np.mean(scores >= lower.max()) > fmr
    assert tar_at_fmr(genuine, impostor, fmr) == np.mean(np.array(genuine) >= threshold)


def test_a_rate_that_is_a_whole_number_of_pairs_is_used_up() -> None:
    impostor = np.linspace(0, 1, 100)
    assert np.sum(impostor >= threshold_at_fmr(impostor, 0.29)) == 29


@given(SCORES, st.data())
def test_no_threshold_decides_more_pairs_rightly(scores: list[float], data: st.DataObject) -> None:
    same = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))), bool)
    values = np.array(scores)

    def right(threshold: float) -> int:
        return int(np.sum((values >= threshold) == same))

    best = best_accuracy_threshold(values, same)
    assert right(best) == max(right(threshold) for threshold in [*scores, 2.0])


def test_the_threshold_lies_midway_between_the_two_kinds() -> None:
    assert best_accuracy_threshold([0.1, 0.2, 0.6, 0.9], [False, False, True, True]) == pytest.approx(0.4)
    with pytest.raises(ValueError, match="same must be bool"):
        best_accuracy_threshold([0.1, 0.2], [0, 1])
    with pytest.raises(ValueError, match="finite"):
        best_accuracy_threshold([0.1, np.nan], [False, True])
