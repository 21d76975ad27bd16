"""`pinwatch robustness report`, as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner
from typer.testing import Result as Ran

from pipeline.errors import StorageError, UsageError
from pipeline.robustness.controls import CONTROLS
from pipeline.robustness.detection_rates import SUBFOLDER, DetectionRate, TakenOff, add_rates
from pipeline.robustness.plan import PLANS
from pipeline.robustness.protocol import Split
from pipeline.robustness.results import CLEAN, FIELDS, WORST, Result, read_results, write_results
from pipeline.robustness.threat import Goal, ThreatModel
from workers.build import Context
from workers.cli import robustness
from workers.cli.common import App

Run = Callable[..., Ran]


def make(defence: str, accuracy: float, **changes: Any) -> Result:
    values: dict[str, Any] = {
        "embedder": "iresnet-50",
        "threat_model": ThreatModel.ADAPTIVE,
        "goal": Goal.DODGE,
        "attack": WORST,
        "eps_255": 8.0,
        "n": 300,
        "ci_low": accuracy,
        "ci_high": accuracy,
        "clean_accuracy": 0.96,
        "seed": 0,
        "command": "python -m evaluate",
    }
    return Result(defence=defence, accuracy=accuracy, **(values | changes))


def detection(**changes: Any) -> DetectionRate:
    values: dict[str, Any] = {
        "defence": "pin",
        "embedder": "iresnet-50",
        "threat_model": ThreatModel.EMBEDDER,
        "goal": Goal.DODGE,
        "attack": "pgd-10x1",
        "eps_255": 8.0,
        "taken_off": TakenOff.ALL,
        "calibrated_on": Split.SELECT,
        "threshold": 0.489,
        "false_alarm_rate": 0.01,
        "false_alarms_on_scored": 0.018,
        "n": 100,
        "highest": 1.25,
        "detected": 0.98,
        "ci_low": 0.92,
        "ci_high": 1.0,
        "seed": 0,
        "command": "python -m bench.evidence_rates",
    }
    return DetectionRate(**(values | changes))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    write_results(folder / "none.jsonl", [make("none", 0.0), make("none", 0.1, embedder="mobilefacenet")])
    write_results(
        folder / "pin.jsonl", [make("pin", 0.4), make("pin", 0.7, threat_model=ThreatModel.TRANSFER)]
    )
    return folder


@pytest.fixture
def run() -> Run:
    """``run("report")``; errors come as exceptions, as `workers.cli.main` gets them."""
    app = App()
    app.add_typer(robustness.app, name="robustness")

    def invoke(*arguments: object) -> Ran:
        ran = CliRunner().invoke(app, ["robustness", *map(str, arguments)], obj=Context({}))
        if ran.exception and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        return ran

    return invoke


def records(ran: Ran) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_report_is_markdown(run: Run, results: Path) -> None:
    ran = run("report", "--results", results)
    assert ran.stdout.startswith("# Robustness\n")
    assert "| 40.0 [40.0, 40.0] |" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) > 90  # tables are not wrapped


def test_json_is_one_record_a_line_with_exactly_the_fields(run: Run, results: Path) -> None:
    printed = records(run("report", "--results", results, "--json"))
    assert printed == [result.to_record() for result in read_results(results)]
    assert all(tuple(record) == FIELDS for record in printed)


def test_one_file_can_be_reported(run: Run, results: Path) -> None:
    printed = records(run("report", "--results", results / "pin.jsonl", "--json"))
    assert {record["defence"] for record in printed} == {"pin"}


@pytest.mark.parametrize(
    ("options", "accuracies"),
    [
        (["--defence", "pin"], [0.7, 0.4]),
        (["--defence", "pin", "--threat-model", "T4"], [0.4]),
        (["--threat-model", "T1", "--threat-model", "T4", "--embedder", "iresnet-50"], [0.0, 0.7, 0.4]),
        (["--embedder", "mobilefacenet"], [0.1]),
    ],
)
def test_filters(run: Run, results: Path, options: list[str], accuracies: list[float]) -> None:
    printed = records(run("report", "--results", results, "--json", *options))
    assert [record["accuracy"] for record in printed] == accuracies


def test_clean_accuracy_is_shown_beside_every_threat_model(run: Run, results: Path) -> None:
    clean = make("pin", 0.955, threat_model=ThreatModel.CORRUPTION, goal=None, attack=CLEAN, eps_255=0)
    write_results(results / "clean.jsonl", [clean])
    arguments = ["report", "--results", results, "--threat-model", "T4"]
    assert "| 95.5 [95.5, 95.5] | 40.0 [40.0, 40.0] |" in run(*arguments).stdout
    assert {record["threat_model"] for record in records(run(*arguments, "--json"))} == {"T4"}


def test_a_filter_that_fits_nothing_says_what_there_is(run: Run, results: Path) -> None:
    with pytest.raises(UsageError, match="--defence: there are no results of 'pim', only of none, pin"):
        run("report", "--results", results, "--defence", "pim")
    with pytest.raises(UsageError, match="--threat-model: there are no results of 'T1', only of T4"):
        run("report", "--results", results, "--defence", "none", "--threat-model", "T1")


def test_attack_evidence_is_in_the_markdown_alone_and_filtered_alike(run: Run, results: Path) -> None:
    plain = run("report", "--results", results, "--json").stdout
    tracks = {
        "threat_model": ThreatModel.CORRUPTION,
        "goal": None,
        "attack": "tracks of some.mp4",
        "eps_255": 0,
    }
    rates = [detection(), detection(**tracks), detection(embedder="mobilefacenet", attack="fgsm")]
    add_rates(results / SUBFOLDER / "some.jsonl", rates)
    assert run("report", "--results", results, "--json").stdout == plain

    def found(*options: str) -> list[str]:
        text = run("report", "--results", results, *options).stdout
        return [
            rate.attack for rate in rates if f"| {rate.attack} " in text.partition("## Attack evidence")[2]
        ]

    assert found() == ["pgd-10x1", "tracks of some.mp4", "fgsm"]
    assert found("--defence", "none") == []
    assert found("--embedder", "iresnet-50") == ["pgd-10x1", "tracks of some.mp4"]
    assert found("--threat-model", "T4") == ["tracks of some.mp4"]


def test_out_and_plots_write_files_that_find_each_other(run: Run, results: Path, tmp_path: Path) -> None:
    report, plots = tmp_path / "docs" / "report.md", tmp_path / "plots"
    report.parent.mkdir()
    ran = run("report", "--results", results, "--out", report, "--plots", plots, "--eps", 8)
    assert ran.stdout == ""
    pictures = sorted(path.name for path in plots.iterdir())
    assert len(pictures) == 4  # two of each embedder
    text = report.read_text()
    assert all(f"](../plots/{name})" in text for name in pictures)
    assert all(str(plots / name) in ran.stderr.replace("\n", "") for name in pictures)


def test_what_cannot_be_done_is_named(run: Run, results: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at eps 3, only at 8"):
        run("report", "--results", results, "--plots", tmp_path, "--eps", 3)
    with pytest.raises(StorageError, match="cannot write"):
        run("report", "--results", results, "--out", tmp_path / "nowhere" / "report.md")
    with pytest.raises(UsageError, match="holds no results"):
        run("report", "--results", tmp_path)


def test_help_of_run_names_every_plan_and_control() -> None:
    assert tuple(PLANS) == robustness.PLAN_NAMES
    assert CONTROLS == robustness.CONTROL_NAMES
    command = get_command(robustness.app).commands["run"]  # type: ignore[attr-defined]
    help_of = {option.name: option.help for option in command.params}
    assert all(name in help_of["plan"] for name in PLANS)
    assert all(name in help_of["defence"] for name in CONTROLS)


def test_the_results_of_the_source_tree_are_the_default(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name a folder of them with --results"):
        robustness.committed_results(tmp_path)
    folder = tmp_path / "docs" / "robustness" / "results"
    folder.mkdir(parents=True)
    assert robustness.committed_results(tmp_path) == folder
    assert (robustness.SOURCE_TREE / "workers" / "cli" / "robustness.py").is_file()
