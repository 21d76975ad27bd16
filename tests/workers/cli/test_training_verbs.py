"""`pinwatch pin train`, `pinwatch robustness pack` and `run` on real faces, in small."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline.errors import UsageError
from pipeline.models import Catalogue, ModelKind
from pipeline.purify.load import load_purifier
from pipeline.purify.pin import Pin
from pipeline.robustness.faces import load_faces
from pipeline.robustness.protocol import Split
from pipeline.robustness.results import read_results
from pipeline.robustness.threat import ThreatModel
from workers.build import Context
from workers.cli import pin as pin_verbs
from workers.cli import robustness
from workers.cli.common import App

Run = Callable[..., Result]

pytestmark = pytest.mark.assets


@pytest.fixture
def run(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("pin", "train", ...)``; errors come as exceptions, as `workers.cli.main` gets them."""
    monkeypatch.setenv("PINWATCH_MODELS", str(models))
    app = App()
    app.add_typer(pin_verbs.app, name="pin")
    app.add_typer(robustness.app, name="robustness")

    def invoke(*arguments: object) -> Result:
        context = Context()
        given = [*map(str, arguments), "--data", str(tmp_path / "data"), "--embedder", "mobilefacenet"]
        result = CliRunner().invoke(app, given, obj=context)
        context.close()
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def people(assets: Path, tmp_path: Path) -> Path:
    """Two dozen people of LFW with three photographs each."""
    chosen = [
        (folder, photos)
        for folder in sorted((assets / "faces" / "lfw-dev").iterdir())
        if len(photos := sorted(folder.glob("*.jpg"))) >= 3
    ]
    for folder, photos in itertools.islice(chosen, 24):
        (tmp_path / "people" / folder.name).mkdir(parents=True)
        for photo in photos[:3]:
            shutil.copy(photo, tmp_path / "people" / folder.name)
    return tmp_path / "people"


def pairs_of(people: Path, path: Path) -> Path:
    """A list as LFW's View 2: folds 1 to 5 of 300 genuine and 300 impostor pairs, of four people a fold.

    Folds 2 and 3 are of nobody here.
    """
    names = sorted(folder.name for folder in people.iterdir())
    groups = {1: names[:4], 2: ["Xa", "Xb"], 3: ["Ya", "Yb"], 4: names[4:8], 5: names[8:12]}
    rows = []
    for group in groups.values():
        genuine = [f"{name}\t{a}\t{b}" for name in group for a, b in ((1, 2), (1, 3), (2, 3))]
        impostor = [f"{a}\t1\t{b}\t2" for a, b in itertools.permutations(group, 2)]
        rows += list(itertools.islice(itertools.cycle(genuine), 300))
        rows += list(itertools.islice(itertools.cycle(impostor), 300))
    path.write_text("5\t300\n" + "\n".join(rows) + "\n")
    return path


def test_train_makes_a_purifier_that_loads_and_goes_on_where_it_stopped(
    run: Run, people: Path, tmp_path: Path
) -> None:
    arguments = ("pin", "train", "--faces", people, "--name", "office", "--steps", 2, "--examples", 64)
    assert "--purifier office" in run(*arguments).stdout
    folder = tmp_path / "data" / "models"
    pin = load_purifier(Catalogue.load([folder]).open("office", ModelKind.PURIFIER))
    assert isinstance(pin, Pin)
    first = (folder / "office.safetensors").read_bytes()
    (folder / "office.safetensors").unlink()
    (folder / "office.card.yaml").unlink()
    run(*arguments)
    assert (folder / "office.safetensors").read_bytes() == first
    assert json.loads(run("pin", "info", "office", "--json").stdout)["selector"] == "pinwatch"
    with pytest.raises(UsageError, match=r"the folder office\.work"):
        run(*arguments)
    for name in ("office.safetensors", "office.card.yaml"):
        (folder / name).unlink()
    shutil.rmtree(people / sorted(path.name for path in people.iterdir())[0])
    with pytest.raises(UsageError, match="photographs"):
        run(*arguments)


def test_the_published_recipe_asks_for_more_faces_than_components(run: Run, people: Path) -> None:
    with pytest.raises(UsageError, match="too few"):
        run("pin", "train", "--faces", people, "--selector", "paper")


def test_the_published_recipe_in_small(run: Run, people: Path, tmp_path: Path) -> None:
    """Every number of the recipe that can be chosen reaches it: each makes other weights."""
    small = {"components": 20, "width": 0.05, "epochs": 1, "denoise-epochs": 1, "penalty": 1e-4}
    changes = {"first": {}, "rate": {"learning-rate": 1e-3}, "price": {"penalty": 0.1}}
    weights = {}
    for name, change in changes.items():
        options = [f"--{key}={value}" for key, value in (small | change).items()]
        run("pin", "train", "--faces", people, "--selector", "paper", "--name", name, *options)
        weights[name] = (tmp_path / "data" / "models" / f"{name}.safetensors").read_bytes()
    assert len(set(weights.values())) == 3
    assert json.loads(run("pin", "info", "first", "--json").stdout)["components"] == 20


def test_wrong_choices_are_refused_by_name(run: Run, people: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--selector"):
        run("pin", "train", "--faces", people, "--selector", "magic")
    with pytest.raises(UsageError, match="--plan"):
        run("robustness", "run", "--faces", tmp_path, "--defence", "none", "--plan", "huge")
    with pytest.raises(UsageError, match="--split"):
        run("robustness", "run", "--faces", tmp_path, "--defence", "none", "--split", "train")
    with pytest.raises(UsageError, match="pinwatch robustness pack"):
        run("robustness", "run", "--faces", tmp_path / "none.npz", "--defence", "none")


def test_pack_and_run(run: Run, people: Path, tmp_path: Path) -> None:
    faces, out = tmp_path / "faces.npz", tmp_path / "results.jsonl"
    pairs = pairs_of(people, tmp_path / "pairs.txt")
    assert "72 crops" in run("robustness", "pack", "--faces", people, "--pairs", pairs, "--out", faces).stdout
    assert len(load_faces(faces).rows_of(Split.SCORE)) == 12
    attack = ["--faces", faces, "--plan", "smoke", "--out", out, "--work", tmp_path / "work"]
    with pytest.raises(UsageError, match="no defence 'nothing'"):
        run("robustness", "run", *attack, "--defence", "nothing", "--surrogate", "dct-300")
    shown = run("robustness", "run", *attack, "--defence", "none", "--surrogate", "dct-300")
    assert "gradients agree" in shown.stdout or isinstance(shown.exception, SystemExit)
    results = read_results(out)
    assert {result.threat_model for result in results} == set(ThreatModel) - {ThreatModel.TRANSFER}
    assert all("--defence none" in result.command for result in results)
    assert not [result for result in results if str(tmp_path) in result.command]
    report = run("robustness", "report", "--results", out, "--json", "--threat-model", "T5").stdout
    assert {json.loads(line)["threat_model"] for line in report.splitlines()} == {"T5"}


def test_a_pack_without_pairs_is_refused(run: Run, people: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("5\t300\n" + "Nobody\t1\t2\n" * 300)
    with pytest.raises(UsageError, match="none of the pairs"):
        run("robustness", "pack", "--faces", people, "--pairs", pairs, "--out", tmp_path / "faces.npz")
