"""Records: none without its threat model, budget, seed and command, and none that is read as another."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StorageError, UsageError
from pipeline.robustness.records import json_lines, merged
from pipeline.robustness.results import (
    FIELDS,
    WORST,
    Result,
    add_results,
    read_results,
    result_from,
    write_results,
)
from pipeline.robustness.threat import Goal, ThreatModel

SOME = Result(
    defence="pin",
    embedder="iresnet-50",
    threat_model=ThreatModel.ADAPTIVE,
    goal=Goal.DODGE,
    attack="pgd-40x4",
    eps_255=8,
    n=300,
    accuracy=0.25,
    ci_low=0.2,
    ci_high=0.3,
    clean_accuracy=0.97,
    seed=3,
    command="python -m evaluate --seed 3",
)


def other(**changes: Any) -> Result:
    return dataclasses.replace(SOME, **changes)


def test_the_fields_are_those_of_the_files() -> None:
    assert FIELDS == (
        "defence",
        "embedder",
        "threat_model",
        "goal",
        "attack",
        "eps_255",
        "n",
        "accuracy",
        "ci_low",
        "ci_high",
        "clean_accuracy",
        "seed",
        "command",
    )
    (line,) = json_lines([SOME])
    assert list(json.loads(line)) == list(FIELDS)
    assert json.loads(line)["threat_model"] == "T4"
    assert json.loads(line)["goal"] == "dodge"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("defence", "", "defence must be text on one line"),
        ("command", "two\nlines", "command must be text on one line"),
        ("threat_model", "T4", "threat_model must be a ThreatModel, not 'T4'"),
        ("goal", "dodge", "goal must be a Goal or None, not 'dodge'"),
        ("eps_255", 255.5, "eps_255 must be in 0 to 255, not 255.5"),
        ("eps_255", "8", "eps_255 must be a number, not '8'"),
        ("n", 0, "n must be a whole number of at least 1, not 0"),
        ("n", 300.0, "n must be a whole number"),
        ("seed", True, "seed must be a whole number"),
        ("accuracy", float("nan"), "accuracy must be in 0 to 1, not nan"),
        ("clean_accuracy", 97.0, "clean_accuracy must be in 0 to 1, not 97.0"),
        ("accuracy", 0.31, r"accuracy 0.31 must lie in its interval, ci_low 0.2 to ci_high 0.3"),
    ],
)
def test_a_value_that_does_not_fit_is_named(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        other(**{field: value})


SHARES = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted)
TEXTS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20)
RESULTS = st.builds(
    lambda shares, **rest: Result(ci_low=shares[0], accuracy=shares[1], ci_high=shares[2], **rest),
    shares=SHARES,
    defence=TEXTS,
    embedder=TEXTS,
    threat_model=st.sampled_from(ThreatModel),
    goal=st.none() | st.sampled_from(Goal),
    attack=TEXTS,
    eps_255=st.floats(0, 255) | st.integers(0, 255),
    n=st.integers(1, 10_000),
    clean_accuracy=st.floats(0, 1),
    seed=st.integers(0, 2**32),
    command=TEXTS,
)


@given(RESULTS)
def test_what_is_written_is_read(result: Result) -> None:
    (line,) = json_lines([result])
    assert "\n" not in line
    assert result_from(json.loads(line)) == result


def test_a_file_holds_each_identity_once_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "results" / "some.jsonl"
    first, second = other(eps_255=4), other(attack=WORST, goal=None)
    write_results(path, [SOME, first, second])
    again = other(accuracy=0.22, seed=4, command="python -m evaluate --seed 4")
    add_results(path, [again])
    assert read_results(path) == [second, first, again]
    text = path.read_text()
    write_results(path, reversed(read_results(path)))
    assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_an_identity_is_all_that_names_a_measurement() -> None:
    changes: list[dict[str, Any]] = [
        {"defence": "none"},
        {"embedder": "mobilefacenet"},
        {"threat_model": ThreatModel.TRANSFER},
        {"goal": None},
        {"attack": "apgd-100"},
        {"eps_255": 4},
    ]
    assert len(merged([SOME, *(other(**change) for change in changes)])) == 7
    assert len(merged([SOME, other(n=200, seed=1, clean_accuracy=0.9, command="other")])) == 1


def test_a_later_line_replaces_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text("".join(f"{line}\n" for line in json_lines([SOME, other(accuracy=0.21)])))
    assert read_results(path) == [other(accuracy=0.21)]


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    write_results(tmp_path / "a.jsonl", [SOME])
    write_results(tmp_path / "b.jsonl", [SOME, other(eps_255=4)])
    (tmp_path / "notes.txt").write_text("not a result")
    assert read_results(tmp_path) == [other(eps_255=4), SOME]


def test_two_files_that_differ_are_refused_and_both_are_named(tmp_path: Path) -> None:
    write_results(tmp_path / "a.jsonl", [other(eps_255=4), SOME])
    write_results(tmp_path / "b.jsonl", [other(accuracy=0.21)])
    with pytest.raises(
        UsageError, match=r"b\.jsonl:1: .*a\.jsonl:2 has another .*pin, iresnet-50, T4, dodge"
    ):
        read_results(tmp_path)


def _record(**changes: Any) -> str:
    return json.dumps({**SOME.to_record(), **changes})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "not a line of JSON"),
        ('{"defence": ', "not a line of JSON: Expecting value at column 13"),
        ("[]", "not a result: a record must be a JSON object"),
        (_record(speed=3), "it has unknown 'speed'"),
        ('{"defence": "pin"}', "it lacks embedder, threat_model, goal"),
        (_record(threat_model="T9"), "threat_model must be one of T0, T1, T2a, T2b, T3, T4, T5, not 'T9'"),
        (_record(goal="win"), "goal must be one of dodge, impersonate, anyone, not 'win'"),
        (_record(accuracy=float("nan")), "NaN is not a number that a record may hold"),
        (_record(accuracy="0.25"), "accuracy must be a number, not '0.25'"),
        (_record()[:-1] + ', "n": 2}', "a field is there twice"),
    ],
)
def test_a_bad_line_is_named_with_its_file(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text(f"{_record()}\n{line}\n")
    with pytest.raises(UsageError, match=r"some\.jsonl:2: ") as caught:
        read_results(path)
    assert message in str(caught.value)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.jsonl cannot be read"):
        read_results(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="holds no results"):
        read_results(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write the results"):
        write_results(tmp_path / "file" / "some.jsonl", [SOME])
