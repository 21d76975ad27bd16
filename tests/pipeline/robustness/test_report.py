"""The report: every figure beside what it rests on, and nothing that was not measured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import pytest

from pipeline.errors import StorageError, UsageError
from pipeline.robustness.frontier import Frontier, doubts
from pipeline.robustness.labels import shared_area
from pipeline.robustness.plots import draw_all, plot_accuracy_by_eps, plot_clean_and_robust
from pipeline.robustness.report import markdown
from pipeline.robustness.results import CLEAN, WORST, Result
from pipeline.robustness.threat import Goal, ThreatModel


def result(defence: str, accuracy: float, **changes: Any) -> Result:
    values: dict[str, Any] = {
        "defence": defence,
        "embedder": "iresnet-50",
        "threat_model": ThreatModel.ADAPTIVE,
        "goal": Goal.DODGE,
        "attack": WORST,
        "eps_255": 8,
        "n": 300,
        "accuracy": accuracy,
        "ci_low": max(0.0, accuracy - 0.05),
        "ci_high": min(1.0, accuracy + 0.05),
        "clean_accuracy": 0.96,
        "seed": 0,
        "command": f"python -m evaluate --defence {defence}",
    }
    return Result(**(values | changes))


def clean(defence: str, accuracy: float, **changes: Any) -> Result:
    given: dict[str, Any] = {"threat_model": ThreatModel.CORRUPTION, "goal": None, "attack": CLEAN, "n": 600}
    return result(defence, accuracy, **(given | {"eps_255": 0, "clean_accuracy": accuracy} | changes))


SOME = [
    clean("none", 0.985),
    clean("pin", 0.96),
    result("none", 0.0),
    result("none", 0.125, goal=Goal.IMPERSONATE),
    result("pin", 0.4),
    result("pin", 0.55, goal=Goal.IMPERSONATE),
    result("pin", 0.45, attack="pgd-40x4", seed=7),
    result("pin", 0.7, threat_model=ThreatModel.TRANSFER, attack="mi-fgsm (mobilefacenet|adaface)", n=250),
    result("pin", 0.65, threat_model=ThreatModel.TRANSFER),
    result("pin", 0.62, eps_255=4),
    result("pin", 0.7, eps_255=4, goal=Goal.IMPERSONATE),
]


def table(text: str, heading: str) -> list[dict[str, str]]:
    """The rows of the first table below a heading, by column."""
    lines = text.partition(f"{heading}\n")[2].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def test_the_frontier_has_a_row_a_defence_with_what_it_costs_and_keeps() -> None:
    rows = table(markdown(SOME), "### Worst case, eps 8/255")
    assert [row["defence"] for row in rows] == ["none", "pin"]
    assert [row["clean"] for row in rows] == ["98.5 [93.5, 100.0]", "96.0 [91.0, 100.0]"]
    assert [row["T4 dodge"] for row in rows] == ["0.0 [0.0, 5.0]", "40.0 [35.0, 45.0]"]
    assert [row["T4 impersonate"] for row in rows] == ["12.5 [7.5, 17.5]", "55.0 [50.0, 60.0]"]
    assert [row["T1 dodge"] for row in rows] == ["\N{EN DASH}", "65.0 [60.0, 70.0]"]
    assert "T1 impersonate" not in rows[0]


def test_defences_stand_none_first_then_trained_ones_then_controls_by_size() -> None:
    names = ["paper-1e-6", "eigen-1500", "eigen-800", "wiener-0.05", "pinwatch-pin", "none"]
    frontier = Frontier.of([result(name, 0.5) for name in names])
    assert frontier.defences("iresnet-50") == [
        "none",
        "pinwatch-pin",
        "eigen-800",
        "eigen-1500",
        "paper-1e-6",
        "wiener-0.05",
    ]


def test_a_budget_has_only_what_was_measured_at_it() -> None:
    (row,) = table(markdown(SOME), "### Worst case, eps 4/255")
    assert (row["defence"], row["T4 dodge"], row["T4 impersonate"]) == (
        "pin",
        "62.0 [57.0, 67.0]",
        "70.0 [65.0, 75.0]",
    )
    assert "T1 dodge" not in row


def test_every_record_is_in_the_details_with_n_seed_and_command() -> None:
    text = markdown(SOME)
    rows = table(text, "## T4: knows everything, gradient through the purifier")
    (pgd,) = [row for row in rows if row["attack"] == "pgd-40x4"]
    assert (pgd["eps 8/255"], pgd["n"], pgd["seed"]) == ("45.0 [40.0, 50.0]", "300", "7")
    assert pgd["eps 4/255"] == "\N{EN DASH}"
    assert f"{pgd['command']}. `python -m evaluate --defence pin`" in text
    (surrogate, worst) = table(text, "## T1: transfer from other embedders")
    assert (surrogate["attack"], surrogate["n"]) == (r"mi-fgsm (mobilefacenet\|adaface)", "250")
    assert worst["attack"] == WORST
    shown = [row for model in ThreatModel for row in table_or_none(text, f"## {model}: {model.describes}")]
    assert sum(cell.count("[") for row in shown for cell in row.values()) == len(SOME)


def table_or_none(text: str, heading: str) -> list[dict[str, str]]:
    return table(text, heading) if heading in text else []


def test_the_head_says_which_threat_models_and_goals_are_there_and_no_others() -> None:
    text = markdown(SOME)
    for model in ThreatModel:
        there = any(one.threat_model is model for one in SOME)
        assert (f"- **{model}**: {model.describes}" in text) is there
    assert "(includes T1, T2a, T2b)" in text
    assert "**impersonate**" in text
    assert "**anyone**" not in text
    assert "counts as wrong" in text


def test_without_a_record_of_its_own_clean_accuracy_is_that_of_all_pairs_that_are_attacked() -> None:
    frontier = Frontier.of(
        [
            result("pin", 0.1, n=100, clean_accuracy=0.9),
            result("pin", 0.1, n=300, clean_accuracy=1.0, goal=Goal.IMPERSONATE),
            result("pin", 0.1, n=300, clean_accuracy=0.5, goal=Goal.ANYONE),
        ]
    )
    found = frontier.clean("iresnet-50", "pin")
    assert found is not None
    assert found.accuracy == pytest.approx(0.975)
    assert found.interval is None
    assert frontier.clean("iresnet-50", "none") is None


def test_the_worst_goal_is_known_only_where_all_goals_were_measured() -> None:
    frontier = Frontier.of(SOME)

    def worst(defence: str, eps_255: float) -> Result | None:
        return frontier.worst_goal("iresnet-50", defence, ThreatModel.ADAPTIVE, eps_255)

    assert worst("none", 8) == SOME[2]
    assert worst("pin", 4) == SOME[9]
    assert worst("none", 4) is None
    lacking = Frontier.of(one for one in SOME if one != SOME[2])  # "none" was not dodged
    assert lacking.worst_goal("iresnet-50", "none", ThreatModel.ADAPTIVE, 8) is None


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        (result("pin", 0.38, attack="apgd"), "T4 dodge, worst at eps 8: 40.0%, but 38.0% under T4 apgd"),
        (
            result("pin", 0.3, threat_model=ThreatModel.EMBEDDER, attack="pgd"),
            "T4 dodge, worst at eps 8: 40.0%, but 30.0% under T2a pgd",
        ),
        (result("pin", 0.6, attack="pgd-40x4", eps_255=16), "pgd-40x4 at eps 16: 60.0%, but 45.0% at eps 8"),
        (result("pin", 0.41, eps_255=16), "worst at eps 16: 41.0%, but 40.0% at eps 8"),
        (result("jpeg", 0.97), "jpeg with iresnet-50, T4 dodge, worst at eps 8: 97.0%, but 96.0% clean"),
    ],
)
def test_what_cannot_be_is_said(extra: Result, found: str) -> None:
    assert doubts(Frontier.of(SOME)) == []
    assert "None was found." in markdown(SOME)
    (doubt,) = doubts(Frontier.of([*SOME, extra]))
    assert doubt.endswith(found)
    assert found in markdown([*SOME, extra])


def test_attacks_on_other_pairs_are_not_compared() -> None:
    assert doubts(Frontier.of([*SOME, result("pin", 0.38, attack="apgd", n=100)])) == []


def test_without_worst_cases_the_report_says_so_and_nothing_is_drawn(tmp_path: Path) -> None:
    text = markdown([clean("none", 0.985)])
    assert "No worst case has been measured." in text
    with pytest.raises(UsageError, match="no worst case with a budget"):
        draw_all(Frontier.of([clean("none", 0.985)]), tmp_path)


def test_pictures_are_drawn_and_linked(tmp_path: Path) -> None:
    frontier = Frontier.of([*SOME, result("pin", 0.1, threat_model=ThreatModel.PATCH, eps_255=255)])
    pictures = draw_all(frontier, tmp_path / "plots")
    assert [path.name for _, path in pictures] == [
        "accuracy-by-eps-iresnet-50.png",
        "clean-and-robust-iresnet-50.png",
    ]
    for caption, path in pictures:
        picture = cv2.imread(str(path))
        assert picture is not None
        assert picture.std() > 10
        assert f"![{caption}]({path.name})" in markdown(SOME, [(caption, path.name)])
    assert "eps 8/255" in pictures[1][0]


def test_the_same_results_draw_the_same_picture(tmp_path: Path) -> None:
    for name in ("first.png", "second.png"):
        plot_clean_and_robust(Frontier.of(SOME), "iresnet-50", 8, tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_what_cannot_be_drawn_is_named(tmp_path: Path) -> None:
    frontier = Frontier.of(SOME)
    with pytest.raises(UsageError, match="at eps 3, only at 4, 8"):
        draw_all(frontier, tmp_path, 3)
    with pytest.raises(UsageError, match="embedder other is there at eps 8"):
        plot_clean_and_robust(frontier, "other", 8, tmp_path / "some.png")
    with pytest.raises(StorageError, match="cannot write the plot"):
        plot_accuracy_by_eps(frontier, "iresnet-50", tmp_path / "nowhere" / "some.png")


def test_every_defence_is_named_beside_its_point(tmp_path: Path) -> None:
    target = tmp_path / "some.svg"
    plot_clean_and_robust(Frontier.of(SOME), "iresnet-50", 8, target)
    drawn = target.read_text()
    assert drawn.count("<!-- none -->") == 1  # in the panel of T4; T1 has no such result
    assert drawn.count("<!-- pin -->") == 2


def test_the_area_that_boxes_share() -> None:
    assert shared_area((0, 0, 2, 2), (1, 1, 4, 4)) == 1
    assert shared_area((0, 0, 2, 2), (2, 0, 4, 4)) == 0
