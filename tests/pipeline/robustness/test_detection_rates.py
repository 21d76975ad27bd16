"""What attack evidence finds: records of a kind of their own, and their place in the report."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.robustness.detection_rates import (
    FIELDS,
    SUBFOLDER,
    DetectionRate,
    TakenOff,
    add_rates,
    rate_from,
    read_rates,
)
from pipeline.robustness.protocol import Split
from pipeline.robustness.records import json_lines
from pipeline.robustness.report import markdown
from pipeline.robustness.results import CLEAN, WORST, Result, read_results, write_results
from pipeline.robustness.threat import Goal, ThreatModel
from tests.pipeline.robustness.test_report import table

SOME = DetectionRate(
    defence="pin",
    embedder="iresnet-50",
    threat_model=ThreatModel.EMBEDDER,
    goal=Goal.DODGE,
    attack="pgd-10x1",
    eps_255=8,
    taken_off=TakenOff.ALL,
    calibrated_on=Split.SELECT,
    threshold=0.489,
    false_alarm_rate=0.01,
    false_alarms_on_scored=0.018,
    n=100,
    highest=1.25,
    detected=0.98,
    ci_low=0.92,
    ci_high=1.0,
    seed=0,
    command="python -m bench.evidence_rates",
)
RESULT = Result(
    defence="pin",
    embedder="iresnet-50",
    threat_model=ThreatModel.ADAPTIVE,
    goal=Goal.DODGE,
    attack=WORST,
    eps_255=8,
    n=300,
    accuracy=0.25,
    ci_low=0.2,
    ci_high=0.3,
    clean_accuracy=0.97,
    seed=3,
    command="python -m evaluate",
)


def other(**changes: Any) -> DetectionRate:
    return dataclasses.replace(SOME, **changes)


FALSE_ALARMS = other(
    threat_model=ThreatModel.CORRUPTION,
    goal=None,
    attack=CLEAN,
    eps_255=0,
    detected=0.004,
    ci_low=0.001,
    ci_high=0.01,
)
NOTHING = other(taken_off=TakenOff.NOTHING, threshold=0.74, detected=0.76, ci_low=0.66, highest=1.5)
SCORE = other(calibrated_on=Split.SCORE, threshold=0.556, false_alarms_on_scored=0.01, detected=0.97)


def test_what_is_written_is_read_with_exactly_the_fields(tmp_path: Path) -> None:
    for rate in (SOME, FALSE_ALARMS):
        (line,) = json_lines([rate])
        assert tuple(json.loads(line)) == FIELDS
        assert rate_from(json.loads(line)) == rate
    add_rates(tmp_path / SUBFOLDER / "some.jsonl", [SOME, FALSE_ALARMS])
    assert read_rates(tmp_path) == [FALSE_ALARMS, SOME]
    again = other(detected=0.95, seed=1)
    add_rates(tmp_path / SUBFOLDER / "some.jsonl", [again])
    assert read_rates(tmp_path) == [FALSE_ALARMS, again]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("taken_off", "noise", "taken_off must be a TakenOff, not 'noise'"),
        ("calibrated_on", None, "calibrated_on must be a Split, not None"),
        ("threshold", 2.1, "threshold must be in 0 to 2, not 2.1"),
        ("false_alarm_rate", -0.1, "false_alarm_rate must be in 0 to 1, not -0.1"),
        ("n", 0, "n must be a whole number of at least 1, not 0"),
        ("detected", 0.5, "detected 0.5 must lie in its interval, ci_low 0.92 to ci_high 1"),
        ("command", "two\nlines", "command must be text on one line"),
    ],
)
def test_a_value_that_does_not_fit_is_named(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        other(**{field: value})


def test_thresholds_and_what_is_taken_off_belong_to_the_identity() -> None:
    assert len({rate.identity for rate in (SOME, FALSE_ALARMS, NOTHING, SCORE)}) == 4
    assert other(n=300, detected=0.99, threshold=0.5, seed=2).identity == SOME.identity


def test_records_of_evidence_lie_beside_results_and_are_not_taken_for_them(tmp_path: Path) -> None:
    write_results(tmp_path / "some.jsonl", [RESULT])
    assert read_rates(tmp_path) == []
    assert read_rates(tmp_path / "some.jsonl") == []
    add_rates(tmp_path / SUBFOLDER / "some.jsonl", [SOME])
    assert read_results(tmp_path) == [RESULT]
    assert read_rates(tmp_path) == [SOME]
    add_rates(tmp_path / "astray.jsonl", [SOME])
    with pytest.raises(UsageError, match=r"astray\.jsonl:1: not a result: it lacks accuracy"):
        read_results(tmp_path)


def test_the_report_has_each_threshold_once_and_every_rate() -> None:
    text = markdown([RESULT], rates=[SOME, FALSE_ALARMS, NOTHING, SCORE])
    thresholds = table(text, "### Thresholds of attack evidence")
    assert [tuple(row.values())[2:] for row in thresholds] == [
        ("nothing, select", "0.740", "1.0", "1.8"),
        ("noise and exposure, select", "0.489", "1.0", "1.8"),
        ("noise and exposure, score", "0.556", "1.0", "1.0"),
    ]
    clean, pgd = table(text, "### Found by attack evidence")
    assert (clean["threat model"], clean["goal"], clean["budget"]) == ("T0", "\N{EN DASH}", "no budget")
    assert clean["noise and exposure, select"] == "0.4 [0.1, 1.0]"
    assert clean["nothing, select"] == "\N{EN DASH}"
    assert (pgd["threat model"], pgd["goal"], pgd["budget"]) == ("T2a", "dodge", "eps 8/255")
    assert pgd["noise and exposure, select"] == "98.0 [92.0, 100.0]"
    assert pgd["nothing, select"] == "76.0 [66.0, 100.0]"
    assert pgd["noise and exposure, score"] == "97.0 [92.0, 100.0]"
    assert (pgd["highest, noise and exposure taken off"], pgd["n"]) == ("1.250", "100")
    assert f"{pgd['command']}. `{SOME.command}`" in text


def test_without_rates_the_report_does_not_speak_of_evidence() -> None:
    assert "Attack evidence" not in markdown([RESULT])
