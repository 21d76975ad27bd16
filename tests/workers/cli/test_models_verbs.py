"""The verbs of `pinwatch models` and `pinwatch pin`, as a user runs them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from pipeline.errors import ChecksumMismatch, ModelNotFound, UsageError
from tests import supplied
from workers import kept_crops
from workers.build import Context
from workers.cli import models as models_verbs
from workers.cli import pin as pin_verbs
from workers.cli.common import App

Run = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(data: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("models", "list")``; errors come as exceptions, as `workers.cli.main` gets them."""
    monkeypatch.delenv("PINWATCH_MODELS", raising=False)
    app = App()
    app.add_typer(models_verbs.app, name="models")
    app.add_typer(pin_verbs.app, name="pin")

    def invoke(*arguments: object, **environment: str) -> Result:
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        context = Context()
        given = [*map(str, arguments), "--data", str(data)]
        result = CliRunner().invoke(app, given, obj=context)
        context.close()
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def from_json(result: Result) -> Any:
    return json.loads(result.stdout)


def test_list_shows_every_card_and_what_is_missing(run: Run) -> None:
    listed = {entry["name"]: entry for entry in from_json(run("models", "list", "--json"))}
    used = {name for name, entry in listed.items() if entry["used"]}
    assert used == {"pinwatch-detector", "pinwatch-face", "pinwatch-pin"}
    assert {listed[name]["files"][0]["state"] for name in used} == {"ok"}, "they come with the program"
    assert listed["yunet"]["files"][0]["state"] == "missing"
    assert listed["none"]["files"] == []
    table = run("models", "list").stdout
    assert "yunet" in table
    assert "missing" in table


def test_info_shows_licence_checksum_and_address(run: Run) -> None:
    shown = run("models", "info", "mobilefacenet").stdout
    for part in ("Apache-2.0", "90a00ba1", "https://github.com/foamliu", "112x112"):
        assert part in shown
    assert from_json(run("models", "info", "mobilefacenet", "--json"))["dim"] == 128
    with pytest.raises(ModelNotFound, match="Did you mean"):
        run("models", "info", "mobilfacenet")


@pytest.mark.assets
def test_pull_from_a_folder_then_check(run: Run, models: Path, data: Path) -> None:
    pulled = run("models", "pull", "yunet", "mobilefacenet", "--from", models)
    assert (data / "models" / "mobilefacenet.pt").read_bytes() == (models / "mobilefacenet.pt").read_bytes()
    assert str(data / "models" / "yunet_n_dynamic.onnx") in pulled.stdout
    checked = from_json(run("models", "check", "--json"))
    assert {entry["state"] for entry in checked} == {"ok"}
    shipped = {"pinwatch-detector", "pinwatch-face", "pinwatch-hardened", "pinwatch-pin"}
    # The last one comes with a package that tests install.
    assert {entry["model"] for entry in checked} == {"yunet", "mobilefacenet", *shipped, "dlib-resnet"}


@pytest.mark.assets
def test_pull_without_names_gets_what_the_configuration_uses(run: Run, models: Path, data: Path) -> None:
    run("models", "pull", "--from", models, **supplied.ENVIRONMENT)
    names = {path.name for path in (data / "models").iterdir()}
    assert "yunet_n_dynamic.onnx" in names
    assert "face-reidentification-retail-0095.bin" in names
    assert "mobilefacenet.pt" not in names


@pytest.mark.assets
def test_check_fails_on_a_wrong_file_and_says_which(run: Run, models: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(models / "yunet_n_dynamic.onnx", own)
    (own / "mobilefacenet.pt").write_bytes(b"something else")
    result = run("models", "check", PINWATCH_MODELS=str(own))
    assert result.exit_code == 1
    assert "mobilefacenet.pt" in result.stderr
    assert "expected sha256 90a00ba1" in result.stderr
    assert run("models", "check", "yunet").exit_code == 0


def test_there_is_nothing_to_pull_where_the_program_has_what_it_uses(run: Run, data: Path) -> None:
    said = run("models", "pull").stdout
    for name in ("pinwatch-detector", "pinwatch-face", "pinwatch-pin"):
        assert f"{name}: it is installed" in said
    assert not (data / "models").exists()


def test_check_fails_on_a_named_model_that_is_not_here(run: Run) -> None:
    assert run("models", "check").exit_code == 0
    assert run("models", "check", "yunet").exit_code == 1


def test_pull_refuses_a_wrong_file_by_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mobilefacenet.pt").write_bytes(b"something else")
    with pytest.raises(ChecksumMismatch, match=r"mobilefacenet\.pt"):
        run("models", "pull", "mobilefacenet", "--from", tmp_path)


@pytest.mark.assets
def test_fit_makes_a_purifier_that_can_be_chosen_by_name(
    run: Run, assets: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    for person in ("Abel_Pacheco", "Akhmed_Zakayev", "Amber_Tamblyn"):
        shutil.copytree(assets / "faces" / "lfw-dev" / person, photos / person)
    for photo in sorted(photos.rglob("*.jpg")):
        image = cv2.imread(str(photo))
        assert image is not None
        for degrees in range(-20, 21, 4):
            turned = cv2.warpAffine(image, cv2.getRotationMatrix2D((125, 125), degrees, 1.1), (250, 250))
            cv2.imwrite(str(photo.with_name(f"{photo.stem}_{degrees}.png")), turned)
    (photos / "broken.jpg").write_bytes(b"no photograph")
    cv2.imwrite(str(photos / "empty.png"), np.full((200, 200, 3), 127, np.uint8))
    arguments = ("pin", "fit", "--faces", photos, "--components", 200, "--name", "office")
    with pytest.raises(UsageError, match="too few"):  # stopped, once the faces have been found
        run(*arguments, "--components", 2_000, "--basis", "eigen", PINWATCH_MODELS=str(models))
    with monkeypatch.context() as patched:
        patched.setattr(kept_crops, "crop_of", None)  # whoever looks for faces again fails
        result = run(*arguments, "--json")
    assert not (tmp_path / "data" / "models" / "office.work").exists()
    made = from_json(result)
    assert made["model_id"] == f"office@{made['sha256'][:8]}"
    assert made["faces"] > 60
    assert "left out: they cannot be read" in result.stderr
    assert "left out: no face was found" in result.stderr
    assert from_json(run("pin", "info", "office", "--json"))["components"] == 200
    with pytest.raises(UsageError, match="already"):
        run(*arguments)


@pytest.mark.assets
@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        (("--basis", "wavelet"), "eigen or separable"),
        (("--name", "none"), "already"),
        (("--name", "../up"), "--name"),
        ((), "too few"),
    ],
)
def test_fit_refuses_what_it_cannot_do(
    run: Run, assets: Path, models: Path, extra: tuple[str, ...], problem: str
) -> None:
    faces = assets / "faces" / "lfw-dev" / "Abel_Pacheco"
    with pytest.raises(UsageError, match=problem):
        run("pin", "fit", "--faces", faces, *extra, PINWATCH_MODELS=str(models))


def test_fit_names_a_folder_without_photographs(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no photographs"):
        run("pin", "fit", "--faces", tmp_path)
    with pytest.raises(UsageError, match="nowhere"):
        run("pin", "fit", "--faces", tmp_path / "nowhere")


@pytest.mark.parametrize(
    "verb",
    ["models list", "models info", "models check", "models pull", "pin fit", "pin train", "pin info"],
)
def test_every_verb_has_help_with_an_example(run: Run, verb: str) -> None:
    assert f"pinwatch {verb}" in run(*verb.split(), "--help").stdout
