"""The commands of the recipes, from files to cards, in a few steps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.detect.load import load_detector
from pipeline.embed.load import load_embedder, load_network
from pipeline.embed.residual import ResidualFaceNet
from pipeline.models import Catalogue, ModelKind
from tests.toys import toy_pack, toy_photo
from training import detector, embedder, harden
from training.labels import load_labels

PEOPLE = ("Abel_Pacheco", "Akhmed_Zakayev", "Amber_Tamblyn")


@pytest.mark.assets
def test_an_embedder_is_trained_and_gone_on_with(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toy_pack(tmp_path / "faces.npz")
    command = ["--faces", str(tmp_path / "faces.npz"), "--models", str(models), "--out", str(tmp_path)]
    recipe = ["--teacher", "mobilefacenet", "--made", "0", "--views", "16", "--batch", "8", "--queue", "8"]
    assert embedder.main([*command, *recipe, "--name", "first"]) == 0
    assert "begun from random weights, 16 views" in capsys.readouterr().out
    assert embedder.main([*command, *recipe, "--name", "second", "--start", "first"]) == 0
    assert "begun from first@" in capsys.readouterr().out
    catalogue = Catalogue.load([models, tmp_path])
    none = catalogue.open("none", ModelKind.PURIFIER)
    trained = load_embedder(catalogue.open("second", ModelKind.EMBEDDER), none)
    (embedding,) = trained.embed([toy_photo(0, 1)])
    assert embedding.vector.shape == (256,)
    assert embedding.confidence is not None
    stage = ["--views", "8", "--batch", "4", "--attack-steps", "1", "--last-attack-steps", "1"]
    behind = ["--embedder", "second", "--purifier", "pinwatch-pin", "--select-every", "0"]
    assert harden.main([*command, *stage, *behind, "--name", "hard"]) == 0
    assert "second, 2 steps of the adversarial stage behind pinwatch-pin" in capsys.readouterr().out
    hardened = Catalogue.load([tmp_path]).open("hard", ModelKind.EMBEDDER)
    assert isinstance(load_network(hardened), ResidualFaceNet)
    assert embedder.main([*command, *recipe, "--start", "mobilefacenet"]) != 0
    assert "the recipe trains residual_facenet" in capsys.readouterr().err


@pytest.mark.assets
def test_a_detector_is_trained_on_what_two_teachers_say(
    assets: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for person in PEOPLE:
        shutil.copytree(assets / "faces" / "lfw-dev" / person, tmp_path / "photos" / person)
    labels, pairs = tmp_path / "labels.npz", assets / "faces" / "pairs-dev.txt"
    command = ["--photos", str(tmp_path / "photos"), "--pairs", str(pairs), "--models", str(models)]
    assert detector.main(["label", *command, "--out", str(labels)]) == 0
    labelled = load_labels(labels)
    assert f"{len(labelled)} photographs" in capsys.readouterr().out
    assert labelled
    assert sum(len(photo.boxes) for photo in labelled) >= len(labelled) - 1
    train = ["train", "--labels", str(labels), "--out", str(tmp_path), "--scenes", "8", "--batch", "4"]
    assert detector.main(train) == 0
    model = Catalogue.load([tmp_path]).open("detector", ModelKind.DETECTOR)
    trained = load_detector(model, size_px=320, min_score=0.9)
    assert trained.detect([labelled[0].image_bgr()]) == [[]]
    assert detector.main(["label", *command, "--out", str(labels), "--teacher", "yunet"]) != 0
    assert "two teachers must agree" in capsys.readouterr().err
    assert detector.main(["train", "--labels", str(pairs), "--out", str(tmp_path)]) != 0
    assert "pairs-dev.txt" in capsys.readouterr().err
