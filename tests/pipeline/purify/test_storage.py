"""What was fitted comes back the same, by name; damaged files are refused."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import ChecksumMismatch, ModelFormatError, StorageError
from pipeline.models import Catalogue, ModelKind, VerifiedModel
from pipeline.purify.fit import BasisKind, FitOptions, fit_pin, save_fitted
from pipeline.purify.load import load_purifier
from pipeline.purify.pin import NoPurification, Pin
from pipeline.purify.selector import TopK
from pipeline.purify.storage import load_pin
from pipeline.types import ByteArray
from tests.contracts.purifier import noise_crops

OPTIONS = FitOptions(40, 10)


@pytest.fixture
def folder(pictures: list[ByteArray], tmp_path: Path) -> Path:
    """A folder of models with the fitted purifier ``mine``."""
    save_fitted(fit_pin(pictures, OPTIONS), tmp_path, "mine", OPTIONS)
    return tmp_path


def opened(folder: Path) -> VerifiedModel:
    return Catalogue.load([folder]).open("mine", ModelKind.PURIFIER)


@pytest.mark.parametrize("kind", list(BasisKind))
def test_what_was_saved_purifies_the_same(pictures: list[ByteArray], tmp_path: Path, kind: BasisKind) -> None:
    options = FitOptions(40, 10, kind)
    fitted = fit_pin(pictures, options)
    card = save_fitted(fitted, tmp_path, "mine", options)
    loaded = load_purifier(opened(tmp_path))
    assert isinstance(loaded, Pin)
    assert loaded.purifier_id == card.model_id == f"mine@{card.files[0].sha256[:8]}"
    direct = Pin("mine", fitted.mean, fitted.basis, TopK(40, 40), 10)
    assert torch.equal(loaded(noise_crops(2)), direct(noise_crops(2)))


def test_the_card_says_what_was_fitted(folder: Path) -> None:
    card = opened(folder).card
    assert "120 faces" in card.description
    assert dict(card.options) == {"keep": 40, "chroma_keep": 10}


def test_fewer_components_can_be_kept_than_were_fitted(folder: Path) -> None:
    path = folder / "mine.card.yaml"
    document = json.loads(path.read_text())
    document["options"] = {"keep": 8}
    path.write_text(json.dumps(document))
    loaded = load_purifier(opened(folder))
    stored = load_pin(folder / "mine.safetensors")
    expected = Pin("mine", stored.mean, stored.basis.truncated(8), TopK(8, 8), 2)
    assert torch.equal(loaded(noise_crops(1)), expected(noise_crops(1)))


@pytest.mark.parametrize(
    "options", [{"keep": 41}, {"keep": 0}, {"keep": "all"}, {"keep": 8, "chroma_keep": 9}]
)
def test_options_that_do_not_fit_are_refused(folder: Path, options: dict[str, object]) -> None:
    path = folder / "mine.card.yaml"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"options": options}))
    with pytest.raises(ModelFormatError, match="keep"):
        load_purifier(opened(folder))


def test_none_needs_no_file() -> None:
    assert isinstance(load_purifier(Catalogue.load([]).open("none", ModelKind.PURIFIER)), NoPurification)


def test_a_flipped_bit_is_a_wrong_checksum(folder: Path) -> None:
    path = folder / "mine.safetensors"
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)
    with pytest.raises(ChecksumMismatch, match=r"mine\.safetensors"):
        opened(folder)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_damaged_file_is_refused(folder: Path, keep: int) -> None:
    path = folder / "mine.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelFormatError, match=r"mine\.safetensors"):
        load_pin(path)


def test_another_programs_tensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(ModelFormatError, match="not a PIN basis"):
        load_pin(path)
    save_file({"weight": torch.zeros(3)}, path, {"format": "pinwatch.pin/1"})
    with pytest.raises(ModelFormatError, match="not a PIN basis"):
        load_pin(path)


def test_values_that_are_not_finite_are_refused(folder: Path) -> None:
    stored = load_pin(folder / "mine.safetensors")
    stored.mean[0, 0, 0] = float("nan")
    tensors = {name: part.contiguous() for name, part in stored.tensors().items()}
    save_file(tensors, folder / "nan.safetensors", {"format": "pinwatch.pin/1"})
    with pytest.raises(ModelFormatError, match="not finite"):
        load_pin(folder / "nan.safetensors")


def test_a_full_disk_leaves_no_half_purifier(
    pictures: list[ByteArray],
    tmp_path: Path,
    full_disk: Callable[[int], contextlib.AbstractContextManager[None]],
) -> None:
    fitted = fit_pin(pictures, OPTIONS)
    with full_disk(10_000), pytest.raises(StorageError, match=r"mine\.safetensors"):
        save_fitted(fitted, tmp_path, "mine", OPTIONS)
    assert not (tmp_path / "mine.safetensors").exists()
    assert not (tmp_path / "mine.card.yaml").exists()


def test_an_impossible_name_is_refused(pictures: list[ByteArray], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name"):
        save_fitted(fit_pin(pictures, OPTIONS), tmp_path, "../mine", OPTIONS)
