from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from pipeline.detect.checkpoint import load_state_dict
from pipeline.errors import ModelFormatError

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(1)}


def assert_is_weights(path: Path) -> None:
    loaded = load_state_dict(path)
    assert loaded.keys() == WEIGHTS.keys()
    assert all(torch.equal(loaded[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("wrap", ["plain", "state_dict", "module"])
def test_reads_what_torch_writes(tmp_path: Path, new_format: bool, wrap: str) -> None:
    path = tmp_path / "weights.pth"
    content: object = {"plain": WEIGHTS, "state_dict": {"epoch": 3, "state_dict": WEIGHTS}}.get(
        wrap, {f"module.{name}": tensor for name, tensor in WEIGHTS.items()}
    )
    torch.save(content, path, _use_new_zipfile_serialization=new_format)
    assert_is_weights(path)


@pytest.mark.parametrize("new_format", [True, False])
def test_reads_the_only_member_of_an_archive(tmp_path: Path, new_format: bool) -> None:
    inner = tmp_path / "weights.pth"
    torch.save(WEIGHTS, inner, _use_new_zipfile_serialization=new_format)
    path = tmp_path / "weights.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "folder/weights.pth")
    assert_is_weights(path)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("executed"),))  # type: ignore[return-value]


def refused(path: Path) -> None:
    with pytest.raises(ModelFormatError, match=path.name):
        load_state_dict(path)


def test_code_in_a_pickle_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, new_format in (("new.pth", True), ("old.pth", False)):
        torch.save({"a": Bomb()}, tmp_path / name, _use_new_zipfile_serialization=new_format)
        refused(tmp_path / name)
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Bomb(), protocol=2))
    refused(tmp_path / "bare.pth")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.write(tmp_path / "bare.pth", "bare.pth")
    refused(tmp_path / "packed.zip")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 broken"])
def test_what_is_no_checkpoint_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    refused(path)


def test_a_truncated_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "cut.pth"
    torch.save(WEIGHTS, path)
    path.write_bytes(path.read_bytes()[:-200])
    refused(path)


def test_other_content_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "list.pth"
    torch.save([torch.ones(2)], path)
    refused(path)
