"""Shares and their intervals, and which results count."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.robustness.statistics import wilson_interval
from pipeline.robustness.threat import ThreatModel
from tests.workers.canary.test_runs import CLEAN, DODGE, IMPERSONATE, OF, result
from workers.canary.alarm import AlarmKind, AlarmLimits, due_alarms
from workers.canary.numbers import Numbers, Share, comparable
from workers.canary.records import Circumstances, Condition, Result, Run, RunState

LIMITS = AlarmLimits(attacked=0.5, clean=0.8)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_in_wilson_s_interval(pair: tuple[int, int]) -> None:
    share = Share(*pair)
    assert share.interval == wilson_interval(*pair)
    assert 0 <= share.interval.low <= share.value <= share.interval.high <= 1


@pytest.mark.parametrize("pair", [(1, 0), (2, 1), (-1, 3)])
def test_what_is_no_share(pair: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="a share must be"):
        Share(*pair)


def test_of_each_probe_the_newest_result_counts() -> None:
    numbers = Numbers.of([result("p", correct=False), result("q"), result("p", DODGE), result("p")])
    assert numbers.clean(True) == Share(2, 2)
    assert numbers.attacked(ThreatModel.EMBEDDER, True) == Share(1, 1)
    assert numbers.attacked(ThreatModel.ADAPTIVE, True) is None
    assert numbers.clean(False) is None


def test_either_goal_counts_and_names_and_suspicions_are_counted_apart() -> None:
    numbers = Numbers.of(
        [
            Result("p", CLEAN, True, False, False),
            Result("p", DODGE, False, True, True),
            Result("p", IMPERSONATE, True, False, True),
            Result("p", replace(DODGE, purified=False), False, True, None),
        ]
    )
    assert numbers.attacked(ThreatModel.EMBEDDER, True) == Share(1, 2)
    assert numbers.false_names(True, (ThreatModel.CORRUPTION, ThreatModel.EMBEDDER)) == Share(1, 3)
    assert numbers.suspected([ThreatModel.EMBEDDER]) == Share(2, 2)
    assert numbers.suspected([ThreatModel.CORRUPTION]) == Share(0, 1)
    assert [(line.condition.goal, line.condition.purified) for line in numbers.lines] == [
        ("none", True),
        ("dodge", True),
        ("dodge", False),
        ("impersonate", True),
    ]


def run(of: Circumstances, number: int = 0) -> Run:
    return Run(str(number), RunState.DONE, "", f"2023-11-1{number}", None, "a test", 1, of)


def test_only_runs_that_measured_alike_are_counted_together() -> None:
    other_gallery, other_models = replace(OF, gallery_epoch=9, probed=1), replace(OF, embedder="toy@2")
    found = [
        (run(other_models, 0), [result("x", correct=False)]),
        (run(OF, 1), [result("p")]),
        (run(other_gallery, 2), [result("q")]),
    ]
    numbers = comparable(found)
    assert numbers is not None
    assert numbers.clean(True) == Share(2, 2)
    assert comparable([]) is None


def many(condition: Condition, right: int, n: int) -> list[Result]:
    return [result(f"p{number}", condition, number < right) for number in range(n)]


def test_a_handful_of_unlucky_probes_is_no_alarm() -> None:
    few = Numbers.of([*many(CLEAN, 2, 3), *many(DODGE, 0, 2)])
    assert due_alarms(few, None, LIMITS) == {}


def test_too_little_under_attack_too_little_without_and_less_than_before() -> None:
    low = Numbers.of([*many(CLEAN, 20, 40), *many(DODGE, 8, 40), *many(IMPERSONATE, 8, 40)])
    before = Numbers.of(many(CLEAN, 38, 40))
    due = due_alarms(low, before, LIMITS)
    assert list(due) == [AlarmKind.ATTACKED, AlarmKind.CLEAN, AlarmKind.FALLING]
    assert due[AlarmKind.ATTACKED] == (
        "accuracy under attack is 20% (95 % interval 13% to 30%, n 80), below 50%"
    )
    assert "fell from 95%" in due[AlarmKind.FALLING]
    fine = Numbers.of([*many(CLEAN, 38, 40), *many(DODGE, 36, 40)])
    assert due_alarms(fine, before, LIMITS) == {}


def test_without_a_purifier_there_is_no_alarm_about_it() -> None:
    bare = [replace(condition, purified=False) for condition in (CLEAN, DODGE)]
    numbers = Numbers.of([*many(bare[0], 40, 40), *many(bare[1], 0, 40)])
    assert due_alarms(numbers, None, LIMITS) == {}
